"""What each source may bring to which destinations, source after source.

Stations stand in the order of their addresses, and a block is a run of them: from
one source to the next little changes, however many blocks there are. So what
changes is kept, and now and then the state, from which the next ones are made.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from typing import TypeAlias

from ringfence.engine.allpairs.masks import chosen

Taken: TypeAlias = dict[int, int]
"""Connections (a mask of atoms) to the stations (a mask) that take just them."""

_STRIDE = 32
"""How many changes at most lie between two states that are kept."""


class Incoming:
    """The destinations that take something from a source, for every source."""

    def __init__(self, entries: Mapping[tuple[int, int], int], width: int) -> None:
        """Take, by connections and sources, the destinations that take them.

        No two entries of the same source have a destination in common. ``width``
        is the number of stations.
        """
        changes: dict[int, list[tuple[int, int]]] = defaultdict(list)
        numbers = range(width + 1)
        for (conns, sources), stations in entries.items():
            for at in chosen(numbers, sources ^ (sources << 1)):
                changes[at].append((conns, stations))
        self._changes = [(at, changes[at]) for at in sorted(changes)]
        self._keep()

    def _keep(self) -> None:
        """Walk along the sources once, and keep a state now and then."""
        self._starts: list[int] = [-1]
        self._states: list[tuple[int, Taken]] = [(0, {})]
        state: Taken = {}
        walked = 0
        for number, (at, changes) in enumerate(self._changes):
            _change(state, changes)
            walked += len(changes)
            if walked >= _STRIDE:
                self._starts.append(at)
                self._states.append((number + 1, dict(state)))
                walked = 0

    def of(self, source: int) -> Taken:
        """Return who takes what from a source; the caller does not change it."""
        following, kept = self._states[bisect_right(self._starts, source) - 1]
        state = kept
        for at, changes in self._changes[following : following + _STRIDE]:
            if at > source:
                break
            if state is kept:
                state = dict(kept)
            _change(state, changes)
        return state


def _change(state: Taken, changes: list[tuple[int, int]]) -> None:
    """Let some destinations take these connections, or no longer take them."""
    for conns, stations in changes:
        left = state.get(conns, 0) ^ stations
        if left:
            state[conns] = left
        else:
            del state[conns]
