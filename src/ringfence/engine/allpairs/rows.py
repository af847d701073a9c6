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
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, TypeAlias

from ringfence.engine.allpairs.atoms import Atoms, Ports
from ringfence.engine.allpairs.incoming import Incoming
from ringfence.engine.allpairs.masks import mask_of
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
    ``any_pod`` is the mask of the stations that selectors can mean.
    ``targets`` remembers what has been asked.
    """

    stations: tuple[Station, ...]
    owners: tuple[int, ...]
    of_pod: Mapping[ObjectKey, Sequence[int]]
    families: Mapping[int, tuple[int, Sequence[int], int]]
    any_pod: int
    targets: dict[Target, Pair] = field(default_factory=dict)

    @property
    def everyone(self) -> int:
        """The mask of all stations."""
        return (1 << len(self.stations)) - 1

    def peers(self, compiled: Compiled, rule: CompiledRule) -> Pair:
        """Return the stations that a rule's peers mean; all where there are none."""
        if rule.peers is None:
            return self.everyone, self.everyone
        if len(rule.peers) == 1:
            return self.target(compiled, rule.peers[0].target)
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
        return certain & ~self.any_pod, possible & ~self.any_pod

    def _pods(self, pods: AbstractSet[ObjectKey]) -> int:
        """Return the stations of some pods, which may be fewer or more than ours."""
        few, others = sorted((self.of_pod.keys(), pods), key=len)
        found = (self.of_pod[pod] for pod in few if pod in others)
        return mask_of(chain.from_iterable(found), len(self.stations))

    def _block(self, block: IPBlock) -> Pair:
        family = self.families.get(block.cidr.version)
        if family is None:
            return 0, 0
        mask = self._inside(block.cidr)
        for hole in block.except_:
            mask &= ~self._inside(hole)
        _, _, unknown = family
        if not unknown:
            return mask, mask
        # One unknown address of a family is like the other.
        hit = block_covers(block, self.stations[unknown.bit_length() - 1])
        return mask | (unknown if hit else 0), mask | (
            unknown if hit is not False else 0
        )

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
    of_pod: dict[ObjectKey, list[int]] = defaultdict(list)
    members: dict[int, list[int]] = defaultdict(list)
    for number, (station, _) in enumerate(ordered):
        members[station.family].append(number)
        if station.pod is not None:
            of_pod[station.pod.key].append(number)
    found = tuple(station for station, _ in ordered)
    families = {
        family: (
            numbers[0],
            [int(a) for n in numbers if (a := found[n].address) is not None],
            mask_of((n for n in numbers if found[n].address is None), len(found)),
        )
        for family, numbers in members.items()
    }
    owners = tuple(owner for _, owner in ordered)
    any_pod = mask_of(chain.from_iterable(of_pod.values()), len(found))
    return StationIndex(found, owners, dict(of_pod), families, any_pod)


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
        self._everyone = index.everyone
        everything = {atoms.full: self._everyone}
        self._everything = Sides(everything, everything)
        self._families = {
            family: (((1 << len(numbers)) - 1) << first) | unknown
            for family, (first, numbers, unknown) in index.families.items()
        }
        self._profiles = self._port_profiles()
        self._egress: dict[int, Sides] = {}
        self.decided = all(map(self._is_decided, compiled.rules))
        self._open, self._takers = self._ingress_takers()
        self._accepted = list(map(self._accepts, self._takers))
        certain = self._turned(0)
        self._incoming = (certain, certain if self.decided else self._turned(1))

    def row(self, source: int, among: int) -> Sides:
        """Return what a source station reaches among some stations (a mask).

        Destinations that it does not reach are absent.
        """
        station = self.index.stations[source]
        egress = self._egress_of(station)
        among &= self._families[station.family]
        sure, perhaps = self._incoming
        certain = self._intersect(egress.certain, sure.of(source), among)
        if self.decided:
            return Sides(certain, certain)
        possible = self._intersect(egress.possible, perhaps.of(source), among)
        return Sides(certain, possible)

    def _intersect(self, egress: Parts, taken: Parts, among: int) -> Parts:
        row: Parts = defaultdict(int)
        full = self.atoms.full
        for sent, destinations in egress.items():
            within = destinations & among
            if sent and within & self._open:
                row[sent & full] |= within & self._open
            for conns, takers in taken.items():
                if sent & conns and (both := within & takers):
                    row[sent & conns] |= both
        return row

    def _is_decided(self, rule: CompiledRule) -> bool:
        """Whether a rule means the same for certain and possibly, everywhere."""
        sure, perhaps = self._rule_peers(rule)
        if sure != perhaps:
            return False
        return not names_ports(rule) or None not in self._profiles

    def _port_profiles(self) -> dict[Ports, int]:
        """Return the stations by the ports they declare, for names in egress rules."""
        profiles: dict[Ports, list[int]] = defaultdict(list)
        for number, station in enumerate(self.index.stations):
            profiles[station.pod.ports if station.pod else ()].append(number)
        return {ports: self._mask(numbers) for ports, numbers in profiles.items()}

    def _mask(self, numbers: Iterable[int]) -> int:
        return mask_of(numbers, len(self.index.stations))

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
            return self._everything
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
        parts: Parts = {0: self._everyone}
        for rule in policy_set.rules:
            peers = self._rule_peers(rule)[side]
            for ports, stations in self._destinations(rule):
                conns = self.atoms.rule(rule, ports)[side]
                parts = refine(parts, peers & stations, conns)
        return parts

    def _destinations(self, rule: CompiledRule) -> Iterable[tuple[Ports, int]]:
        if not names_ports(rule):
            return [((), self._everyone)]
        return self._profiles.items()

    def _ingress_takers(self) -> tuple[int, list[Takers]]:
        """Return the stations that take everything, and the others by their sets."""
        open_: list[int] = []
        takers: dict[tuple[int, Ports], tuple[PolicySet, list[int]]] = {}
        for number, station in enumerate(self.index.stations):
            policy_set = (
                self._compiled.policy_set(Direction.INGRESS, station.pod.key)
                if station.pod
                else None
            )
            if policy_set is None or station.pod is None:
                open_.append(number)
                continue
            named = any(map(names_ports, policy_set.rules))
            ports = station.pod.ports if named else ()
            takers.setdefault((id(policy_set), ports), (policy_set, []))[1].append(
                number
            )
        found = [
            Takers(policy_set, ports, self._mask(numbers))
            for (_, ports), (policy_set, numbers) in takers.items()
        ]
        return self._mask(open_), found

    def _turned(self, side: int) -> Incoming:
        """Turn ingress round: what each source may bring to which destinations."""
        entries: dict[tuple[int, int], int] = defaultdict(int)
        for taker, parts in zip(self._takers, self._accepted, strict=True):
            for conns, sources in parts[side].items():
                if conns:
                    entries[conns, sources] |= taker.stations
        return Incoming(entries, len(self.index.stations))

    def _accepts(self, taker: Takers) -> Sides:
        certain = self._accepts_side(taker, 0)
        return Sides(certain, certain if self.decided else self._accepts_side(taker, 1))

    def _accepts_side(self, taker: Takers, side: int) -> Parts:
        parts: Parts = {0: self._everyone}
        for rule in taker.policy_set.rules:
            mask = self.atoms.rule(rule, taker.ports)[side]
            parts = refine(parts, self._rule_peers(rule)[side], mask)
        return parts

    def of_families(self, families: Iterable[int]) -> int:
        """Return the stations of some IP versions."""
        return sum(self._families[family] for family in families)

    def ways(self) -> Iterator[tuple[int, Sides]]:
        """Yield stations that treat others alike, and how: what they take, or send.

        Every station is in one of each.
        """
        yield self._open, self._everything
        for taker, sides in zip(self._takers, self._accepted, strict=True):
            yield taker.stations, sides
        senders: dict[int, tuple[list[int], Sides]] = {}
        for number, station in enumerate(self.index.stations):
            sides = self._egress_of(station)
            senders.setdefault(id(sides), ([], sides))[0].append(number)
        for numbers, sides in senders.values():
            yield self._mask(numbers), sides


def names_ports(rule: CompiledRule) -> bool:
    """Whether a rule's ports depend on what the destination declares."""
    return any(isinstance(entry.port, str) for entry in rule.ports or ())


def refine(parts: Parts, stations: int, conns: int) -> Parts:
    """Return the parts after some stations gained some connections.

    Each station is in one part, so that the look ends where all were met.
    """
    if not stations or not conns:
        return parts
    refined = dict(parts)
    for mask, members in parts.items():
        hit = members & stations
        if not hit:
            continue
        more = mask | conns
        if more != mask:
            refined[mask] ^= hit
            if not refined[mask]:
                del refined[mask]
            refined[more] = refined.get(more, 0) | hit
        stations ^= hit
        if not stations:
            break
    return refined
