"""Who reaches whom over the classes of a cluster, row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ringfence.engine.allpairs.atoms import port_atoms_of
from ringfence.engine.allpairs.classes import (
    Outside,
    address_cuts,
    outside_classes,
    pod_classes,
)
from ringfence.engine.allpairs.masks import chosen, mask_of
from ringfence.engine.allpairs.rows import Parts, Rows, index_stations
from ringfence.engine.compiled import Compiled
from ringfence.engine.evaluate import exemption
from ringfence.engine.stations import Sighting, Station, sighting
from ringfence.model.flow import AddressEnd, End, PodEnd
from ringfence.model.meta import ObjectKey
from ringfence.sets.conns import ConnSet

Conns: TypeAlias = tuple[int, int]
"""Connections as masks of atoms: for certain, and possibly."""

NOTHING: Conns = (0, 0)

Row: TypeAlias = dict[Conns, list[int]]
"""Connections to the classes that are reached by just them, in no order."""


@dataclass(frozen=True, slots=True)
class EndClass:
    """Ends that no policy tells apart: pods (sorted), or a part of the outside."""

    pods: tuple[ObjectKey, ...]
    outside: Outside | None = None


class Reach(NamedTuple):
    """What is allowed between two ends, and what cannot be decided."""

    allowed: ConnSet
    undecided: ConnSet


class Reachability:
    """The classes of a compiled cluster and their rows.

    A row says what one end of a class reaches at an end of each class; for its
    own class that is another end of it. Rows of outside classes leave the
    outside out: a flow without a pod is none of ours.
    """

    def __init__(self, compiled: Compiled) -> None:
        cuts = address_cuts(compiled.cluster)
        classes = [EndClass(pods) for pods in pod_classes(compiled, cuts)]
        classes += [EndClass((), part) for part in outside_classes(compiled, cuts)]
        self._compiled = compiled
        sightings = [sighting(compiled, _end(one)) for one in classes]
        stations = list(map(self._stations_of, sightings))
        index = index_stations(
            (station, number)
            for number, of_class in enumerate(stations)
            for station in of_class
        )
        # Each class is one station: one family, one address each.
        self._plain = len(index.stations) == len(classes)
        if self._plain:
            # A class gets the number of its station, so that their masks are the same.
            classes = [classes[owner] for owner in index.owners]
            sightings = [sightings[owner] for owner in index.owners]
            stations = [[station] for station in index.stations]
            index = replace(index, owners=tuple(range(len(classes))))
        self.classes = tuple(classes)
        self._sightings, self._stations, self._index = sightings, stations, index
        self._rows = Rows(compiled, self._index, port_atoms_of(compiled))
        self._words: dict[int, ConnSet] = {}

    def conns(self, mask: int) -> ConnSet:
        """Return the set of connections behind a mask; equal masks, equal object."""
        found = self._words.get(mask)
        if found is None:
            found = self._words[mask] = self._rows.atoms.conns(mask)
        return found

    def reach(self, conns: Conns) -> Reach:
        """Return what two masks say: allowed, and undecided beyond that."""
        certain, possible = conns
        return Reach(self.conns(certain), self.conns(possible & ~certain))

    @property
    def decided(self) -> bool:
        """Whether no missing fact can make a difference to any row."""
        return self._rows.decided and self._plain and not self._on_nodes

    def masks(self, source: int) -> dict[Conns, int]:
        """Return what ``row`` does, the classes reached as the bits of a number."""
        if self._plain and not self._on_nodes:
            everyone = self._index.everyone
            inside = self.classes[source].outside is None
            return self._plain_row(source, everyone if inside else ~self._outside)
        width = len(self.classes)
        return {
            conns: mask_of(targets, width)
            for conns, targets in self.row(source).items()
        }

    def row(self, source: int) -> Row:
        """Return what a class reaches; what it does not reach is absent."""
        if self.classes[source].outside is not None:
            return self._row(source, self._index.everyone & ~self._outside)
        row = self._row(source, self._index.everyone)
        exempt = dict(self._exempt(source, row))
        return _replaced(row, exempt) if exempt else row

    def outside_alike(self) -> list[list[int]]:
        """Return the classes of the outside, together those that no pod tells apart."""
        told: dict[int, list[int]] = defaultdict(list)
        for way, mask in enumerate(self._outside_told()):
            # The few that differ, be they in or out, tell as much as all.
            small = min(mask, self._outside ^ mask, key=int.bit_count)
            for station in chosen(self._index.owners, small):
                told[station].append(way)
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number in chosen(self._index.owners, self._outside):
            alike[tuple(told.get(number, ()))].append(number)
        return list(alike.values())

    def _outside_told(self) -> dict[int, None]:
        """Return the masks of outside stations that some pod tells from the others."""
        families = [frozenset(of.family for of in some) for some in self._stations]
        reached = {of: self._rows.of_families(of) for of in set(families)}
        masks: dict[int, None] = {}
        for stations, sides in self._rows.ways():
            pods = chosen(self._index.owners, stations & ~self._outside)
            for of_pod in {families[number] for number in pods}:
                among = self._outside & reached[of_pod]
                for parts in sides:
                    masks.update((at & among, None) for c, at in parts.items() if c)
        return masks

    def _row(self, source: int, among: int) -> Row:
        if self._plain:
            plain = self._plain_row(source, among)
            numbers = range(len(self.classes))
            return {conns: list(chosen(numbers, at)) for conns, at in plain.items()}
        by_family = {
            station.family: self._family_row(source, station.family, among)
            for station in self._stations[source]
        }
        row: Row = defaultdict(list)
        for target, conns in self._combined(source, by_family).items():
            row[conns].append(target)
        return row

    def _plain_row(self, number: int, among: int) -> dict[Conns, int]:
        certain, possible = self._rows.row(number, among)
        if certain is possible:
            return {(conns, conns): at for conns, at in certain.items()}
        row: dict[Conns, int] = {}
        for perhaps, there in possible.items():
            rest = there
            for sure, at in certain.items():
                if at & there:
                    row[sure, perhaps] = at & there
                    rest &= ~at
            if rest:
                row[0, perhaps] = rest
        return row

    def _stations_of(self, seen: Sighting) -> list[Station]:
        families = seen.families or self._compiled.families
        return [station for family in families for station in seen.stations(family)]

    def _family_row(self, source: int, family: int, among: int) -> dict[int, Conns]:
        """Return what a class reaches over one family: any of its addresses."""
        found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for number in self._numbers[source]:
            if self._index.stations[number].family == family:
                for side, parts in enumerate(self._rows.row(number, among)):
                    self._collect(found, side, parts)
        return {key: (certain, possible) for key, (certain, possible) in found.items()}

    def _collect(self, found: dict[int, list[int]], side: int, parts: Parts) -> None:
        for conns, destinations in parts.items():
            for owner in chosen(self._index.owners, destinations):
                found[owner][side] |= conns

    def _combined(
        self, source: int, by_family: Mapping[int, dict[int, Conns]]
    ) -> dict[int, Conns]:
        """Join the families: alternatives where known, else what all agree on."""
        row: dict[int, Conns] = {}
        for target in {key for of_family in by_family.values() for key in of_family}:
            cases = self._cases(source, target)
            answers = [
                by_family.get(family, {}).get(target, NOTHING)
                for family in cases or by_family
            ]
            row[target] = _any(answers) if cases is None else _agreed(answers)
        return row

    def _cases(self, source: int, target: int) -> Iterable[int] | None:
        """Return the families to be agreed on, None where both ends are known."""
        one, other = self._sightings[source], self._sightings[target]
        if one.families is not None and other.families is not None:
            return None
        return one.families or other.families or self._compiled.families

    def _exempt(self, source: int, row: Row) -> Iterator[tuple[int, Conns]]:
        """Yield what no policy can stop: a pod and the node it runs on."""
        full = self._rows.atoms.full
        mine = self._stations[source]
        for target in self._beside_nodes(source):
            theirs = self._stations[target]
            if {s.family for s in mine}.isdisjoint(s.family for s in theirs):
                continue
            exempt = exemption(mine[0], theirs[0])
            if exempt:
                yield target, (full, full)
            elif exempt is None:
                certain = next((c[0] for c, to in row.items() if target in to), 0)
                yield target, (certain, full)

    def _beside_nodes(self, source: int) -> Iterable[int]:
        """Return the classes that may be on the same node, one end being the node."""
        if self._sightings[source].on_a_node:
            return [
                number
                for number, seen in enumerate(self._sightings)
                if seen.pod is not None
            ]
        return self._on_nodes if self._sightings[source].pod is not None else ()

    @cached_property
    def _on_nodes(self) -> tuple[int, ...]:
        return tuple(n for n, seen in enumerate(self._sightings) if seen.on_a_node)

    @cached_property
    def _outside(self) -> int:
        """The stations of outside classes."""
        return mask_of(
            (
                number
                for number, owner in enumerate(self._index.owners)
                if self.classes[owner].outside is not None
            ),
            len(self._index.owners),
        )

    @cached_property
    def _numbers(self) -> dict[int, list[int]]:
        """The station numbers of each class."""
        numbers: dict[int, list[int]] = defaultdict(list)
        for number, owner in enumerate(self._index.owners):
            numbers[owner].append(number)
        return numbers


def _end(one: EndClass) -> End:
    """Return an end that stands for its class."""
    if one.outside is None:
        return PodEnd(one.pods[0])
    return AddressEnd(one.outside.address)


def _replaced(row: Row, other: Mapping[int, Conns]) -> Row:
    """Return a row with other connections to some classes."""
    kept: Row = defaultdict(list)
    for conns, targets in row.items():
        kept[conns] = [target for target in targets if target not in other]
    for target, conns in other.items():
        kept[conns].append(target)
    return {conns: targets for conns, targets in kept.items() if targets}


def _any(answers: Iterable[Conns]) -> Conns:
    certain = possible = 0
    for sure, perhaps in answers:
        certain |= sure
        possible |= perhaps
    return certain, possible


def _agreed(answers: list[Conns]) -> Conns:
    certain, possible = answers[0]
    for sure, perhaps in answers[1:]:
        certain &= sure
        possible |= perhaps
    return certain, possible
