"""The matrix for a terminal: one row a source, one column a destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringfence.analysis.focus import Table, axes
from ringfence.analysis.matrix import Cell, Endpoint
from ringfence.report.matrixdoc import PROTOCOLS
from ringfence.report.plain import printable
from ringfence.report.table import table
from ringfence.sets.conns import EVERY_PORT, ConnSet

NONE, ALL, UNKNOWN = ".", "all", "?"
CELL_WIDTH = 16
"""Longer port lists become a note below the table."""

LEGEND = (
    f'rows are sources, columns destinations; "{NONE}" nothing, "{ALL}" every '
    f'port of every protocol, "{UNKNOWN}" behind what is undecided, '
    '"*" not for all of its pods'
)


def conns_words(conns: ConnSet) -> str:
    """Write a set of connections: ``80,443``, ``53/UDP``, ``*/TCP``; TCP is silent."""
    if conns.is_all(PROTOCOLS):
        return ALL
    words = [
        _range_words(low, high) + ("" if protocol == "TCP" else f"/{protocol}")
        if stretches != EVERY_PORT
        else f"*/{protocol}"
        for protocol, stretches in conns.ports
        for low, high in stretches
    ]
    return ",".join([*words, "other"] if conns.other else words)


def _range_words(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def matrix_lines(matrix: Table, *, wide: bool = False) -> Iterator[str]:
    """Yield the lines of the table, its notes and its legend.

    ``wide``: long lists of ports stand in their cells.
    """
    notes: dict[str, str] | None = None if wide else {}
    numbers = [f"[{index}]" for index in range(1, len(matrix.endpoints) + 1)]
    sources, targets = axes(matrix)
    header = [numbers[target] for target in targets]
    rows = [
        [
            numbers[source],
            _endpoint_words(matrix.endpoints[source]),
            *_row_words(matrix, source, targets, notes),
        ]
        for source in sources
    ]
    yield from table(["", "FROM \\ TO", *header], rows)
    yield ""
    for target in sorted({*targets} - {*sources}):
        yield f"{numbers[target]} {_endpoint_words(matrix.endpoints[target])}"
    for words, note in (notes or {}).items():
        yield f"{{{note}}} {words}"
    yield LEGEND


def _row_words(
    matrix: Table, row: int, targets: Sequence[int], notes: dict[str, str] | None
) -> list[str]:
    words: dict[int, str] = {}
    for stretch in matrix.row(row):
        text = _noted_words(stretch.cell, notes)
        words.update(dict.fromkeys(stretch.columns, text))
    return [words.get(target, NONE) for target in targets]


def _endpoint_words(endpoint: Endpoint) -> str:
    count = len(endpoint.pods)
    name = printable(endpoint.id)
    return f"{name} ({count} pods)" if count > 1 else name


def cell_words(cell: Cell) -> str:
    """Return what passes in a cell; "?" stands behind what is undecided."""
    parts = [conns_words(cell.allowed)] if cell.allowed else []
    if cell.undecided:
        parts.append(conns_words(cell.undecided) + UNKNOWN)
    return ",".join(parts) + ("*" if cell.mixed else "")


def _noted_words(cell: Cell, notes: dict[str, str] | None) -> str:
    """Return the same, or the number of a note that has what is too long here."""
    words = cell_words(cell._replace(mixed=False))
    if notes is not None and len(words) > CELL_WIDTH:
        words = f"{{{notes.setdefault(words, str(len(notes) + 1))}}}"
    return words + ("*" if cell.mixed else "")
