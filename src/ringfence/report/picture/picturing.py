"""From a matrix to a diagram: who becomes a card, which lines are worth drawing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ringfence.analysis.focus import Table
from ringfence.analysis.matrix import By, Cell, Endpoint
from ringfence.engine.compiled import Compiled
from ringfence.model.flow import Direction
from ringfence.report.difftext import shorter_words
from ringfence.report.matrixtext import conns_words
from ringfence.report.naming import (
    labels_words,
    listed,
    outside_words,
    pod_count,
    pods_title,
)
from ringfence.report.picture.alike import alike
from ringfence.report.picture.bundle import Pairs, bundle
from ringfence.report.picture.openness import ALL, Doors, Openness, doors, told, within
from ringfence.report.picture.picture import Card, Frame, Line, Mark, Picture
from ringfence.sets.conns import NOTHING, ConnSet

NO_CELL = Cell(NOTHING, NOTHING)

CALLER, CALLEE = "from:", "to:"
"""An outside end has two cards: one where its lines start, one where they end."""


def picture(compiled: Compiled, matrix: Table, notes: Iterable[str] = ()) -> Picture:
    """Return the diagram of a matrix.

    Where no line runs, two ends reach one another only if the badges of both say
    so; each other flow has a line of its card or of its card's frame.
    """
    gates = [doors(compiled, endpoint) for endpoint in matrix.endpoints]
    wires = Wires(matrix, gates)
    pooled = matrix.by is By.NAMESPACE
    kinds: list[Hashable] = [
        ("" if pooled else end.namespace, end.kind, gate)
        for end, gate in zip(matrix.endpoints, gates, strict=True)
    ]
    cells: Mapping[int, Mapping[int, Cell]] = wires.cells
    if pooled:  # What passes inside a namespace is no matter of the others.
        kinds = [(kind, wires.within(number)) for number, kind in enumerate(kinds)]
        cells = {
            row: {column: cell for column, cell in of.items() if column != row}
            for row, of in cells.items()
        }
    maker = CardMaker(compiled, matrix, wires)
    cards = {
        group[0]: maker.card(group, gates[group[0]]) for group in alike(kinds, cells)
    }
    pairs: Pairs = {
        (as_end(CALLER, cards[source]), as_end(CALLEE, cards[target])): cell
        for source, row in wires.cells.items()
        for target, cell in row.items()
        if source in cards and target in cards and source != target
    }
    for card in cards.values():
        if card.count:
            pairs[card.id, card.id] = maker.own[card.id]
    plain = Layer(Mark.PLAIN, pairs)
    return arranged(list(cards.values()), [plain], notes, pooled=pooled)


class Wires:
    """The cells that no pair of badges tells already, by row and column.

    ``unsure``: which ends, and ways, have a badge for what is undecided.
    """

    def __init__(self, matrix: Table, gates: Sequence[Doors]) -> None:
        self.cells: dict[int, dict[int, Cell]] = defaultdict(dict)
        self.unsure: set[tuple[int, Direction]] = set()
        numbers: dict[Doors, int] = {}
        gate = [numbers.setdefault(one, len(numbers)) for one in gates]
        inside = [bool(endpoint.pods) for endpoint in matrix.endpoints]
        for row in range(len(gates)):
            for cell, columns in matrix.row(row):
                known: dict[tuple[int, bool], Cell] = {}
                for column in columns:
                    outside = not (inside[row] and inside[column])
                    key = gate[column], outside
                    if key not in known:
                        sides = told(gates[row], gates[column], outside=outside)
                        known[key] = _untold(cell, *sides)
                    if row == column:
                        self.cells[row][row] = cell
                        continue
                    left = known[key]
                    if left.allowed or left.undecided:
                        self.cells[row][column] = left
                    if cell.undecided and not left.undecided:
                        self._note(row, column, cell, gates)

    def within(self, number: int) -> Cell:
        """Return what the pods of an end may do to one another."""
        return self.cells.get(number, {}).get(number, NO_CELL)

    def _note(self, row: int, column: int, cell: Cell, gates: Sequence[Doors]) -> None:
        if not within(cell.undecided, gates[row].outward.pods):
            self.unsure.add((row, Direction.EGRESS))
        if not within(cell.undecided, gates[column].inward.pods):
            self.unsure.add((column, Direction.INGRESS))


def _untold(cell: Cell, sure: ConnSet, perhaps: ConnSet) -> Cell:
    """Return what badges leave to be said of a cell; what is there is there whole."""
    return cell._replace(
        allowed=NOTHING if within(cell.allowed, sure) else cell.allowed,
        undecided=NOTHING if within(cell.undecided, perhaps) else cell.undecided,
    )


def as_end(role: str, card: Card) -> str:
    """Return the id of a line's end; ``role``: ``CALLER`` or ``CALLEE``."""
    return card.id if card.frame else role + card.id


class CardMaker:
    """Makes the card of a group of endpoints."""

    def __init__(self, compiled: Compiled, matrix: Table, wires: Wires) -> None:
        self._compiled = compiled
        self._matrix = matrix
        self._wires = wires
        self.own: dict[str, Cell] = {}

    def card(self, group: list[int], gate: Doors) -> Card:
        """Return the card of these endpoints, all with the doors of the first."""
        ends = [self._matrix.endpoints[number] for number in group]
        title, *more = self._words(ends)
        own = self._wires.cells.get(group[0], {}).get(group[-1], NO_CELL)
        inside = ""
        if self._matrix.by is By.NAMESPACE:
            inside = cell_words(self._wires.within(group[0]))
            own = own if len(group) > 1 else NO_CELL
        self.own[ends[0].id] = own
        unsure = self._wires.unsure
        return Card(
            ends[0].id,
            title,
            tuple(filter(None, more)),
            self._count(ends),
            "" if ends[0].kind == "Addresses" else self._frame(ends[0]),
            _badges(gate.inward, "in from", (group[0], Direction.INGRESS) in unsure),
            _badges(gate.outward, "out to", (group[0], Direction.EGRESS) in unsure),
            Direction.INGRESS in gate.walls,
            Direction.EGRESS in gate.walls,
            cell_words(own),
            inside,
            tuple(end.id for end in ends),
        )

    def _count(self, ends: list[Endpoint]) -> str:
        if len(ends) == 1 or self._matrix.by is not By.NAMESPACE:
            return pod_count(ends)
        return f"{len(ends)} namespaces {pod_count(ends)}"

    def _frame(self, end: Endpoint) -> str:
        return "namespaces" if self._matrix.by is By.NAMESPACE else end.namespace

    def _words(self, ends: list[Endpoint]) -> tuple[str, ...]:
        if ends[0].kind == "Addresses":
            return outside_words(self._compiled, ends)
        if self._matrix.by is By.NAMESPACE:
            return (listed([end.namespace for end in ends]),)
        return pods_title(self._compiled, ends), labels_words(self._compiled, ends)


def _badges(side: Openness, way: str, unsure: bool) -> tuple[str, ...]:  # noqa: FBT001 - three words of one sentence
    if side.anyone == ALL:
        return (f"open {way.split(maxsplit=1)[0]}",)
    badges = []
    if side.anyone:
        badges.append(f"{way} anywhere: {conns_words(side.anyone)}")
    if side.pods != side.anyone:
        badges.append(f"{way} any pod: {conns_words(side.pods)}")
    if unsure:
        badges.append(f"{way} any pod: {conns_words(side.perhaps)} ?")
    return tuple(badges)


def cell_words(cell: Cell, mark: Mark = Mark.PLAIN) -> str:
    """Write a cell as its line does: ports, ``*`` if mixed, ``?`` if undecided."""
    parts = _parts(cell, mark)
    return ", ".join(words + ("" if sure else " ?") for words, sure in parts)


def _parts(cell: Cell, mark: Mark) -> Iterator[tuple[str, bool]]:
    star = "*" if cell.mixed else ""
    for conns, sure in ((cell.allowed, True), (cell.undecided, False)):
        if conns:
            yield _ports_words(conns, mark) + star, sure


def _ports_words(conns: ConnSet, mark: Mark) -> str:
    if mark not in {Mark.ADDED, Mark.REMOVED}:
        return conns_words(conns)
    words, left_out = shorter_words(conns)
    return f"{mark}{'all but ' if left_out else ''}{words}"


class Layer(NamedTuple):
    """Flows that are drawn in one way, by the ids of their cards."""

    mark: Mark
    pairs: Pairs


def arranged(
    cards: list[Card],
    layers: Iterable[Layer],
    notes: Iterable[str],
    *,
    pooled: bool,
) -> Picture:
    """Put cards into frames and to the border, and draw what is left to draw.

    ``pooled``: each card is a namespace, and a line has the ports of all lines to
    the same card.
    """
    names = sorted({card.frame for card in cards if card.frame})
    framed = {n: [card for card in cards if card.frame == n] for n in names}
    for of_frame in framed.values():
        of_frame.sort(key=lambda card: (card.title, card.id))
    frame_ids = {f"ns/{n}": tuple(c.id for c in framed[n]) for n in names}
    among: dict[str, list[str]] = defaultdict(list)
    lines: list[Line] = []
    for mark, pairs in layers:
        bundled = bundle(pairs, {} if pooled else frame_ids)
        lines += _lines(bundled.lines, mark, pooled=pooled)
        for frame, cell in bundled.among.items():
            among[frame].append(cell_words(cell, mark))
    outside = [card for card in cards if not card.frame]
    sources = {line.source for line in lines}
    targets = {line.target for line in lines}
    return Picture(
        "Who can reach whom",
        tuple(
            _moved(CALLER, card) for card in outside if as_end(CALLER, card) in sources
        ),
        tuple(
            Frame(f"ns/{n}", n, tuple(framed[n]), ", ".join(among[f"ns/{n}"]))
            for n in names
        ),
        tuple(
            _moved(CALLEE, card) for card in outside if as_end(CALLEE, card) in targets
        ),
        tuple(sorted(lines)),
        tuple(notes),
    )


def _lines(pairs: Pairs, mark: Mark, *, pooled: bool) -> Iterator[Line]:
    """Yield the lines; ``pooled``: with the ports of all lines to the same card."""
    shared: dict[str, Cell] = {}
    for (_, target), cell in pairs.items():
        there = shared.get(target, NO_CELL)
        shared[target] = Cell(
            there.allowed | cell.allowed,
            there.undecided | cell.undecided,
            there.mixed or cell.mixed,
        )
    for (source, target), cell in sorted(pairs.items(), key=lambda pair: pair[0]):
        if not pooled:
            for words, sure in _parts(cell, mark):
                yield Line(source, target, words, sure, mark)
            continue
        pool = shared[target]
        conns = pool.allowed if cell.allowed else pool.undecided
        words = _ports_words(conns, mark) + ("*" if pool.mixed else "")
        yield Line(source, target, words, bool(cell.allowed), mark)


def _moved(role: str, card: Card) -> Card:
    return Card(role + card.id, card.title, card.details, members=card.members)
