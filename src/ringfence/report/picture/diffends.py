"""The ends of a difference's picture: pods and addresses that change alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ringfence.analysis.change.counterparts import workload_of
from ringfence.analysis.change.difference import Change, Difference
from ringfence.analysis.change.ends import NamedEnd
from ringfence.analysis.matrix import Endpoint
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.report.picture.picture import Mark
from ringfence.sets.cidr import prefixes, span
from ringfence.sets.interval import Intervals, minus, union


@dataclass(frozen=True, slots=True)
class Part:
    """Ends that one row of HEAD's matrix holds and that change alike.

    ``row`` is None where HEAD has no such end. ``source`` and ``target`` are masks
    of the changes, by number, in which some of them are; ``all_source`` and
    ``all_target`` of those in which all of them are.
    """

    endpoint: Endpoint
    row: int | None
    source: int
    target: int
    all_source: int
    all_target: int
    mark: Mark = Mark.KEPT


class Places:
    """Which changes a pod is part of, at either end, and whether it came or went."""

    def __init__(self, found: Difference, base: Compiled, head: Compiled) -> None:
        self.changes = found.changes
        self._known = _workloads(base.cluster)
        self._base, self._head = base.cluster, head.cluster
        self._source = _masks(change.sources for change in found.changes)
        self._target = _masks(change.destinations for change in found.changes)
        changed = self._source.keys() | self._target.keys()
        self.gone = sorted(changed - _live(head.cluster))

    def of(self, pod: ObjectKey) -> tuple[int, int, Mark]:
        """Return the masks of the changes from and to a pod, and its mark."""
        return self._source.get(pod, 0), self._target.get(pod, 0), self._mark(pod)

    def _mark(self, pod: ObjectKey) -> Mark:
        """Return a pod's mark; a replica more of a workload that was there is none."""
        if pod not in self._head.pods:
            return Mark.REMOVED
        if pod in self._base.pods:
            return Mark.KEPT
        owner = workload_of(self._head, self._head.pods[pod])
        came = owner is None or (pod.namespace, owner) not in self._known
        return Mark.ADDED if came else Mark.KEPT

    def namespaces(self) -> list[Part]:
        """Return a part for each namespace that either cluster has pods in."""
        found: dict[str, list[ObjectKey]] = defaultdict(list)
        for pod in sorted(_live(self._head) | set(self.gone)):
            found[pod.namespace].append(pod)
        parts = []
        for name, pods in found.items():
            places = [self.of(pod) for pod in pods]
            source = target = 0
            all_source = all_target = (1 << len(self.changes)) - 1
            for out, into, _ in places:
                source, target = source | out, target | into
                all_source, all_target = all_source & out, all_target & into
            marks = {mark for *_, mark in places}
            mark = marks.pop() if len(marks) == 1 else Mark.KEPT
            end = Endpoint(f"ns/{name}", "Namespace", name, name, pods=tuple(pods))
            masks = (source, target, all_source, all_target)
            parts.append(Part(end, None, *masks, mark))
        return parts


def class_parts(places: Places, endpoints: Sequence[Endpoint]) -> list[Part]:
    """Split a matrix's rows by the changes they are part of; those that went last."""
    parts: list[Part] = []
    for row, end in enumerate(endpoints):
        parts += _split(places, end, row)
    by_namespace: dict[str, list[ObjectKey]] = defaultdict(list)
    for pod in places.gone:
        by_namespace[pod.namespace].append(pod)
    for namespace, pods in by_namespace.items():
        end = Endpoint(f"{namespace}/gone", "Class", namespace, pods=tuple(pods))
        parts += _split(places, end, None)
    return parts


def _split(places: Places, end: Endpoint, row: int | None) -> Iterator[Part]:
    found: dict[tuple[int, int, Mark], list[ObjectKey]] = defaultdict(list)
    for pod in end.pods:
        found[places.of(pod)].append(pod)
    for (source, target, mark), pods in found.items():
        name = end.id if len(found) == 1 else f"{end.id}/{pods[0].name}"
        part = replace(end, id=name, pods=tuple(pods))
        yield Part(part, row, source, target, source, target, mark)


_Row = tuple[int | None, int, int]
"""A row of the matrix, and the changes from and to it."""


def address_parts(
    changes: Sequence[Change], endpoints: Sequence[Endpoint]
) -> list[Part]:
    """Return the outside addresses, cut where a change cuts them."""
    cidrs: dict[_Row, list[IPNetwork]] = defaultdict(list)
    for version in (4, 6):
        for key, stretches in _pieces(changes, endpoints, version).items():
            cidrs[key] += prefixes(stretches, version)
    parts = []
    for (row, source, target), of_row in cidrs.items():
        more = f"+{len(of_row) - 1}" if len(of_row) > 1 else ""
        end = Endpoint(f"{of_row[0]}{more}", "Addresses", cidrs=tuple(of_row))
        parts.append(Part(end, row, source, target, source, target))
    return sorted(parts, key=lambda part: part.endpoint.id)


def _pieces(
    changes: Sequence[Change], endpoints: Sequence[Endpoint], version: int
) -> Mapping[_Row, Intervals]:
    known: dict[_Row, Intervals] = {
        (row, 0, 0): _stretches([end], version)
        for row, end in enumerate(endpoints)
        if end.cidrs
    }
    every = _stretches((e for c in changes for e in _ends(c)), version)
    rest = minus(every, union(part for of in known.values() for part in of))
    pieces: dict[_Row, Intervals] = {**known, (None, 0, 0): rest}
    pieces = {key: of for key, of in pieces.items() if of}
    for number, change in enumerate(changes):
        bit = 1 << number
        for ends, masks in (
            (change.sources, (bit, 0)),
            (change.destinations, (0, bit)),
        ):
            mine = _stretches(ends, version)
            if mine:
                pieces = _cut(pieces, mine, masks)
    return pieces


def _cut(
    pieces: Mapping[_Row, Intervals], mine: Intervals, masks: tuple[int, int]
) -> dict[_Row, Intervals]:
    found: dict[_Row, Intervals] = {}
    for (row, source, target), stretches in pieces.items():
        rest = minus(stretches, mine)
        found[row, source, target] = rest
        found[row, source | masks[0], target | masks[1]] = minus(stretches, rest)
    return {key: of for key, of in found.items() if of}


def _ends(change: Change) -> Iterator[NamedEnd]:
    yield from change.sources
    yield from change.destinations


def _stretches(ends: Iterable[NamedEnd | Endpoint], version: int) -> Intervals:
    return union(
        span(cidr) for end in ends for cidr in end.cidrs if cidr.version == version
    )


def _masks(ends: Iterable[Iterable[NamedEnd]]) -> dict[ObjectKey, int]:
    found: dict[ObjectKey, int] = defaultdict(int)
    for number, of_change in enumerate(ends):
        for end in of_change:
            for pod in end.pods:
                found[pod] |= 1 << number
    return found


def _live(cluster: Cluster) -> set[ObjectKey]:
    return {key for key, pod in cluster.pods.items() if not pod.finished}


def _workloads(cluster: Cluster) -> set[tuple[str, object]]:
    return {
        (key.namespace, workload_of(cluster, cluster.pods[key]))
        for key in _live(cluster)
    }
