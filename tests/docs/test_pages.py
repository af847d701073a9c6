"""The pages hang together: links lead somewhere, names are of things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ringfence"
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    pages = [f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if f"({page})" not in README] == []


def test_what_the_readme_shows_of_the_doctor_is_on_its_page() -> None:
    (shown,) = re.findall(r"doctor\.md -->\n```text\n(.*?)```", README, re.DOTALL)
    page = (ROOT / "docs" / "doctor.md").read_text().splitlines()
    assert [line for line in shown.splitlines() if line not in page] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_on_the_map(package: str) -> None:
    assert re.search(rf"^\*\*{package}\*\*:", ARCHITECTURE, re.MULTILINE)


def test_the_map_names_only_what_exists() -> None:
    named = re.findall(r"`([a-z_./]+/[a-z_*]*\.?[a-z]*)`", ARCHITECTURE)
    assert named
    missing = [
        name
        for name in named
        if not any(
            list(root.glob(name.rstrip("/"))) for root in (ROOT, SOURCE, ROOT / "docs")
        )
    ]
    assert missing == []
