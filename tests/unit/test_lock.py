"""The lock: every dependency pinned with hashes, and no word about where from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+)", re.MULTILINE)


def canonical(requirement: str) -> str:
    """Return the project a requirement names, as PEP 503 normalises it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_text() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_everything_the_project_requires_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = (
        project["project"]["dependencies"]
        + project["dependency-groups"]["dev"]
        + project["build-system"]["requires"]
    )
    pinned = {match["name"] for match in PIN.finditer(lock_text())}
    assert {canonical(requirement) for requirement in wanted} <= pinned


def test_every_locked_version_has_hashes() -> None:
    entries = re.split(r"^(?=\w)", lock_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_host() -> None:
    assert re.findall(r"://|--index|--find-links", lock_text()) == []
