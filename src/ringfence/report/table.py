"""Plain text tables, as kubectl sets them: columns padded, three spaces between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringfence.report.plain import printable

GAP = "   "


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; an empty ``header`` leaves the head line out."""
    lines = [header, *rows] if header else list(rows)
    if not lines:
        return
    lines = [
        line if "".join(line).isprintable() else [*map(printable, line)]
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield GAP.join(cells).rstrip()
