"""What is said before a lab is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit


def test_a_batch_without_a_flow_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = tmp_path / "flows.jsonl"
    batch.write_text("\n")
    words = ["lab", "run", "-f", "none.yaml", "--batch", str(batch)]
    assert run("ringfence", words) == Exit.USAGE
    told = capsys.readouterr().err
    assert told == f"error: {batch}: there is no flow to try\n"
