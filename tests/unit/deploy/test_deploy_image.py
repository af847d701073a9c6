"""The image has what ringfence needs to run, and is built from what is there."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from importlib.metadata import requires
from pathlib import Path

from ringfence import __version__

ROOT = Path(__file__).parents[3]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
RUNTIME = runpy.run_path(str(ROOT / "deploy" / "runtime.py"))


def needed() -> set[str]:
    """Return what the locked dependencies need here, as their metadata says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    canonical = RUNTIME["canonical"]
    found: set[str] = set()
    waiting = [canonical(one) for one in project["dependencies"]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [
                canonical(one) for one in requires(name) or () if ";" not in one
            ]
    return found


def chosen() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    found: dict[str, str] = RUNTIME["runtime"](lock, project["dependencies"])
    return found


def test_the_image_gets_all_that_ringfence_needs() -> None:
    assert needed() <= chosen().keys()


def test_the_image_gets_nothing_that_only_developers_need() -> None:
    assert not chosen().keys() & {"pytest", "mypy", "ruff", "hypothesis", "hatchling"}


def test_everything_in_the_image_is_pinned_with_hashes() -> None:
    assert all("--hash=sha256:" in entry for entry in chosen().values())


def test_the_image_is_built_from_files_that_are_there() -> None:
    text = CONTAINERFILE.read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    paths = [path for line in copied for path in line.split()]
    assert len(paths) >= 6
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_steps_of_the_image_are_a_script_that_a_shell_reads() -> None:
    script = ROOT / "deploy" / "requirements.sh"
    subprocess.run(["sh", "-n", script], check=True)
    assert script.stat().st_mode & 0o111


def test_chart_and_program_have_one_version() -> None:
    chart = (ROOT / "deploy" / "helm" / "ringfence" / "Chart.yaml").read_text()
    assert f"\nversion: {__version__}\nappVersion: {__version__}\n" in chart
