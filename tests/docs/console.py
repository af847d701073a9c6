"""Console blocks of the documentation: commands, and the output they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(
    r"^(?P<indent> *)```console\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
EXIT = re.compile(r"\s+# exit (?P<code>\d+)$")
OURS = re.compile(r"\$ (kubectl )?ringfence\b")
ELISION = "..."


class Step(NamedTuple):
    """A command, the lines it promises (stdout and stderr), and its exit code."""

    command: str
    output: tuple[str, ...]
    code: int
    place: str


class Block(NamedTuple):
    """The steps of one block, run in order in one folder."""

    place: str
    steps: tuple[Step, ...]


def blocks(path: Path, name: str) -> Iterator[Block]:
    """Yield the blocks of a file whose first command is ours; places are name:line."""
    text = path.read_text()
    for match in BLOCK.finditer(text):
        first = text.count("\n", 0, match.start("body")) + 1
        indent = len(match["indent"])
        lines = [line[indent:] for line in match["body"].splitlines()]
        if lines and OURS.match(lines[0]):
            yield Block(f"{name}:{first}", tuple(_steps(lines, name, first)))


def _steps(lines: list[str], name: str, first: int) -> Iterator[Step]:
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        output = start + 1
        # A command goes on over lines that end in a backslash.
        while lines[output - 1].endswith("\\"):
            output += 1
        command = "\n".join(lines[start:output])[2:]
        exits = EXIT.search(command)
        yield Step(
            EXIT.sub("", command),
            tuple(lines[output:end]),
            int(exits["code"]) if exits else 0,
            f"{name}:{first + start}",
        )


def agrees(promised: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Tell whether the lines are word for word those promised; ``...`` elides any."""
    while promised and promised[0] != ELISION:
        if not printed or promised[0].rstrip() != printed[0].rstrip():
            return False
        promised, printed = promised[1:], printed[1:]
    if not promised:
        return not printed
    rests = (printed[skipped:] for skipped in range(len(printed) + 1))
    return any(agrees(promised[1:], rest) for rest in rests)
