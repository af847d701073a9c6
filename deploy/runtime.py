# ruff: noqa: INP001 - a script beside what runs it, no package
"""Print what of requirements.lock ringfence needs to run, hashes and all.

Run from a checkout's root. The lock is of the developers too; what only they need
stays out of the image.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

NAME = re.compile(r"[\w.-]+")
ENTRY = re.compile(r"^(?=\w)", re.MULTILINE)
VIA = re.compile(r"^    #(?: via)? +([\w.-]+)$", re.MULTILINE)
"""Whom uv says an entry is there for; the project itself has a file beside its name."""


def canonical(requirement: str) -> str:
    """Return the project that a requirement names, as PEP 503 normalises it."""
    name = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", name.group() if name else "").lower()


def runtime(lock: str, dependencies: Iterable[str]) -> dict[str, str]:
    """Return the entries that the dependencies come to, by project."""
    entries = {canonical(entry): entry for entry in ENTRY.split(lock) if entry.strip()}
    users = {
        name: {canonical(user) for user in VIA.findall(entry)}
        for name, entry in entries.items()
    }
    wanted = {canonical(one) for one in dependencies}
    while more := {name for name, of in users.items() if of & wanted} - wanted:
        wanted |= more
    return {name: entries[name] for name in sorted(wanted)}


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    lock = Path("requirements.lock").read_text(encoding="utf-8")
    print("".join(runtime(lock, project["project"]["dependencies"]).values()))  # noqa: T201 - what it is for
