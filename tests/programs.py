"""Python programs that tests run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_python(program: str, *before: str) -> str:
    """Run a program below the command ``before`` and return what it prints.

    The test fails with its stderr where it does. Modules of tests/ can be imported.
    """
    paths = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    ended = subprocess.run(
        [*before, sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
