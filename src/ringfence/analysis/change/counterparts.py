"""Two clusters side by side: which end of one is which end of the other.

A pod is the pod of its name. One that only one cluster has, but whose workload
both have, is one replica more or less: its counterpart is a fellow replica.
Outside addresses are cut where the blocks of either cluster cut them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from ringfence.engine.allpairs.classes import Outside
from ringfence.engine.allpairs.reachability import Reachability
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Owner, Pod
from ringfence.sets.cidr import prefixes, span
from ringfence.sets.interval import Interval, union

TEMPLATE_HASH = "pod-template-hash"
"""The label by which a ReplicaSet is named after its Deployment (apps/v1)."""


class Side(NamedTuple):
    """One of the two clusters, compiled, and its classes."""

    compiled: Compiled
    reachability: Reachability


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Ends that neither cluster tells apart.

    ``base`` and ``head`` are their classes, None where a cluster has no such
    end. ``pods`` are named as in the head, those that went as in the base;
    ``size`` is how many they are at once. ``networks`` instead: outside addresses.
    """

    number: int
    base: int | None
    head: int | None
    size: int
    pods: tuple[ObjectKey, ...] = ()
    networks: tuple[IPNetwork, ...] = ()


Classes: TypeAlias = tuple[int | None, int | None]


def joints(base: Side, head: Side) -> tuple[Joint, ...]:
    """Return the ends of both clusters, numbered as the base's classes are."""
    found: list[Joint] = []
    for (one, other), (gone, here) in _joint_pods(base, head).items():
        size = max(len(here), len(gone))
        found.append(Joint(0, one, other, size, tuple(sorted(here or gone))))
    for (one, other), networks in _joint_addresses(base, head).items():
        found.append(Joint(0, one, other, 1, networks=networks))
    found.sort(key=_order)
    return tuple(replace(joint, number=number) for number, joint in enumerate(found))


def workload_of(cluster: Cluster, pod: Pod) -> Owner | None:
    """Return the workload that a pod belongs to in the end, None for a bare pod.

    A ReplicaSet's Deployment is the workload, also where no manifest holds the
    ReplicaSet: the suffix of its name is then a label of the pod.
    """
    owner = pod.owner
    if owner is None:
        return None
    key = ObjectKey(pod.key.namespace, owner.name)
    made_by = cluster.workloads.get((owner.kind, key))
    if made_by is not None and made_by.owner is not None:
        return made_by.owner
    suffix = f"-{pod.labels.get(TEMPLATE_HASH, '')}"
    if owner.kind == "ReplicaSet" and suffix != "-" and owner.name.endswith(suffix):
        return Owner("Deployment", owner.name.removesuffix(suffix))
    return owner


def _order(joint: Joint) -> tuple[bool, int, int]:
    head = -1 if joint.head is None else joint.head
    return joint.base is None, joint.base or 0, head


class _Pods(NamedTuple):
    """The pods of two classes as the base has them, and as the head has them."""

    base: list[ObjectKey]
    head: list[ObjectKey]


def _joint_pods(base: Side, head: Side) -> Mapping[Classes, _Pods]:
    """Return the pods by their two classes."""
    before, after = _numbers(base), _numbers(head)
    of_head = head.reachability.classes
    found: dict[Classes, _Pods] = defaultdict(lambda: _Pods([], []))
    for number, one in enumerate(base.reachability.classes):
        other = after.get(one.pods[0]) if one.pods else None
        if other is not None and one.pods == of_head[other].pods:
            found[number, other] = _Pods([*one.pods], [*one.pods])
            continue
        for key in one.pods:
            if key in after:
                pods = found[number, after[key]]
                pods.base.append(key)
                pods.head.append(key)
    for key, fellow in _with_fellows(base, before, head, after):
        found[before[key], fellow].base.append(key)
    for key, fellow in _with_fellows(head, after, base, before):
        found[fellow, after[key]].head.append(key)
    return found


def _numbers(side: Side) -> dict[ObjectKey, int]:
    numbers: dict[ObjectKey, int] = {}
    for number, one in enumerate(side.reachability.classes):
        numbers.update(dict.fromkeys(one.pods, number))
    return numbers


_Numbers: TypeAlias = Mapping[ObjectKey, int]


def _with_fellows(
    side: Side, own: _Numbers, opposite: Side, theirs: _Numbers
) -> Iterator[tuple[ObjectKey, int | None]]:
    """Yield the pods that one cluster alone has, each with its fellow's class."""
    alone = own.keys() - theirs.keys()
    cluster = side.compiled.cluster
    namespaces = frozenset(key.namespace for key in alone)
    fellows = _Fellows(opposite.compiled.cluster, theirs, namespaces)
    for key in sorted(alone):
        pod = cluster.pods[key]
        yield key, fellows.of(pod, workload_of(cluster, pod))


class _Fellows:
    """The replicas of a cluster's workloads in some namespaces, each one's class."""

    def __init__(
        self, cluster: Cluster, numbers: _Numbers, namespaces: AbstractSet[str]
    ) -> None:
        self._numbers = numbers
        self._by_workload: dict[tuple[str, Owner], list[Pod]] = defaultdict(list)
        for key in numbers if namespaces else ():
            if key.namespace not in namespaces:
                continue
            pod = cluster.pods[key]
            workload = workload_of(cluster, pod)
            if workload is not None:
                self._by_workload[key.namespace, workload].append(pod)

    def of(self, pod: Pod, workload: Owner | None) -> int | None:
        """Return the class of the fellow that is most like a pod, None without one."""
        if workload is None:
            return None
        fellows = self._by_workload.get((pod.key.namespace, workload), ())
        most_like = max(fellows, key=_likeness(pod), default=None)
        return None if most_like is None else self._numbers[most_like.key]


def _likeness(pod: Pod) -> Callable[[Pod], tuple[int, bool]]:
    def likeness(fellow: Pod) -> tuple[int, bool]:
        common = len(pod.labels.items() & fellow.labels.items())
        return common, fellow.ports == pod.ports

    return likeness


def _joint_addresses(base: Side, head: Side) -> Mapping[Classes, tuple[IPNetwork, ...]]:
    found: dict[Classes, tuple[IPNetwork, ...]] = {}
    for version in (4, 6):
        before, after = _cuts(base, version), _cuts(head, version)
        parts: dict[Classes, list[Interval]] = defaultdict(list)
        starts = sorted({start for start, _ in (*before, *after)})
        last = (1 << (32 if version == 4 else 128)) - 1  # noqa: PLR2004 - IP versions
        ends = [*(start - 1 for start in starts[1:]), last]
        for low, high in zip(starts, ends, strict=bool(starts)):
            classes = (_at(before, low), _at(after, low))
            parts[classes].append(Interval(low, high))
        for classes, intervals in parts.items():
            found[classes] = tuple(prefixes(union(intervals), version))
    return found


def _cuts(side: Side, version: int) -> list[tuple[int, int]]:
    """Return where stretches of outside addresses start, each with its class."""
    return sorted(
        (span(network).low, number)
        for number, networks in _outside(side.reachability)
        for network in networks
        if network.version == version
    )


def _outside(reachability: Reachability) -> Iterable[tuple[int, Sequence[IPNetwork]]]:
    for number, one in enumerate(reachability.classes):
        if isinstance(one.outside, Outside):
            yield number, one.outside.networks


def _at(cuts: list[tuple[int, int]], address: int) -> int | None:
    """Return the class of an address; the outside is covered whole or not at all."""
    if not cuts:
        return None
    return cuts[bisect_right(cuts, (address, float("inf"))) - 1][1]
