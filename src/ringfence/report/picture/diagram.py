"""Which picture to draw of a cluster: its classes, or its namespaces if too many."""

from __future__ import annotations

from dataclasses import replace

from ringfence.analysis.focus import Focus, Table, focused
from ringfence.analysis.matrix import By, matrix
from ringfence.engine.compiled import Compiled
from ringfence.report.picture.picture import Picture
from ringfence.report.picture.picturing import picture

CARDS, LINES = 64, 160
"""More than a page takes: then namespaces stand for their classes."""

CLASSES = 600
"""More classes than are looked at, before namespaces stand for them."""

DRAWABLE = 400
"""More lines than anybody can follow: then none is drawn."""


def diagram(compiled: Compiled, by: By | None, focus: Focus) -> tuple[Table, Picture]:
    """Return the matrix that is drawn, and its picture; ``by=None``: what fits."""
    table = focused(matrix(compiled, by or By.CLASS), compiled.cluster, focus)
    if by is None and len(table.endpoints) > CLASSES:
        return _by_namespace(compiled, focus, f"{len(table.endpoints):,} classes")
    found = picture(compiled, table, _focus_notes(focus))
    cards, lines = len(found.cards()), len(found.lines)
    if by is None and (cards > CARDS or lines > LINES):
        return _by_namespace(compiled, focus, f"{cards:,} cards and {lines:,} lines")
    return table, _readable(found)


def _by_namespace(compiled: Compiled, focus: Focus, many: str) -> tuple[Table, Picture]:
    table = focused(matrix(compiled, By.NAMESPACE), compiled.cluster, focus)
    note = (
        f"Drawn by namespace, for {many} are too many for one page. "
        "--by class draws them, --from and --to a part. "
        "An arrow has the ports of all its lines together."
    )
    return table, _readable(picture(compiled, table, [*_focus_notes(focus), note]))


def _focus_notes(focus: Focus) -> list[str]:
    return [f"Only flows {focus.words} are looked at."] if focus.words else []


def _readable(found: Picture) -> Picture:
    """Leave the lines out where nobody could follow them, and say so."""
    if len(found.lines) <= DRAWABLE:
        return found
    note = (
        f"{len(found.lines):,} lines are too many to follow: none is drawn. "
        "--from, --to and --port draw a part; -o csv lists all."
    )
    return replace(found, lines=(), notes=(*found.notes, note))
