"""Run the command line in this process and see what it said."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ringfence.cli.main import run


class Said(NamedTuple):
    """An exit code and what was written."""

    code: int
    out: str
    err: str


def ringfence(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Return what ``ringfence`` says to these words."""
    capsys.readouterr()
    code = run("ringfence", words)
    written = capsys.readouterr()
    return Said(code, written.out, written.err)
