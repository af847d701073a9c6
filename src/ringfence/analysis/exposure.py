"""What is open to pods that do not exist yet, and to addresses outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import reduce
from operator import and_
from typing import NamedTuple

from ringfence.analysis.matrix import By, Cell, Endpoint, Matrix
from ringfence.analysis.strangers import Strangers, invite
from ringfence.engine.allpairs.classes import Outside, joined, pod_classes
from ringfence.engine.compiled import Compiled, PeerSelector
from ringfence.engine.compiler import compile_cluster
from ringfence.model.flow import Direction, IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.sets.conns import NOTHING, ConnSet

NOBODY = Cell(NOTHING, NOTHING)


class Audience(Enum):
    """Who an end is open to, widest first."""

    ANYWHERE = "any pod of any namespace"
    NAMESPACE = "any pod of its namespace"
    MEANT = "pods that a rule's selectors mean"
    ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Connections that an endpoint takes from (or may send to) an audience.

    ``mixed``: not for all of its pods. ``selector`` says which pods are meant,
    ``cidrs`` which addresses.
    """

    endpoint: Endpoint
    direction: Direction
    audience: Audience
    conns: ConnSet
    mixed: bool = False
    selector: PeerSelector | None = None
    cidrs: tuple[IPNetwork, ...] = ()


def exposure(compiled: Compiled) -> list[Exposure]:
    """Return what each workload is open to, by id, direction and audience.

    A stranger's address is unknown: what an ipBlock allows some addresses only
    is open to these, not to any pod. Undecided connections are left out.
    """
    tried, strangers = trial(compiled)
    matrix = Matrix(tried, By.WORKLOAD)
    every = strangers.every
    alike = _alike(tried, matrix, every)
    firsts = {numbers[0] for numbers in alike}
    found = _Cells(matrix, every, firsts)
    opened: dict[int, list[Exposure]] = {}
    for numbers in alike:
        of_first = [
            one
            for direction in Direction
            for one in _End(tried, found, strangers, numbers[0], direction).exposures()
        ]
        for number in numbers:
            endpoint = matrix.endpoints[number]
            opened[number] = [replace(one, endpoint=endpoint) for one in of_first]
    return [one for number in sorted(opened) for one in opened[number]]


def _alike(
    compiled: Compiled, matrix: Matrix, strangers: set[ObjectKey]
) -> list[list[int]]:
    """Return the numbers of endpoints but strangers, together where pods are alike."""
    classes = enumerate(pod_classes(compiled))
    class_of = {pod: number for number, pods in classes for pod in pods}
    found: dict[frozenset[int], list[int]] = defaultdict(list)
    for number, endpoint in enumerate(matrix.endpoints):
        if endpoint.pods and endpoint.pods[0] not in strangers:
            found[frozenset(class_of[pod] for pod in endpoint.pods)].append(number)
    return list(found.values())


def trial(compiled: Compiled) -> tuple[Compiled, Strangers]:
    """Return the cluster with strangers in it, compiled for the same profile."""
    strangers = invite(compiled)
    tried = compile_cluster(strangers.cluster)
    return replace(tried, profile=compiled.profile), strangers


class _Cells:
    """The cells between strangers or addresses and some other endpoints."""

    def __init__(
        self, matrix: Matrix, strangers: set[ObjectKey], others: set[int]
    ) -> None:
        self.matrix = matrix
        self.number = {
            endpoint.pods[0]: number
            for number, endpoint in enumerate(matrix.endpoints)
            if endpoint.pods and endpoint.pods[0] in strangers
        }
        self.outside = [
            number for number, endpoint in enumerate(matrix.endpoints) if endpoint.cidrs
        ]
        ends = {*self.number.values(), *self.outside}
        self._cells: dict[tuple[Direction, int], dict[int, Cell]] = defaultdict(dict)
        for row in ends:
            for stretch in matrix.row(row):
                for column in others.intersection(stretch.columns):
                    self._cells[Direction.INGRESS, column][row] = stretch.cell
        for row in others:
            self._cells[Direction.EGRESS, row] = {
                column: stretch.cell
                for stretch in matrix.row(row)
                for column in ends.intersection(stretch.columns)
            }
        self._joined: dict[tuple[int, ...], tuple[IPNetwork, ...]] = {}

    def addresses(self, outside: tuple[int, ...]) -> tuple[IPNetwork, ...]:
        """Return the networks of several outside endpoints, as few as can be."""
        if outside not in self._joined:
            cidrs = [n for one in outside for n in self.matrix.endpoints[one].cidrs]
            whole = Outside(tuple(cidrs), cidrs[0].network_address)
            self._joined[outside] = joined([whole])
        return self._joined[outside]

    def of(self, direction: Direction, end: int) -> dict[int, Cell]:
        """Return what an end takes from strangers and addresses, or sends to them."""
        return self._cells[direction, end]


class _End(NamedTuple):
    """One direction of one endpoint."""

    compiled: Compiled
    found: _Cells
    strangers: Strangers
    number: int
    direction: Direction

    @property
    def endpoint(self) -> Endpoint:
        return self.found.matrix.endpoints[self.number]

    def exposures(self) -> Iterator[Exposure]:
        """Yield what the end is open to, the widest audience first."""
        near = self.strangers.near[self.endpoint.namespace]
        anywhere = self._all_of([*self.strangers.anywhere, *near])
        here = self._all_of(near)
        if anywhere.allowed:
            yield self._open(Audience.ANYWHERE, anywhere)
        if here.allowed - anywhere.allowed:
            yield self._open(Audience.NAMESPACE, here)
        for selector in self._selectors():
            stranger = self.strangers.meant.get(selector)
            if stranger is None:
                continue
            known = here if stranger.namespace == self.endpoint.namespace else anywhere
            cell = self._all_of([stranger])
            if cell.allowed - known.allowed:
                yield replace(self._open(Audience.MEANT, cell), selector=selector)
        yield from self._addresses()

    def _all_of(self, pods: Iterable[ObjectKey]) -> Cell:
        """Return what all of these pods have in common."""
        known, number = self.found.of(self.direction, self.number), self.found.number
        cells = [known.get(number[key], NOBODY) for key in pods]
        allowed = reduce(and_, (cell.allowed for cell in cells))
        return Cell(allowed, NOTHING, any(cell.mixed for cell in cells))

    def _open(self, audience: Audience, cell: Cell) -> Exposure:
        return Exposure(
            self.endpoint, self.direction, audience, cell.allowed, cell.mixed
        )

    def _selectors(self) -> Iterable[PeerSelector]:
        """Return the selectors of the peers in the endpoint's rules, once."""
        sets = (
            self.compiled.policy_set(self.direction, pod) for pod in self.endpoint.pods
        )
        return dict.fromkeys(
            peer.target
            for policy_set in sets
            for rule in (policy_set.rules if policy_set else ())
            for peer in rule.peers or ()
            if isinstance(peer.target, PeerSelector)
        )

    def _addresses(self) -> Iterator[Exposure]:
        by_cell: dict[Cell, list[int]] = defaultdict(list)
        known = self.found.of(self.direction, self.number)
        for outside in self.found.outside:
            cell = known.get(outside, NOBODY)
            if cell.allowed:
                by_cell[cell._replace(undecided=NOTHING)].append(outside)
        for cell, parts in by_cell.items():
            opened = self._open(Audience.ADDRESSES, cell)
            yield replace(opened, cidrs=self.found.addresses(tuple(parts)))
