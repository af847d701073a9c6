"""What the control plane is built with."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.build import HELM, NoToolchainError, programs


@pytest.mark.parametrize("said", ["go1.25.11", "go version go1.19.8 linux/amd64", ""])
def test_a_go_that_is_too_old_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho '{said}'\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(NoToolchainError, match=r"install Go 1\.26 or newer"):
        programs(HELM)
