"""``ringfence matrix``: what it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit


def test_everything_that_is_wrong_with_a_focus_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: web}}")
    words = ["--port", "http", "--from", "wob", "--to", "svc/api", "-f", str(path)]
    assert run("ringfence", ["matrix", *words]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "--port",
        "--from",
        "--to",
    ]
