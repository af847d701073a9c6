"""Sets of connections: ranges of ports by protocol, and what has no ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Range = tuple[int, int]
"""Inclusive on both sides."""

LAST_PORT = 65535
EVERY_PORT: tuple[Range, ...] = ((0, LAST_PORT),)


@dataclass(frozen=True, slots=True)
class ConnSet:
    """Ports 0-65535 of each protocol, and whether everything else is in.

    ``ports`` is sorted by protocol, each with sorted disjoint ranges that do
    not touch; protocols without any port are left out. ``other`` stands for
    every protocol that has no ports here.
    """

    ports: tuple[tuple[str, tuple[Range, ...]], ...] = ()
    other: bool = False

    def __bool__(self) -> bool:
        """Whether there is any connection in the set."""
        return bool(self.ports) or self.other

    def __or__(self, more: ConnSet) -> ConnSet:
        """Return the union."""
        ranges: dict[str, list[Range]] = {}
        for protocol, of_protocol in (*self.ports, *more.ports):
            ranges.setdefault(protocol, []).extend(of_protocol)
        return conn_set(ranges, other=self.other or more.other)

    def __sub__(self, less: ConnSet) -> ConnSet:
        """Return what is here and not there."""
        holes = dict(less.ports)
        ranges = {name: _without(of, holes.get(name, ())) for name, of in self.ports}
        return conn_set(ranges, other=self.other and not less.other)

    def __and__(self, other: ConnSet) -> ConnSet:
        """Return the intersection."""
        theirs = dict(other.ports)
        ranges = {
            protocol: [
                (max(low, start), min(high, end))
                for low, high in mine
                for start, end in theirs.get(protocol, ())
                if low <= end and start <= high
            ]
            for protocol, mine in self.ports
        }
        return conn_set(ranges, other=self.other and other.other)

    def holds(self, protocol: str, port: int) -> bool:
        """Whether one port of one protocol is in the set."""
        return any(
            low <= port <= high
            for name, of_protocol in self.ports
            if name == protocol
            for low, high in of_protocol
        )

    def is_all(self, protocols: Iterable[str]) -> bool:
        """Whether every port of these protocols, and all else, is in the set."""
        mine = dict(self.ports)
        return self.other and all(mine.get(name) == EVERY_PORT for name in protocols)


NOTHING = ConnSet()


def conn_set(ranges: Mapping[str, Iterable[Range]], *, other: bool) -> ConnSet:
    """Return the canonical set of these ranges, in any order, overlapping or not."""
    canonical = ((name, merge(of)) for name, of in sorted(ranges.items()))
    return ConnSet(tuple((name, of) for name, of in canonical if of), other)


def _without(ranges: Iterable[Range], holes: tuple[Range, ...]) -> list[Range]:
    """Return what of disjoint ranges lies in no hole; holes are sorted."""
    rest: list[Range] = []
    for low, high in ranges:
        start = low
        for first, last in holes:
            if first > start:
                rest.append((start, min(high, first - 1)))
            start = max(start, last + 1)
            if start > high:
                break
        rest.append((start, high))
    return [(low, high) for low, high in rest if low <= high]


def merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return sorted disjoint ranges; those that touch become one."""
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
