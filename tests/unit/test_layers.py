"""What import-linter cannot see: built-in I/O in the pure core, faults swallowed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "ringfence"
PURE = (
    "errors.py",
    "sets",
    "model",
    "manifest",
    "engine",
    "analysis",
    "ruleset",
    "report",
    "deploy",
    "doctor",
    "observe",
    "agent/inspection/audit.py",
    "agent/enforcing/cut.py",
    "agent/enforcing/degrade.py",
    "agent/inspection/differences.py",
    "agent/plan.py",
    "agent/state.py",
    "lab/addressing.py",
    "lab/inside/packets.py",
    "lab/plan.py",
    "lab/scope.py",
    "lab/topology.py",
)
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}
NOQA = re.compile(r"noqa(: *[A-Z]+\d+(, *[A-Z]+\d+)*)?")
BROAD = {"Exception", "BaseException"}


def modules(*places: str) -> list[Path]:
    """Return the source files at the places, a file or a whole package each."""
    found: list[Path] = []
    for place in places:
        path = SOURCE / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def impure_calls(source: str) -> Iterator[int]:
    """Yield the line of every use of a built-in that reads, writes or runs."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in IMPURE_CALLS:
            yield node.lineno


def silent_handlers(source: str) -> Iterator[int]:
    """Yield the line of every handler of everything that gives no reason for it."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and catches_everything(node):
            _, _, comment = lines[node.lineno - 1].partition("#")
            if not NOQA.sub("", comment).strip(" -"):
                yield node.lineno


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Tell a handler of everything; where it ends in ``raise`` nothing is lost."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not names.isdisjoint(BROAD)


def label(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", modules(*PURE), ids=label)
def test_the_pure_core_never_reads_writes_or_runs(path: Path) -> None:
    assert list(impure_calls(path.read_text())) == []


@pytest.mark.parametrize("path", modules("."), ids=label)
def test_whoever_catches_everything_says_why(path: Path) -> None:
    assert list(silent_handlers(path.read_text())) == []


@pytest.mark.parametrize("place", PURE)
def test_every_pure_place_exists(place: str) -> None:
    assert (SOURCE / place).exists()


def test_a_call_that_reads_is_seen() -> None:
    assert list(impure_calls("x = 1\ny = open('f').read()\n")) == [2]
    assert list(impure_calls("read = open\n")) == [1]


@pytest.mark.parametrize(
    "handler",
    [
        "except:",
        "except Exception:  # noqa: BLE001",
        "except (OSError, BaseException) as error:",
    ],
)
def test_a_handler_of_everything_is_seen(handler: str) -> None:
    assert list(silent_handlers(f"try:\n    f()\n{handler}\n    pass\n")) == [3]


def test_a_handler_that_raises_again_needs_no_reason() -> None:
    source = "try:\n    f()\nexcept BaseException:\n    close()\n    raise\n"
    assert list(silent_handlers(source)) == []


def test_a_handler_of_everything_with_its_reason_passes() -> None:
    handler = "except Exception as error:  # noqa: BLE001 - told to the other side"
    assert list(silent_handlers(f"try:\n    f()\n{handler}\n    g(error)\n")) == []
