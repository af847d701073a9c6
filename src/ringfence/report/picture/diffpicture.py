"""The picture of a difference: HEAD's diagram, and over it what opens and closes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce

from ringfence.analysis.change.difference import Change, Difference
from ringfence.analysis.change.rectangles import bits
from ringfence.analysis.matrix import By, Cell, Endpoint, Matrix, Stretch, matrix
from ringfence.engine.compiled import Compiled
from ringfence.model.verdict import Outcome
from ringfence.report.difftext import summary
from ringfence.report.picture.alike import alike
from ringfence.report.picture.bundle import Pairs
from ringfence.report.picture.diagram import CARDS, CLASSES, DRAWABLE, LINES
from ringfence.report.picture.diffends import Part, Places, address_parts, class_parts
from ringfence.report.picture.openness import Doors, Openness, doors
from ringfence.report.picture.picture import Card, Mark, Picture
from ringfence.report.picture.picturing import (
    CALLEE,
    CALLER,
    NO_CELL,
    CardMaker,
    Layer,
    Wires,
    arranged,
    as_end,
    cell_words,
)
from ringfence.sets.conns import NOTHING, ConnSet

NO_DIFFERENCE = "No difference: everything is answered alike."
LEFT_OUT = "Pods that no change is about and lines as they were are left out."
BY_NAMESPACE = (
    "Drawn by namespace, without what did not change; * not for all of its pods. "
    "An arrow has the ports of all its lines together; -o json lists all."
)
SHUT = Openness(NOTHING, NOTHING, NOTHING)
CLOSED = Doors(SHUT, SHUT, ())
"""No badge: what went, and where nothing but changes is drawn."""

CAME = {Mark.ADDED: "only in HEAD", Mark.REMOVED: "only in BASE"}


def difference_picture(
    found: Difference, base: Compiled, head: Compiled, by: By | None = None
) -> Picture:
    """Return the diagram of a difference, of as much around it as a page takes.

    Every change is drawn: as a line, or as ports among the pods of a card or a
    frame. What did not change is drawn pale, left out where it is too much; then
    namespaces stand for their pods, unless ``by`` says what a card is.
    """
    places = Places(found, base, head)
    note = summary(found) if found else NO_DIFFERENCE
    whole = None if by is By.NAMESPACE else matrix(head, by or By.CLASS)
    if whole is not None and (by or len(whole.endpoints) <= CLASSES):
        parts = [
            *class_parts(places, whole.endpoints),
            *address_parts(found.changes, whole.endpoints),
        ]
        if len(whole.endpoints) <= CLASSES:
            table = Table(whole, parts, found.changes, whole.by)
            drawn = _Overlay(base, head, table).picture([note])
            if _fits(drawn):
                return drawn
        parts = [part for part in parts if part.source or part.target]
        table = Table(None, parts, found.changes, whole.by)
        drawn = _Overlay(base, head, table).picture([note, LEFT_OUT])
        if by or _fits(drawn):
            return _readable(drawn, DRAWABLE)
    parts = [*places.namespaces(), *address_parts(found.changes, ())]
    table = Table(None, parts, found.changes, By.NAMESPACE)
    drawn = _Overlay(base, head, table).picture([note, BY_NAMESPACE])
    return _readable(drawn, LINES)


def _fits(drawn: Picture) -> bool:
    return len(drawn.cards()) <= CARDS and len(drawn.lines) <= LINES


def _readable(found: Picture, most: int) -> Picture:
    if len(found.lines) <= most:
        return found
    note = f"{len(found.lines):,} lines are too many to follow: none is drawn."
    return replace(found, lines=(), notes=(*found.notes, note))


class Table:
    """The flows of HEAD that BASE has, too, between the ends of a difference.

    Without a matrix there are none: the ends are those of changes alone.
    """

    def __init__(
        self,
        whole: Matrix | None,
        parts: Sequence[Part],
        changes: Sequence[Change],
        by: By,
    ) -> None:
        self.by = by
        self.decided = whole is None or whole.decided
        self.parts = parts
        self.endpoints = tuple(part.endpoint for part in parts)
        self.whole = whole
        self._columns: dict[int, list[int]] = {}
        for number, part in enumerate(parts):
            if part.row is not None:
                self._columns.setdefault(part.row, []).append(number)
        self._new = tuple(
            sum(1 << n for n, c in enumerate(changes) if c.step.now is outcome)
            for outcome in (Outcome.ALLOW, Outcome.UNDECIDED)
        )
        self.changes = changes

    def row(self, row: int) -> list[Stretch]:
        """Return what an end reaches in HEAD and reached in BASE."""
        part = self.parts[row]
        if self.whole is None or part.row is None:
            return []
        cells: dict[Cell, list[int]] = {}
        for cell, columns in self.whole.row(part.row):
            for column in (n for c in columns for n in self._columns.get(c, ())):
                alone = column == row and len(part.endpoint.pods) == 1
                left = cell if alone else self._left(cell, part, self.parts[column])
                if not alone and (left.allowed or left.undecided):
                    cells.setdefault(left, []).append(column)
        return [Stretch(cell, columns) for cell, columns in cells.items()]

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Yield every cell that holds anything, by row."""
        for row in range(len(self.parts)):
            for cell, columns in self.row(row):
                for column in columns:
                    yield row, column, cell

    def _left(self, cell: Cell, source: Part, target: Part) -> Cell:
        common = source.source & target.target
        allowed, undecided = (
            conns - joined(self.changes, common & mask)
            for conns, mask in zip(cell[:2], self._new, strict=True)
        )
        return cell._replace(allowed=allowed, undecided=undecided)


def joined(changes: Sequence[Change], which: int) -> ConnSet:
    """Return the connections of some changes, told by a mask, together."""
    found = (changes[number].step.conns for number in bits(which))
    return reduce(ConnSet.__or__, found, NOTHING)


_Cells = tuple[Cell, ...]
"""What a pair has in each layer, in the order of ``LAYERS``."""

LAYERS = (Mark.ADDED, Mark.REMOVED, Mark.KEPT)
NOTHING_AT_ALL = (NO_CELL,) * len(LAYERS)


class _Overlay:
    """Cards for the ends of a difference, and the layers of lines between them."""

    def __init__(self, base: Compiled, head: Compiled, table: Table) -> None:
        self._table = table
        self._masks = [
            tuple(
                _mask(table.changes, opens=opens, sure=sure) for sure in (True, False)
            )
            for opens in (True, False)
        ]
        gates = [self._gate(head, part) for part in table.parts]
        wires = Wires(table, gates)
        self._cells = self._all_cells(wires)
        makers = [CardMaker(compiled, table, wires) for compiled in (base, head)]
        self._cards: dict[int, Card] = {}
        self._own: dict[int, _Cells] = {}
        for group in alike(self._kinds(gates), self._cells):
            first = group[0]
            part = table.parts[first]
            own = self._cells.get(first, {}).get(group[-1], NOTHING_AT_ALL)
            if table.whole is None and not (part.source or part.target):
                continue
            maker = makers[part.mark is not Mark.REMOVED]
            self._own[first] = own
            self._cards[first] = _marked(maker.card(group, gates[first]), part, own)

    def _gate(self, head: Compiled, part: Part) -> Doors:
        gone = part.mark is Mark.REMOVED or self._table.whole is None
        return CLOSED if gone else doors(head, part.endpoint)

    def _kinds(self, gates: Sequence[Doors]) -> list[Hashable]:
        """Return what the pods of one card have in common; namespaces may share one."""
        apart = self._table.by is not By.NAMESPACE
        return [
            (
                part.endpoint.namespace if apart else "",
                part.endpoint.kind,
                gate,
                part.mark,
                bool(part.source or part.target),
            )
            for part, gate in zip(self._table.parts, gates, strict=True)
        ]

    def _all_cells(self, wires: Wires) -> dict[int, dict[int, _Cells]]:
        found: dict[int, dict[int, _Cells]] = {}
        for row, source in enumerate(self._table.parts):
            kept = wires.cells.get(row, {})
            cells: dict[int, _Cells] = {}
            for column, target in enumerate(self._table.parts):
                changed = source.source & target.target
                if _are_no_pair(source.endpoint, target.endpoint):
                    continue
                if changed or column in kept:
                    changes = self._changed(source, target)
                    cells[column] = (*changes, kept.get(column, NO_CELL))
            found[row] = cells
        return found

    def _changed(self, source: Part, target: Part) -> Iterator[Cell]:
        """Yield what opens and what closes between two ends."""
        common = source.source & target.target
        every = source.all_source & target.all_target
        for sure, perhaps in self._masks:
            mixed = common & ~every & (sure | perhaps)
            yield Cell(
                joined(self._table.changes, common & sure),
                joined(self._table.changes, common & perhaps),
                bool(mixed),
            )

    def picture(self, notes: Iterable[str]) -> Picture:
        """Return the picture, with these sentences below it."""
        layers = [
            Layer(mark, self._layer(number)) for number, mark in enumerate(LAYERS)
        ]
        cards = list(self._cards.values())
        pooled = self._table.by is By.NAMESPACE
        made = arranged(cards, layers, notes, pooled=pooled)
        return replace(made, title="What opens and what closes")

    def _layer(self, number: int) -> Pairs:
        pairs = {
            (as_end(CALLER, card), as_end(CALLEE, self._cards[column])): cells[number]
            for row, card in self._cards.items()
            for column, cells in self._cells[row].items()
            if column in self._cards and column != row and any(cells[number][:2])
        }
        for row, card in self._cards.items():
            if card.count:
                pairs[card.id, card.id] = self._own[row][number]
        return pairs


def _are_no_pair(one: Endpoint, other: Endpoint) -> bool:
    """Whether nothing can be said: a single pod alone, or no pod at either end."""
    if one.pods and other.pods:
        return one.id == other.id and len(one.pods) == 1
    return not (one.pods or other.pods)


def _mask(changes: Sequence[Change], *, opens: bool, sure: bool) -> int:
    found = 0
    for number, change in enumerate(changes):
        step = change.step
        decided = Outcome.UNDECIDED not in {step.was, step.now}
        if (step.opens, decided) == (opens, sure):
            found |= 1 << number
    return found


def _marked(card: Card, part: Part, own: _Cells) -> Card:
    """Say on a card what changes among its pods, and whether it came or went."""
    words = (cell_words(cell, mark) for mark, cell in zip(LAYERS, own, strict=True))
    card = replace(card, among=", ".join(filter(None, words)), inside="")
    if part.mark not in CAME:
        return card
    title = f"{part.mark} {card.title}"
    details = (*card.details, CAME[part.mark])
    return replace(card, title=title, details=details, mark=part.mark)
