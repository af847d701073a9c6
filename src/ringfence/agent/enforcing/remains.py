"""What is left of cut connections: a server may speak before its client does. Pure.

Connection tracking takes a server's packet for the first one of a connection the
other way round, which policies may well allow. So the table remembers cut ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ringfence.model.flow import Protocol
from ringfence.observe.tracked import Tracked
from ringfence.ruleset.changes.desired import Cuts
from ringfence.ruleset.ir import PROTOCOL_NUMBERS, Row

LASTING_S = 3600.0
"""How long a connection on which nobody speaks is remembered."""

MOST = 16_384
"""Connections that are remembered; beyond, the oldest are forgotten."""

_VERSIONS = {4: 4, 16: 6}
_Remembered = tuple[int, Row]


class Moved(NamedTuple):
    """Rows that come into the table's sets of cut connections, and that go."""

    come: Cuts
    gone: Cuts


class Remains:
    """Cut connections, the oldest first."""

    def __init__(self) -> None:
        self._until: dict[_Remembered, float] = {}

    def add(self, ended: Iterable[Tracked], now: float) -> Moved:
        """Remember connections of TCP; others have nothing that says they go on."""
        come = {key: now + LASTING_S for entry in ended for key in _left_of(entry)}
        for key in come:
            self._until.pop(key, None)
        self._until |= come
        oldest = list(self._until)[: max(0, len(self._until) - MOST)]
        for key in oldest:
            del self._until[key]
        return Moved(_rows(come), _rows(oldest))

    def expire(self, now: float) -> Moved:
        """Forget what was remembered for long enough."""
        gone: list[_Remembered] = []
        for key, until in self._until.items():
            if until > now:
                break
            gone.append(key)
        for key in gone:
            del self._until[key]
        return Moved({}, _rows(gone))


def _left_of(entry: Tracked) -> Iterator[_Remembered]:
    """Yield how the server's next packet looks: addresses and ports of the replies."""
    source, destination, source_port, port = entry.reply
    if entry.protocol != PROTOCOL_NUMBERS[Protocol.TCP]:
        return
    if source_port is not None and port is not None:
        one, other = int.from_bytes(source, "big"), int.from_bytes(destination, "big")
        yield _VERSIONS[len(source)], (one, other, source_port, port)


def _rows(keys: Iterable[_Remembered]) -> Cuts:
    found: defaultdict[int, set[Row]] = defaultdict(set)
    for version, row in keys:
        found[version].add(row)
    return found
