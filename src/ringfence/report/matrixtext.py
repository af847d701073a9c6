"""The matrix for a terminal: one row a source, one column a destination."""

from __future__ import annotations

from collections.abc import Iterator

from ringfence.analysis.matrix import Cell, Endpoint, Matrix
from ringfence.report.matrixdoc import PROTOCOLS
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


def matrix_lines(matrix: Matrix) -> Iterator[str]:
    """Yield the lines of the table, its notes and its legend."""
    notes: dict[str, str] = {}
    numbers = [f"[{index}]" for index in range(1, len(matrix.endpoints) + 1)]
    rows = [
        [number, _endpoint_words(endpoint), *_row_words(matrix, row, notes)]
        for row, (number, endpoint) in enumerate(
            zip(numbers, matrix.endpoints, strict=True)
        )
    ]
    yield from table(["", "FROM \\ TO", *numbers], rows)
    yield ""
    for words, note in notes.items():
        yield f"{{{note}}} {words}"
    yield LEGEND


def _row_words(matrix: Matrix, row: int, notes: dict[str, str]) -> list[str]:
    words = [NONE] * len(matrix.endpoints)
    for stretch in matrix.row(row):
        for column in stretch.columns:
            words[column] = _cell_words(stretch.cell, notes)
    return words


def _endpoint_words(endpoint: Endpoint) -> str:
    count = len(endpoint.pods)
    return f"{endpoint.id} ({count} pods)" if count > 1 else endpoint.id


def _cell_words(cell: Cell, notes: dict[str, str]) -> str:
    parts = [conns_words(cell.allowed)] if cell.allowed else []
    if cell.undecided:
        parts.append(conns_words(cell.undecided) + UNKNOWN)
    words = ",".join(parts)
    if len(words) > CELL_WIDTH:
        words = f"{{{notes.setdefault(words, str(len(notes) + 1))}}}"
    return words + ("*" if cell.mixed else "")
