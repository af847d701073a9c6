"""nft's complaints are told with the line that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.adapters.kernel.nft import replace_ruleset
from ringfence.errors import KernelError


def stub(folder: Path, complaint: str, code: int) -> str:
    """Return a program that reads its input, complains and fails as told."""
    program = folder / "nft"
    script = f"#!/bin/sh\ncat > {folder}/input\nprintf '{complaint}' >&2\nexit {code}\n"
    program.write_text(script)
    program.chmod(0o755)
    return str(program)


def test_the_whole_ruleset_is_replaced_in_one_input(tmp_path: Path) -> None:
    replace_ruleset(stub(tmp_path, "", 0), "add table inet t\n", "node n")
    assert (tmp_path / "input").read_text() == "flush ruleset; add table inet t\n"


def test_a_complaint_is_told_with_its_line(tmp_path: Path) -> None:
    nft = stub(tmp_path, "/dev/stdin:2:5-9: Error: syntax error\\n  bad\\n  ^^^\\n", 1)
    with pytest.raises(KernelError) as caught:
        replace_ruleset(nft, "one\n  two bad\n", "node n")
    words = "nft refused the ruleset of node n: line 2: syntax error: `two bad`"
    assert str(caught.value) == words


def test_a_complaint_without_a_line_is_told_whole(tmp_path: Path) -> None:
    nft = stub(tmp_path, "netlink: Error: cache initialization failed\\n", 1)
    with pytest.raises(KernelError, match="node n: netlink: Error: cache init"):
        replace_ruleset(nft, "", "node n")


def test_a_line_beyond_the_text_is_only_numbered(tmp_path: Path) -> None:
    nft = stub(tmp_path, "/dev/stdin:9:1-1: Error: unexpected end of file\\n", 1)
    with pytest.raises(KernelError, match=r"line 9: unexpected end of file$"):
        replace_ruleset(nft, "one\n", "node n")
