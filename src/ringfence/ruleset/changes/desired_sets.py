"""The sets whose rows depend on pods, found by what a change may touch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from ringfence.engine.compiled import PeerSelector
from ringfence.model.flow import IPAddress, Protocol
from ringfence.ruleset.changes.edits import Edits
from ringfence.ruleset.changes.transaction import SetType
from ringfence.ruleset.ir import HashSet, Row
from ringfence.ruleset.lowering.basechains import OwnId
from ringfence.ruleset.lowering.elements import (
    ABSENT,
    Content,
    Facts,
    PodSetId,
    key_of,
    pod_set,
)
from ringfence.ruleset.naming import NamedPortsId, PodPeersId

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Filled:
    """A set with what it holds; rows that came and went since the last ``settle``."""

    name: str
    of: PodSetId
    content: Content
    come: list[Row] = field(default_factory=list)
    gone: list[Row] = field(default_factory=list)

    def ask(self, facts: Facts, address: IPAddress) -> bool:
        """Bring one address up to date, and return whether it was not."""
        number = int(address)
        old, new = self.content.get(number, ABSENT), facts.tails(self.of, address)
        if old == new:
            return False
        self.come += [(number, *tail) for tail in new if tail not in old]
        self.gone += [(number, *tail) for tail in old if tail not in new]
        if new:
            self.content[number] = new
        else:
            del self.content[number]
        return True


class PodSets:
    """The sets of a table that pods are in, by name and by what is in them."""

    def __init__(self) -> None:
        self._filled: dict[str, Filled] = {}
        self._own: dict[str, Filled] = {}
        self._peers: defaultdict[PeerSelector, dict[str, Filled]] = defaultdict(dict)
        self._ports: defaultdict[tuple[str, Protocol], dict[str, Filled]] = defaultdict(
            dict
        )
        self._changed: dict[str, Filled] = {}

    def open(self, name: str, of: PodSetId, facts: Facts) -> None:
        """Begin to follow a set, with all that it holds now."""
        filled = self._filled[name] = Filled(name, of, facts.content(of))
        match of:
            case PodPeersId(selectors=selectors):
                for peer in selectors:
                    self._peers[peer][name] = filled
            case NamedPortsId(names=names):
                for port in names:
                    self._ports[port][name] = filled
            case OwnId():
                self._own[name] = filled

    def close(self, name: str) -> None:
        """Forget a set."""
        of = self._filled.pop(name).of
        self._changed.pop(name, None)
        match of:
            case PodPeersId(selectors=selectors):
                for peer in selectors:
                    _forget(self._peers, peer, name)
            case NamedPortsId(names=names):
                for port in names:
                    _forget(self._ports, port, name)
            case OwnId():
                del self._own[name]

    def mentions(self, peer: PeerSelector) -> bool:
        """Whether a set is made of this peer, among others."""
        return peer in self._peers

    def ask_peers(
        self, peer: PeerSelector, addresses: Iterable[IPAddress], facts: Facts
    ) -> None:
        """Bring addresses up to date in the sets that are made of a peer."""
        for address in addresses:
            self._ask(self._peers[peer].values(), address, facts)

    def ask_ports(
        self, port: tuple[str, Protocol], address: IPAddress, facts: Facts
    ) -> None:
        """Bring an address up to date in the sets that resolve a port's name."""
        if port in self._ports:
            self._ask(self._ports[port].values(), address, facts)

    def ask_own(self, address: IPAddress, facts: Facts) -> None:
        """Bring an address up to date in the sets of the base chains."""
        self._ask(self._own.values(), address, facts)

    def ask_all(self, address: IPAddress, facts: Facts) -> None:
        """Bring an address up to date in every set."""
        self._ask(self._filled.values(), address, facts)

    def _ask(self, sets: Iterable[Filled], address: IPAddress, facts: Facts) -> None:
        for filled in sets:
            if filled.of.version == address.version and filled.ask(facts, address):
                self._changed[filled.name] = filled

    def settle(self, edits: Edits) -> None:
        """Say what is different since the last time."""
        for name, filled in self._changed.items():
            type_ = SetType(name, key_of(filled.of), interval=False)
            edits.elements(type_, tuple(filled.come), tuple(filled.gone))
            filled.come, filled.gone = [], []
        self._changed = {}

    def __getitem__(self, name: str) -> HashSet:
        filled = self._filled[name]
        return pod_set(name, filled.of, filled.content)

    def sets(self) -> Iterator[HashSet]:
        """Yield each set as the table holds it."""
        return (self[name] for name in self._filled)


def _forget(index: dict[T, dict[str, Filled]], key: T, name: str) -> None:
    del index[key][name]
    if not index[key]:
        del index[key]
