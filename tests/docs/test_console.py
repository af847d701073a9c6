"""Every command that the documentation shows prints what the documentation says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from console import Block, Step, agrees, blocks

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))
EXAMPLES = [
    block for page in PAGES for block in blocks(page, str(page.relative_to(ROOT)))
]
TERMINAL = {
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",  # stdout and stderr come in the order a terminal shows
}
SIMPLE = """text
```console
$ ringfence can a b  # exit 1
no
$ cat <<x | \\
  ringfence can -f -
yes
...
```
"""


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.place)
def test_the_command_prints_what_the_documentation_says(block: Block) -> None:
    for step in block.steps:
        run = run_step(step)
        printed = tuple(run.stdout.rstrip("\n").splitlines())
        same = agrees(step.output, printed)
        assert same, f"{step.place}: $ {step.command}\n{run.stdout}"
        assert run.returncode == step.code, f"{step.place}: $ {step.command}"


def run_step(step: Step) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would: a shell at the root of the checkout."""
    kubectl = 'kubectl() { local name="kubectl-$1"; shift; "$name" "$@"; }\n'
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", kubectl + step.command],
        cwd=ROOT,
        env=os.environ | {"PATH": programs} | TERMINAL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_block_is_read_into_its_steps(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(SIMPLE)
    (block,) = blocks(page, "page.md")
    assert block.steps == (
        Step("ringfence can a b", ("no",), 1, "page.md:3"),
        Step("cat <<x | \\\n  ringfence can -f -", ("yes", "..."), 0, "page.md:5"),
    )


def test_blocks_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ git clone x\n```\n")
    assert list(blocks(page, "page.md")) == []


@pytest.mark.parametrize(
    ("promised", "printed", "same"),
    [
        ("a b", "a b", True),
        ("a b", "a", False),
        ("a", "a b", False),
        ("a ... c", "a b b c", True),
        ("a ... c", "a c", True),
        ("a ... c", "a b", False),
        ("...", "", True),
        ("... b ... d", "a b c c d", True),
    ],
)
def test_only_an_elision_stands_for_other_lines(
    promised: str, printed: str, *, same: bool
) -> None:
    assert agrees(tuple(promised.split()), tuple(printed.split())) is same
