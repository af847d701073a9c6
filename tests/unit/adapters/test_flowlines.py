"""Flow records are read from a file while whoever writes it turns it over."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from ringfence.adapters import flowlines


def test_a_file_that_is_moved_away_at_any_moment_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flowlines, "_LOOK_S", 0.0)
    path, enough = tmp_path / "flows.log", Event()
    path.write_text("line\n")

    def turn_over() -> None:
        while not enough.is_set():
            path.rename(tmp_path / "flows.log.1")
            path.write_text("line\n")

    turning = Thread(target=turn_over)
    lines = flowlines.file_lines(str(path), follow=True)
    assert next(lines) == b"line"
    turning.start()
    try:
        told = {next(lines) for _ in range(500)}
    finally:
        enough.set()
        turning.join()
    assert told == {b"line", None}
