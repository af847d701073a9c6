#!/bin/sh
# Make the environment DIR with ringfence and what it needs to run, as locked.
# Run from a checkout's root, by the Containerfile and by its test.
set -eu
dir=$1
python3 -m venv "$dir"
# The lock is of the developers too: what only they need stays out.
"$dir/bin/python" - > "$dir/runtime.txt" << 'END'
import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
name = re.compile(r"[\w.-]+")


def plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", name.match(requirement).group()).lower()


entries = re.split(r"^(?=\w)", Path("requirements.lock").read_text(), flags=re.M)
locked = {plain(entry): entry for entry in entries if name.match(entry)}
via = {
    key: {plain(one) for one in re.findall(r"^    #(?: via)? +([\w.-]+)$", entry, re.M)}
    for key, entry in locked.items()
}
wanted = {plain(one) for one in project["dependencies"]}
while more := {key for key, users in via.items() if users & wanted} - wanted:
    wanted |= more
print("".join(locked[key] for key in sorted(wanted)))
END
pip="$dir/bin/python -m pip --disable-pip-version-check --no-input install --quiet"
$pip --require-hashes -r "$dir/runtime.txt"
$pip --no-deps .
"$dir/bin/python" -m compileall -q "$dir/lib"
# Nothing is installed into what runs.
"$dir/bin/python" -m pip uninstall --quiet --yes pip setuptools 2> /dev/null
rm "$dir/runtime.txt"
