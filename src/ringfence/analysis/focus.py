"""A part of a matrix: flows from or to some ends, or those of one port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol as Shape

from ringfence.analysis.matrix import By, Cell, Endpoint, Matrix, Stretch
from ringfence.engine.allpairs.blocks import policy_blocks
from ringfence.model.cluster import Cluster
from ringfence.model.flow import AddressEnd, End, InternetEnd, PodEnd
from ringfence.sets.cidr import carve
from ringfence.sets.conns import ConnSet


class Table(Shape):
    """What a matrix and a part of one have in common."""

    @property
    def by(self) -> By:
        """What an endpoint is."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Rows and columns, in order."""

    @property
    def decided(self) -> bool:
        """Whether no cell can be undecided."""

    def row(self, row: int) -> list[Stretch]:
        """Return what an endpoint reaches."""

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Yield every cell that holds anything, by row, then column."""


@dataclass(frozen=True, slots=True)
class Focus:
    """Which flows are asked about; None does not restrict.

    ``words`` are the asker's: ``from web, port 80``.
    """

    sources: tuple[End, ...] | None = None
    targets: tuple[End, ...] | None = None
    conns: ConnSet | None = None
    words: str = ""


WHOLE = Focus()


class Part:
    """The flows of a matrix that a focus holds; of the rest it says nothing.

    ``endpoints`` are those asked about and those that flows lead to or come from.
    ``sources`` and ``targets`` are the numbers of the rows and columns asked about.
    """

    def __init__(self, whole: Matrix, cluster: Cluster, focus: Focus) -> None:
        self.by = whole.by
        self.decided = whole.decided
        self.focus = focus
        self._narrowed: dict[Cell, Cell] = {}
        every = range(len(whole.endpoints))
        places = _Places(whole.endpoints, cluster)
        rows = every if focus.sources is None else places.of(focus.sources)
        columns = every if focus.targets is None else places.of(focus.targets)
        found = {row: self._cut(whole.row(row), set(columns)) for row in rows}
        kept = sorted(_kept(focus, rows, columns, found))
        number = {old: new for new, old in enumerate(kept)}
        self.endpoints = tuple(whole.endpoints[old] for old in kept)
        self.sources = tuple(number[row] for row in rows if row in number)
        self.targets = tuple(number[column] for column in columns if column in number)
        self._rows = {
            number[row]: [Stretch(cell, [number[c] for c in at]) for cell, at in row_of]
            for row, row_of in found.items()
            if row in number
        }

    def row(self, row: int) -> list[Stretch]:
        """Return what an endpoint reaches; empty where it was not asked about."""
        return self._rows.get(row, [])

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Yield every cell that holds anything, by row, then column."""
        for row in sorted(self._rows):
            found = [
                (row, c, cell) for cell, columns in self._rows[row] for c in columns
            ]
            yield from sorted(found, key=lambda cell: cell[1])

    def _cut(self, row: list[Stretch], columns: set[int]) -> list[Stretch]:
        """Return the stretches of a row within columns, cut to the port."""
        merged: dict[Cell, list[int]] = defaultdict(list)
        for cell, at in row:
            narrow = self._narrow(cell)
            if narrow.allowed or narrow.undecided:
                merged[narrow] += [column for column in at if column in columns]
        return [Stretch(cell, at) for cell, at in merged.items() if at]

    def _narrow(self, cell: Cell) -> Cell:
        if self.focus.conns is None:
            return cell
        if cell not in self._narrowed:
            self._narrowed[cell] = cell._replace(
                allowed=cell.allowed & self.focus.conns,
                undecided=cell.undecided & self.focus.conns,
            )
        return self._narrowed[cell]


def _kept(
    focus: Focus,
    rows: Iterable[int],
    columns: Iterable[int],
    found: dict[int, list[Stretch]],
) -> set[int]:
    """Return the endpoints of a part: who is asked about, and who has a flow."""
    reached = {c for row in found.values() for _, at in row for c in at}
    if focus.sources is None and focus.targets is None:
        return {*rows, *columns}
    asked_rows = () if focus.sources is None else rows
    asked_columns = () if focus.targets is None else columns
    return {*asked_rows, *asked_columns, *reached, *(r for r in found if found[r])}


class _Places:
    """Where ends stand among endpoints."""

    def __init__(self, endpoints: tuple[Endpoint, ...], cluster: Cluster) -> None:
        self._endpoints = endpoints
        self._cluster = cluster
        self._pods = {
            key: number for number, end in enumerate(endpoints) for key in end.pods
        }

    def of(self, ends: Iterable[End]) -> list[int]:
        """Return the numbers of the endpoints that hold these ends, in order."""
        found: set[int] = set()
        for end in ends:
            match end:
                case PodEnd(key):
                    found.add(self._pods[key])
                case AddressEnd(address):
                    found |= {
                        number
                        for number, endpoint in enumerate(self._endpoints)
                        if any(address in cidr for cidr in endpoint.cidrs)
                    }
                case InternetEnd():
                    found |= set(self._internet())
                case _:
                    continue
        return sorted(found)

    def _internet(self) -> Iterator[int]:
        """Yield the endpoints with addresses that no block but a /0 covers."""
        blocks = [b for b in policy_blocks(self._cluster) if b.prefixlen]
        for number, endpoint in enumerate(self._endpoints):
            if any(carve(cidr, blocks) for cidr in endpoint.cidrs):
                yield number


def focused(whole: Matrix, cluster: Cluster, focus: Focus) -> Table:
    """Return the part of a matrix that a focus holds, the matrix itself for all."""
    return whole if focus == WHOLE else Part(whole, cluster, focus)


def axes(table: Table) -> tuple[Sequence[int], Sequence[int]]:
    """Return the rows and the columns that a table says anything about."""
    if isinstance(table, Part):
        return table.sources, table.targets
    every = range(len(table.endpoints))
    return every, every
