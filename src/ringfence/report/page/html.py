"""One offline page: the diagram, the matrix, and why each cell is as it is."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from typing import Any

from ringfence.analysis.focus import Table
from ringfence.analysis.matrix import Cell
from ringfence.engine.compiled import Compiled
from ringfence.report.drawing.svg import svg_parts
from ringfence.report.drawing.svgstyle import page_colours
from ringfence.report.matrixdoc import PROTOCOLS
from ringfence.report.page.htmlassets import PAGE_STYLE, SCRIPT
from ringfence.report.page.pairstory import NO_CELL, pair_stories
from ringfence.report.picture.picture import Picture
from ringfence.report.picture.picturing import cell_words
from ringfence.report.plain import printable

PAIRS = 2000
"""More pairs than this have no story in the page, only the command that tells it."""

GRID = 90
"""More endpoints than this make no table that anybody reads: flows are listed."""

CELL = 12
"""Letters of a cell; longer lists of ports are counted."""


def html_document(
    compiled: Compiled, table: Table, picture: Picture, theme: str = "auto"
) -> str:
    """Return the page; it asks for nothing from outside and runs no foreign script."""
    style, drawing = svg_parts(picture, theme)
    styles = [f"{page_colours(theme)}{PAGE_STYLE}", style]
    cells = {(row, column): cell for row, column, cell in table.cells()}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        _policy(styles),
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        "<title>Who can reach whom</title>",
        *(f"<style>{text}</style>" for text in styles),
        "</head><body>",
        *_body(table, cells, drawing),
        _data(compiled, table, picture, cells),
        f"<script>{SCRIPT}</script></body></html>\n",
    ]
    return "".join(parts)


def _policy(styles: list[str]) -> str:
    """Return the content security policy: only what this page itself holds."""
    style = " ".join(f"'{_hash(text)}'" for text in styles)
    rules = f"default-src 'none'; style-src {style}; script-src '{_hash(SCRIPT)}'"
    more = "; base-uri 'none'; form-action 'none'"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}{more}">'


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _body(
    table: Table,
    cells: dict[tuple[int, int], Cell],
    drawing: str,
) -> Iterator[str]:
    pods = sum(len(end.pods) for end in table.endpoints)
    namespaces = {end.namespace for end in table.endpoints if end.pods}
    yield (
        f"<header><h1>Who can reach whom</h1><p>{pods:,} pods, "
        f"{len(namespaces):,} namespaces, {len(cells):,} of "
        f"{len(table.endpoints) ** 2:,} pairs may talk. Click a line or a cell: "
        "why is told on the right.</p></header>"
    )
    yield (
        '<main><div><section aria-label="Diagram"><div class="tools">'
        '<button type="button" data-zoom="0.8" aria-label="Smaller">&minus;</button> '
        '<button type="button" data-zoom="1.25" aria-label="Larger">+</button> '
        '<button type="button" data-zoom="0">Fit</button></div>'
        f'<div class="canvas">{drawing}</div></section>'
    )
    if len(table.endpoints) <= GRID:
        yield from _grid(table, cells)
    yield from _listing(table, cells)
    yield (
        '</div><aside id="why" aria-live="polite"><h2>Why</h2>'
        "<p>Click a line of the diagram, or choose a cell of the matrix "
        "with the arrow keys and Enter.</p></aside></main>"
    )


def _grid(table: Table, cells: dict[tuple[int, int], Cell]) -> Iterator[str]:
    yield (
        '<section aria-label="Matrix"><h2>Matrix</h2><p>Rows are sources, columns '
        "destinations; &middot; nothing, all: every port of every protocol, ? "
        "undecided, * not for all of its pods.</p>"
        '<div class="scroll"><table id="matrix" role="grid"><thead><tr><td></td>'
    )
    for number, end in enumerate(table.endpoints, 1):
        yield f'<th scope="col" title="{escape(end.id)}">{number}</th>'
    yield "</tr></thead><tbody>"
    for row, end in enumerate(table.endpoints):
        name = escape(end.id)
        yield f'<tr><th scope="row" title="{name}">{row + 1} {name}</th>'
        for column in range(len(table.endpoints)):
            yield _grid_cell(row, column, cells.get((row, column), NO_CELL))
        yield "</tr>"
    yield "</tbody></table></div></section>"


def _grid_cell(row: int, column: int, cell: Cell) -> str:
    words = cell_words(cell)
    if cell.undecided:
        kind = "u"
    elif cell.allowed.is_all(PROTOCOLS):
        kind = "a"
    else:
        kind = "s" if cell.allowed else "n"
    if row == column and not words:
        kind = "x"
    shown = words or "&middot;"
    if len(words) > CELL:
        ranges = sum(len(of) for _, of in (cell.allowed | cell.undecided).ports)
        shown = f"{ranges} ports" + (" ?" if cell.undecided else "")
    return f'<td class="{kind}" data-at="{row},{column}">{shown}</td>'


def _listing(table: Table, cells: dict[tuple[int, int], Cell]) -> Iterator[str]:
    """Yield every flow as a plain table, which a screen reader reads row by row."""
    yield (
        "<section><details><summary>Every flow as a list</summary>"
        '<table class="list"><thead><tr><th>From</th><th>To</th><th>Ports</th></tr>'
        "</thead><tbody>"
    )
    for number, ((row, column), cell) in enumerate(cells.items()):
        if number == PAIRS:
            left = len(cells) - PAIRS
            yield f'<tr><td colspan="3">and {left:,} more: matrix -o csv</td></tr>'
            break
        ends = (table.endpoints[row].id, table.endpoints[column].id)
        columns = (*map(escape, ends), escape(cell_words(cell)))
        yield "<tr>" + "".join(f"<td>{text}</td>" for text in columns) + "</tr>"
    yield "</tbody></table></details></section>"


def _data(
    compiled: Compiled,
    table: Table,
    picture: Picture,
    cells: dict[tuple[int, int], Cell],
) -> str:
    """Return what the script needs: names, ports and the stories, lines shared."""
    numbers: dict[str, int] = {}
    stories: dict[str, list[list[int]]] = {}
    for row, column in _told_pairs(table, cells):
        cell = cells.get((row, column), NO_CELL)
        stories[f"{row},{column}"] = [
            [numbers.setdefault(line, len(numbers)) for line in story]
            for story in pair_stories(compiled, table, row, column, cell)
        ]
    index = {end.id: number for number, end in enumerate(table.endpoints)}
    groups = {c.id: [index[id_] for id_ in c.members] for c in picture.cards()}
    groups |= {
        frame.id: [n for card in frame.cards for n in groups[card.id]]
        for frame in picture.frames
    }
    document: dict[str, Any] = {
        "ends": [end.id for end in table.endpoints],
        "ask": [
            str(e.pods[0]) if e.pods else str(e.cidrs[0][0]) for e in table.endpoints
        ],
        "cells": _by_words(cells),
        "groups": {printable(id_): group for id_, group in groups.items()},
        "stories": stories,
        "lines": list(numbers),
    }
    text = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>'


def _by_words(
    cells: dict[tuple[int, int], Cell],
) -> dict[int, dict[str, list[int]]]:
    """Return, for each row, the columns by what their cells say: few words, shared."""
    found: dict[int, dict[str, list[int]]] = {}
    words = cache(cell_words)
    for (row, column), cell in cells.items():
        found.setdefault(row, {}).setdefault(words(cell), []).append(column)
    return found


def _told_pairs(
    table: Table, cells: dict[tuple[int, int], Cell]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs with a story: all of them, or some that may talk."""
    size = len(table.endpoints)
    if size * size > PAIRS:
        yield from list(cells)[:PAIRS]
        return
    for row, one in enumerate(table.endpoints):
        for column, other in enumerate(table.endpoints):
            if one.pods or other.pods:
                yield row, column
