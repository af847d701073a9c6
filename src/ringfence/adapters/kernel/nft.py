"""Rulesets into the kernel: one ``nft -f -``, one atomic transaction."""

from __future__ import annotations

import re

from ringfence.adapters.process import Ended, find_program, run_program
from ringfence.errors import KernelError

MISSING = (
    "nft is not installed; `apt install nftables` (Debian, Ubuntu), "
    "`dnf install nftables` (Fedora) or `apk add nftables` (Alpine) brings it"
)

_COMPLAINT = re.compile(r"^[^:\n]*:(\d+):[\d-]+: Error: (.+)$", re.MULTILINE)
_TIMEOUT_S = 120.0


def find_nft() -> str:
    """Return the path of nft(8); raises KernelError saying how to get it."""
    path = find_program("nft")
    if path is None:
        raise KernelError(MISSING)
    return path


def replace_ruleset(nft: str, text: str, owner: str) -> None:
    """Replace the whole ruleset of the network namespace that the thread is in.

    ``owner`` names the namespace in an error. Raises KernelError with nft's
    words and the line they are about; the old ruleset then stays.
    """
    # On one line, so that nft counts the lines as the text does.
    ended = run_program(
        [nft, "-f", "-"], f"flush ruleset; {text}", timeout_s=_TIMEOUT_S
    )
    if ended.code != 0:
        raise KernelError(f"nft refused the ruleset of {owner}: {_said(ended, text)}")


def _said(ended: Ended, text: str) -> str:
    found = _COMPLAINT.search(ended.complaint)
    if found is None:
        return " ".join(ended.complaint.split()) or f"exit {ended.code}"
    number, words = int(found[1]), found[2]
    lines = text.splitlines()
    shown = lines[number - 1].strip() if number <= len(lines) else ""
    return f"line {number}: {words}" + (f": `{shown}`" if shown else "")
