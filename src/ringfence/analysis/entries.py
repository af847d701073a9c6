"""Where entry points lead, and whom policies let follow them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ringfence.analysis.exposure import trial
from ringfence.analysis.gateways import Door, doors
from ringfence.analysis.matrix import By, Cell, Matrix
from ringfence.engine.allpairs.classes import Outside, joined
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPNetwork, PodEnd, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import Outcome
from ringfence.questions.reference import PortRef
from ringfence.questions.resolve import UnknownEndpointError, service_targets
from ringfence.sets.conns import NOTHING

_NOBODY = Cell(NOTHING, NOTHING)


class Spot(NamedTuple):
    """A port of a pod that a backend's port leads to."""

    pod: ObjectKey
    protocol: Protocol
    port: int


class Audience(NamedTuple):
    """Whom policies let in: pods whatever their labels, and addresses outside.

    ``cidrs`` are let in, ``undecided`` may be.
    """

    any_pod: Outcome
    own_namespace: Outcome
    cidrs: tuple[IPNetwork, ...] = ()
    undecided: tuple[IPNetwork, ...] = ()


class Landing(NamedTuple):
    """Pods where a way ends, on one port, which let the same audience in."""

    pods: tuple[ObjectKey, ...]
    protocol: Protocol
    port: int
    audience: Audience


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: ``notes`` say why (a part of) it leads nowhere."""

    door: Door
    landings: tuple[Landing, ...] = ()
    notes: tuple[str, ...] = ()


def entries(compiled: Compiled) -> list[Entry]:
    """Return each way that an entry point offers, by kind, name and order written.

    Entry points are Ingresses, routes of Gateways, and Services of the types
    LoadBalancer and NodePort. Policies are asked about the pods behind them:
    whether they take connections on their target ports from any pod and from
    addresses outside.
    """
    found = [_leading(compiled.cluster, door) for door in doors(compiled.cluster)]
    spots = {spot for _, of_door, _ in found for spot in of_door}
    audiences = _Audiences(compiled, spots).of if spots else {}
    return [
        Entry(door, tuple(_landings(audiences, of_door)), notes)
        for door, of_door, notes in found
    ]


def _leading(
    cluster: Cluster, door: Door
) -> tuple[Door, tuple[Spot, ...], tuple[str, ...]]:
    """Return where a door leads, and why (some of) it leads nowhere."""
    if door.service is None:
        return door, (), door.notes
    service = cluster.services.get(door.service)
    if service is None:
        missing = f"there is no Service {door.service}"
        return door, (), (*door.notes, missing)
    try:
        port = PortRef(door.port, door.protocol)
        targets, lacking = service_targets(cluster, service, port)
    except UnknownEndpointError as error:
        return door, (), (*door.notes, str(error))
    spots = (
        Spot(target.end.key, target.protocol, target.port)
        for target in targets
        if isinstance(target.end, PodEnd) and target.port is not None
    )
    return door, tuple(dict.fromkeys(spots)), (*door.notes, *lacking)


def _landings(
    audiences: dict[Spot, Audience], spots: Iterable[Spot]
) -> Iterator[Landing]:
    together: dict[tuple[Protocol, int, Audience], list[ObjectKey]] = defaultdict(list)
    for spot in spots:
        together[spot.protocol, spot.port, audiences[spot]].append(spot.pod)
    for (protocol, port, audience), pods in together.items():
        yield Landing(tuple(pods), protocol, port, audience)


class _Audiences:
    """The audience of each spot: what strangers and addresses outside reach of it."""

    def __init__(self, compiled: Compiled, spots: set[Spot]) -> None:
        tried, self._strangers = trial(compiled)
        self._matrix = Matrix(tried, By.POD)
        ends = self._matrix.endpoints
        self._number = {end.pods[0]: n for n, end in enumerate(ends) if end.pods}
        self._outside = [number for number, end in enumerate(ends) if end.cidrs]
        self._wanted = {self._number[spot.pod] for spot in spots}
        self._rows: dict[int, dict[int, Cell]] = {}
        self.of = {spot: self._audience(spot) for spot in spots}

    def _audience(self, spot: Spot) -> Audience:
        near = self._strangers.near[spot.pod.namespace]
        every = [*self._strangers.anywhere, *near]
        ranges: dict[Outcome, list[IPNetwork]] = defaultdict(list)
        for number in self._outside:
            answer = self._answer(number, spot)
            ranges[answer] += self._matrix.endpoints[number].cidrs
        return Audience(
            _all(self._answer(self._number[key], spot) for key in every),
            _all(self._answer(self._number[key], spot) for key in near),
            _joined(ranges[Outcome.ALLOW]),
            _joined(ranges[Outcome.UNDECIDED]),
        )

    def _answer(self, source: int, spot: Spot) -> Outcome:
        cell = self._row(source).get(self._number[spot.pod], _NOBODY)
        if cell.allowed.holds(spot.protocol.value, spot.port):
            return Outcome.ALLOW
        perhaps = cell.undecided.holds(spot.protocol.value, spot.port)
        return Outcome.UNDECIDED if perhaps else Outcome.DENY

    def _row(self, source: int) -> dict[int, Cell]:
        """Return what a source reaches of the pods that are asked about."""
        if source not in self._rows:
            self._rows[source] = {
                column: stretch.cell
                for stretch in self._matrix.row(source)
                for column in self._wanted.intersection(stretch.columns)
            }
        return self._rows[source]


def _all(answers: Iterable[Outcome]) -> Outcome:
    found = set(answers)
    worst = (Outcome.DENY, Outcome.UNDECIDED)
    return next((one for one in worst if one in found), Outcome.ALLOW)


def _joined(networks: list[IPNetwork]) -> tuple[IPNetwork, ...]:
    if not networks:
        return ()
    return joined([Outside(tuple(networks), networks[0].network_address)])
