"""What is open to pods that do not exist yet, and to addresses outside.

A pod that may come is tried as strangers: pods without a label, and with each
label that a selector refuses, in a new namespace and in each that is there. What
all of them can do, any pod can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import reduce
from itertools import count
from operator import and_
from typing import TypeAlias

from ringfence.analysis.matrix import By, Cell, Endpoint, Matrix
from ringfence.engine.classes import Outside, joined
from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPNetwork
from ringfence.model.labels import LabelSelector, Operator
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import METADATA_NAME, Namespace, Pod
from ringfence.sets.conns import NOTHING, ConnSet

_REFUSING = frozenset({Operator.NOT_IN, Operator.DOES_NOT_EXIST})


class Audience(Enum):
    """Who an end is open to, widest first."""

    ANYWHERE = "any pod of any namespace"
    NAMESPACE = "any pod of its namespace"
    ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Connections that an endpoint takes from (or may send to) an audience.

    ``mixed``: not for all of its pods. ``cidrs`` are set for addresses only.
    """

    endpoint: Endpoint
    direction: Direction
    audience: Audience
    conns: ConnSet
    mixed: bool = False
    cidrs: tuple[IPNetwork, ...] = ()


Strangers: TypeAlias = Mapping[str, list[Pod]]
"""By namespace; the empty name holds those of namespaces that do not exist yet."""


def exposure(compiled: Compiled) -> list[Exposure]:
    """Return what each workload is open to, by id, direction and audience.

    A stranger's address is unknown: what an ipBlock allows some addresses only
    is open to these, not to any pod. Undecided connections are left out.
    """
    cluster = compiled.cluster
    spaces = {space.name: space for space in _new_namespaces(cluster)}
    strangers = _strangers(cluster, spaces)
    every = {pod.key: pod for pods in strangers.values() for pod in pods}
    widened = replace(
        cluster,
        namespaces={**cluster.namespaces, **spaces},
        pods={**cluster.pods, **every},
    )
    tried = replace(compile_cluster(widened), profile=compiled.profile)
    found = _Cells(Matrix(tried, By.WORKLOAD), set(every))
    return [
        one
        for number, endpoint in enumerate(found.matrix.endpoints)
        if endpoint.pods and endpoint.pods[0] not in every
        for direction in Direction
        for one in _of(found, number, direction, strangers)
    ]


class _Cells:
    """The cells between strangers or addresses and everything else."""

    def __init__(self, matrix: Matrix, strangers: set[ObjectKey]) -> None:
        self.matrix = matrix
        self.number = {
            endpoint.pods[0]: number
            for number, endpoint in enumerate(matrix.endpoints)
            if endpoint.pods and endpoint.pods[0] in strangers
        }
        ends = set(self.number.values()) | set(self.outside())
        self._cells: dict[tuple[int, int], Cell] = {
            (row, column): cell
            for row, column, cell in matrix.cells()
            if row in ends or column in ends
        }

    def outside(self) -> Iterator[int]:
        """Yield the numbers of the outside endpoints."""
        for number, endpoint in enumerate(self.matrix.endpoints):
            if endpoint.cidrs:
                yield number

    def cell(self, end: int, other: int, direction: Direction) -> Cell:
        """Return what an end takes from another, or sends to it."""
        pair = (other, end) if direction is Direction.INGRESS else (end, other)
        return self._cells.get(pair, Cell(NOTHING, NOTHING))


def _of(
    found: _Cells, number: int, direction: Direction, strangers: Strangers
) -> Iterator[Exposure]:
    endpoint = found.matrix.endpoints[number]

    def all_of(pods: Iterable[Pod]) -> Cell:
        cells = [found.cell(number, found.number[p.key], direction) for p in pods]
        allowed = reduce(and_, (cell.allowed for cell in cells))
        return Cell(allowed, NOTHING, any(cell.mixed for cell in cells))

    near = strangers[endpoint.namespace]
    anywhere, here = all_of([*strangers[""], *near]), all_of(near)
    if anywhere.allowed:
        mixed = anywhere.mixed
        yield Exposure(endpoint, direction, Audience.ANYWHERE, anywhere.allowed, mixed)
    if here.allowed - anywhere.allowed:
        mixed = here.mixed
        yield Exposure(endpoint, direction, Audience.NAMESPACE, here.allowed, mixed)
    by_cell: dict[tuple[ConnSet, bool], list[IPNetwork]] = defaultdict(list)
    for outside in found.outside():
        cell = found.cell(number, outside, direction)
        if cell.allowed:
            by_cell[cell.allowed, cell.mixed] += found.matrix.endpoints[outside].cidrs
    for (conns, mixed), cidrs in by_cell.items():
        merged = joined([Outside(tuple(cidrs), cidrs[0].network_address)])
        addresses = Audience.ADDRESSES
        yield Exposure(endpoint, direction, addresses, conns, mixed, merged)


def _new_namespaces(cluster: Cluster) -> list[Namespace]:
    """Return namespaces that may come: without a label, and with each refused one."""
    selectors = (
        peer.namespace_selector
        for policy in cluster.policies.values()
        for rule in (*policy.ingress, *policy.egress)
        for peer in rule.peers or ()
        if peer.namespace_selector is not None
    )
    free = (name for n in count() if (name := f"new-{n}") not in cluster.namespaces)
    return [
        Namespace(name, {**labels, METADATA_NAME: name})
        for name, labels in zip(free, _tried(selectors), strict=False)
    ]


def _strangers(cluster: Cluster, spaces: Mapping[str, Namespace]) -> Strangers:
    selectors = (
        peer.pod_selector
        for policy in cluster.policies.values()
        for rule in (*policy.ingress, *policy.egress)
        for peer in rule.peers or ()
        if peer.pod_selector is not None
    )
    tried = list(_tried(selectors))
    found: dict[str, list[Pod]] = defaultdict(list)
    for namespace in (*cluster.namespaces, *spaces):
        group = "" if namespace in spaces else namespace
        free = (
            key
            for n in count()
            if (key := ObjectKey(namespace, f"stranger-{n}")) not in cluster.pods
        )
        found[group] += [
            Pod(key, labels) for key, labels in zip(free, tried, strict=False)
        ]
    return found


def _tried(selectors: Iterable[LabelSelector]) -> Iterator[Labels]:
    """Yield no labels, then each label that some selector refuses, once."""
    yield {}
    refused: dict[tuple[str, str], None] = {}
    for selector in selectors:
        for need in selector.requirements:
            if need.operator in _REFUSING and need.key != METADATA_NAME:
                for value in sorted(need.values) or [""]:
                    refused[need.key, value] = None
    for key, value in refused:
        yield {key: value}
