"""The matrix as a list of flows: for spreadsheets, and for a review's comment."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from ringfence.analysis.focus import Table, axes
from ringfence.analysis.matrix import Cell
from ringfence.report.matrixtext import conns_words
from ringfence.report.plain import printable

COLUMNS = ("from", "to", "ports", "undecided", "mixed")

SQUARE = 10
"""More columns than this make no table in a comment: flows are listed."""

LISTED = 200
"""Flows that a comment lists before it counts the rest."""


def csv_lines(table: Table) -> Iterator[str]:
    """Yield a row for each pair that has a flow, below a head (RFC 4180)."""
    yield _csv_line(COLUMNS)
    ids = [endpoint.id for endpoint in table.endpoints]
    for row, column, cell in table.cells():
        words = conns_words(cell.allowed), conns_words(cell.undecided)
        yield _csv_line((ids[row], ids[column], *words, "yes" if cell.mixed else ""))


def _csv_line(values: tuple[str, ...]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def markdown_lines(table: Table) -> Iterator[str]:
    """Yield a table in GitHub's Markdown: a square if it is small, else a list."""
    sources, targets = axes(table)
    if len(targets) <= SQUARE:
        names = [code_span(table.endpoints[target].id) for target in targets]
        yield from _head(["from \\ to", *names])
        for source in sources:
            cells = {c: cell for cell, columns in table.row(source) for c in columns}
            words = [_cell_words(cells[t]) if t in cells else "·" for t in targets]
            yield _row([code_span(table.endpoints[source].id), *words])
    else:
        yield from _list(table)
    yield ""
    yield (
        "· nothing, **all** every port of every protocol, ? undecided, "
        "\\* not for all of its pods"
    )


def _list(table: Table) -> Iterator[str]:
    yield from _head(["from", "to", "ports"])
    more = 0
    for number, (row, column, cell) in enumerate(table.cells()):
        if number < LISTED:
            ends = (table.endpoints[row].id, table.endpoints[column].id)
            yield _row([*map(code_span, ends), _cell_words(cell)])
        else:
            more += 1
    if more:
        yield _row([f"and {more:,} more", "", ""])


def _head(titles: list[str]) -> Iterator[str]:
    yield _row(titles)
    yield _row(["---"] * len(titles))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def code_span(name: str) -> str:
    """Write a name so that nothing in it is markup."""
    return "`" + printable(name).replace("`", "'").replace("|", "\\|") + "`"


def _cell_words(cell: Cell) -> str:
    words = [conns_words(cell.allowed)] if cell.allowed else []
    if cell.undecided:
        words.append(conns_words(cell.undecided) + " ?")
    text = ", ".join(words).replace("*", "\\*")
    text = f"**{text}**" if text == "all" else text
    return text + ("\\*" if cell.mixed else "")
