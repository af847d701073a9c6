"""All pairs at once, kept factorised: what each source sends, each destination takes.

Stations (an end in one family) are numbered so that those of one family stand
in the order of their addresses; a set of stations is an integer with one bit a
station, a set of connections one with a bit an atom. Egress is a few
(connections, destinations) parts for each policy-set, ingress a few
(connections, sources) parts; a row is their intersection, made when asked for,
so that the dense matrix never exists.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple, TypeAlias, TypeVar

from ringfence.engine.atoms import Atoms, Ports
from ringfence.engine.compiled import (
    Compiled,
    CompiledRule,
    PeerSelector,
    PolicySet,
    Target,
)
from ringfence.engine.match import block_covers
from ringfence.engine.stations import Station
from ringfence.model.flow import Direction, IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock

Parts: TypeAlias = dict[int, int]
"""Connections (a mask of atoms) to the stations (a mask) that have exactly them."""

Pair: TypeAlias = tuple[int, int]
"""For certain, and possibly; the second holds the first."""


T = TypeVar("T")

_ONE = ord("1")
_DIGITS = bytes.maketrans(b"01", b"\x00\x01")


class Sides(NamedTuple):
    """Parts for certain and possibly; the same object where nothing is unknown."""

    certain: Parts
    possible: Parts


@dataclass(frozen=True, slots=True)
class StationIndex:
    """Numbered stations, and masks of those that peers mean.

    ``owners`` has the number of the class that each station belongs to.
    ``families`` has, for each family, its first station, its known addresses as
    sorted integers, and the mask of its stations without a known address.
    ``targets`` remembers what has been asked.
    """

    stations: tuple[Station, ...]
    owners: tuple[int, ...]
    of_pod: Mapping[ObjectKey, int]
    families: Mapping[int, tuple[int, Sequence[int], int]]
    targets: dict[Target, Pair] = field(default_factory=dict)

    @property
    def everyone(self) -> int:
        """The mask of all stations."""
        return (1 << len(self.stations)) - 1

    def peers(self, compiled: Compiled, rule: CompiledRule) -> Pair:
        """Return the stations that a rule's peers mean; all where there are none."""
        if rule.peers is None:
            return self.everyone, self.everyone
        certain = possible = 0
        for peer in rule.peers:
            sure, perhaps = self.target(compiled, peer.target)
            certain |= sure
            possible |= perhaps
        return certain, possible

    def target(self, compiled: Compiled, target: Target) -> Pair:
        """Return the stations that one peer means; many rules share their peers."""
        found = self.targets.get(target)
        if found is None:
            found = self.targets[target] = self._target(compiled, target)
        return found

    def _target(self, compiled: Compiled, target: Target) -> Pair:
        if isinstance(target, PeerSelector):
            members = compiled.members[target]
            certain = self._pods(members.certain)
            return certain, certain | self._pods(members.possible)
        certain, possible = self._block(target)
        if compiled.profile.blocks_match_pods:
            return certain, possible
        return certain & ~self._any_pod, possible & ~self._any_pod

    @property
    def _any_pod(self) -> int:
        mask = 0
        for stations in self.of_pod.values():
            mask |= stations
        return mask

    def _pods(self, pods: Iterable[ObjectKey]) -> int:
        mask = 0
        for pod in self.of_pod.keys() & pods:
            mask |= self.of_pod[pod]
        return mask

    def _block(self, block: IPBlock) -> Pair:
        family = self.families.get(block.cidr.version)
        if family is None:
            return 0, 0
        mask = self._inside(block.cidr)
        for hole in block.except_:
            mask &= ~self._inside(hole)
        _, _, unknown = family
        rest = unknown
        certain = mask
        while rest:
            bit = rest & -rest
            rest ^= bit
            hit = block_covers(block, self.stations[bit.bit_length() - 1])
            certain |= bit if hit else 0
            mask |= bit if hit is not False else 0
        return certain, mask

    def _inside(self, network: IPNetwork) -> int:
        """Return the stations whose known address lies in a network: a run of bits."""
        if network.version not in self.families:
            return 0
        first, numbers, _ = self.families[network.version]
        low = bisect_left(numbers, int(network.network_address))
        high = bisect_right(numbers, int(network.broadcast_address))
        return ((1 << high) - (1 << low)) << first


def index_stations(
    stations: Iterable[tuple[Station, int]],
) -> StationIndex:
    """Return stations numbered, each given with the class it belongs to.

    Within a family known addresses come first, sorted, then unknown ones.
    """
    ordered = sorted(
        stations,
        key=lambda pair: (
            pair[0].family,
            pair[0].address is None,
            int(pair[0].address or 0),
            pair[1],
        ),
    )
    of_pod: dict[ObjectKey, int] = defaultdict(int)
    members: dict[int, list[int]] = defaultdict(list)
    for number, (station, _) in enumerate(ordered):
        members[station.family].append(number)
        if station.pod is not None:
            of_pod[station.pod.key] |= 1 << number
    found = tuple(station for station, _ in ordered)
    families = {
        family: (
            numbers[0],
            [int(a) for n in numbers if (a := found[n].address) is not None],
            sum(1 << n for n in numbers if found[n].address is None),
        )
        for family, numbers in members.items()
    }
    owners = tuple(owner for _, owner in ordered)
    return StationIndex(found, owners, dict(of_pod), families)


class Takers(NamedTuple):
    """Destinations that answer alike: their policy-set, the ports they declare.

    ``ports`` is empty where no name is looked up among them.
    """

    policy_set: PolicySet
    ports: Ports
    stations: int


class Rows:
    """Every pair of stations of a cluster, row by row.

    Same station, own node and the families' alternatives are the caller's
    business: a row is what policies say of two different stations.
    """

    def __init__(self, compiled: Compiled, index: StationIndex, atoms: Atoms) -> None:
        self.index = index
        self.atoms = atoms
        self._compiled = compiled
        self._peers: dict[int, Pair] = {}
        self._profiles = self._port_profiles()
        self._egress: dict[int, Sides] = {}
        self.decided = all(map(self._is_decided, compiled.rules))
        self._numbers = range(len(index.stations))
        self._takers = self._ingress_takers()
        certain = self._by_source(0)
        self._incoming = (certain, certain if self.decided else self._by_source(1))

    def row(self, source: int, among: int) -> Sides:
        """Return what a source station reaches among some stations (a mask).

        Destinations that it does not reach are absent.
        """
        egress = self._egress_of(self.index.stations[source])
        among &= self._family_mask(source)
        certain = self._intersect(egress.certain, self._incoming[0], source, among)
        if self.decided:
            return Sides(certain, certain)
        possible = self._intersect(egress.possible, self._incoming[1], source, among)
        return Sides(certain, possible)

    def _intersect(
        self, egress: Parts, incoming: _Incoming, source: int, among: int
    ) -> Parts:
        row: Parts = defaultdict(int)
        open_, by_source = incoming
        taken = ((self.atoms.full, open_), *by_source.get(source, ()))
        for sent, destinations in egress.items():
            within = destinations & among
            for conns, takers in taken:
                both = within & takers
                if both and sent & conns:
                    row[sent & conns] |= both
        return row

    def _family_mask(self, source: int) -> int:
        first, numbers, unknown = self.index.families[
            self.index.stations[source].family
        ]
        known = ((1 << len(numbers)) - 1) << first
        return known | unknown

    def _is_decided(self, rule: CompiledRule) -> bool:
        """Whether a rule means the same for certain and possibly, everywhere."""
        sure, perhaps = self._rule_peers(rule)
        if sure != perhaps:
            return False
        return not names_ports(rule) or None not in self._profiles

    def _port_profiles(self) -> dict[Ports, int]:
        """Return the stations by the ports they declare, for names in egress rules."""
        profiles: dict[Ports, int] = defaultdict(int)
        for number, station in enumerate(self.index.stations):
            profiles[station.pod.ports if station.pod else ()] |= 1 << number
        return dict(profiles)

    def _rule_peers(self, rule: CompiledRule) -> Pair:
        found = self._peers.get(id(rule))
        if found is None:
            found = self._peers[id(rule)] = self.index.peers(self._compiled, rule)
        return found

    def _egress_of(self, source: Station) -> Sides:
        policy_set = (
            self._compiled.policy_set(Direction.EGRESS, source.pod.key)
            if source.pod
            else None
        )
        if policy_set is None:
            everything = {self.atoms.full: self.index.everyone}
            return Sides(everything, everything)
        sides = self._egress.get(id(policy_set))
        if sides is None:
            sides = self._egress[id(policy_set)] = self._egress_sides(policy_set)
        return sides

    def _egress_sides(self, policy_set: PolicySet) -> Sides:
        certain = self._egress_side(policy_set, 0)
        return Sides(
            certain, certain if self.decided else self._egress_side(policy_set, 1)
        )

    def _egress_side(self, policy_set: PolicySet, side: int) -> Parts:
        parts: Parts = {0: self.index.everyone}
        for rule in policy_set.rules:
            peers = self._rule_peers(rule)[side]
            for ports, stations in self._destinations(rule):
                conns = self.atoms.rule(rule, ports)[side]
                parts = refine(parts, peers & stations, conns)
        return parts

    def _destinations(self, rule: CompiledRule) -> Iterable[tuple[Ports, int]]:
        if not names_ports(rule):
            return [((), self.index.everyone)]
        return self._profiles.items()

    def _ingress_takers(self) -> tuple[int, list[Takers]]:
        """Return the stations that take everything, and the others by their sets."""
        open_ = 0
        takers: dict[tuple[int, Ports], Takers] = {}
        for number, station in enumerate(self.index.stations):
            policy_set = (
                self._compiled.policy_set(Direction.INGRESS, station.pod.key)
                if station.pod
                else None
            )
            if policy_set is None or station.pod is None:
                open_ |= 1 << number
                continue
            named = any(map(names_ports, policy_set.rules))
            ports = station.pod.ports if named else ()
            known = takers.get((id(policy_set), ports))
            members = (known.stations if known else 0) | 1 << number
            takers[id(policy_set), ports] = Takers(policy_set, ports, members)
        return open_, list(takers.values())

    def _by_source(self, side: int) -> _Incoming:
        """Turn ingress round: what each source may bring to which destinations."""
        open_, takers = self._takers
        # Many sets let the same sources in: those are gone through once.
        alike: dict[tuple[int, int], int] = defaultdict(int)
        for taker in takers:
            parts: Parts = {0: self.index.everyone}
            for rule in taker.policy_set.rules:
                mask = self.atoms.rule(rule, taker.ports)[side]
                parts = refine(parts, self._rule_peers(rule)[side], mask)
            for conns, sources in parts.items():
                alike[conns, sources] |= taker.stations if conns else 0
        by_source: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for (conns, sources), stations in alike.items():
            for source in chosen(self._numbers, sources if conns else 0):
                by_source[source][conns] |= stations
        return open_, {s: tuple(of.items()) for s, of in by_source.items()}


_Incoming: TypeAlias = tuple[int, Mapping[int, tuple[tuple[int, int], ...]]]
"""Stations that take everything; per source, connections and who takes them."""


def names_ports(rule: CompiledRule) -> bool:
    """Whether a rule's ports depend on what the destination declares."""
    return any(isinstance(entry.port, str) for entry in rule.ports or ())


def refine(parts: Parts, stations: int, conns: int) -> Parts:
    """Return the parts after some stations gained some connections."""
    if not stations or not conns:
        return parts
    refined: Parts = defaultdict(int)
    for mask, members in parts.items():
        hit = members & stations
        if hit:
            refined[mask | conns] |= hit
        if hit != members:
            refined[mask] |= members ^ hit
    return refined


def mask_of(numbers: Iterable[int], width: int) -> int:
    """Return the mask of some numbers below ``width``."""
    digits = bytearray(b"0") * max(width, 1)
    for number in numbers:
        digits[-1 - number] = _ONE
    return int(digits, 2)


def chosen(things: Sequence[T], mask: int) -> Iterator[T]:
    """Yield the things whose bits are set, in their order.

    The digits of the mask select them, so that the loop runs in C.
    """
    return compress(things, f"{mask:b}"[::-1].encode().translate(_DIGITS))
