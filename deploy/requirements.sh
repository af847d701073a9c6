#!/bin/sh
# Make the environment DIR with ringfence and what it needs to run, as locked.
# Run from a checkout's root, as the Containerfile does.
set -eu
dir=$1
python3 -m venv "$dir"
"$dir/bin/python" deploy/runtime.py > "$dir/runtime.txt"
pip="$dir/bin/python -m pip --disable-pip-version-check --no-input"
$pip install --quiet --require-hashes -r "$dir/runtime.txt"
$pip install --quiet --no-deps .
"$dir/bin/python" -m compileall -q "$dir/lib"
# Nothing is installed into what runs.
$pip uninstall --quiet --yes pip setuptools 2> /dev/null
rm "$dir/runtime.txt"
