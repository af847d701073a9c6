"""Pods that workload templates stand for, where the manifests hold none of theirs.

A workload's pods are those that it owns, directly or through another workload
(Deployment, ReplicaSet, pod; CronJob, Job, pod), or that nobody owns and that
carry every label of its template, as pods made from it would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, repeat
from typing import TypeAlias

from ringfence.errors import InputError, Problem
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Owner, Pod, Workload

MOST_PODS = 200_000
"""How many pods templates may become in all: more is a slip, not a cluster."""

WorkloadKey: TypeAlias = tuple[str, ObjectKey]
Workloads: TypeAlias = Mapping[WorkloadKey, Workload]

_PARENT = {"ReplicaSet": "Deployment", "Job": "CronJob"}
_CHILD = {parent: child for child, parent in _PARENT.items()}


def expand_templates(
    workloads: Workloads, pods: Mapping[ObjectKey, Pod], nodes: Iterable[str]
) -> dict[ObjectKey, Pod]:
    """Return the pods of all workloads that have none, named ``<workload>-<i>``.

    Numbers start at 0 and pass over names that are taken. A DaemonSet has one
    pod a node, or one where no node is known. Raises InputError where there
    would be more than ``MOST_PODS``.
    """
    if not workloads:
        return {}
    manned = _manned(workloads, pods)
    vacant = [
        workload
        for key, workload in workloads.items()
        if key not in manned and _parent(workloads, key) is None
    ]
    hosts = sorted(nodes)
    _refuse_crowd(vacant, len(hosts))
    made: dict[ObjectKey, Pod] = {}
    for workload in vacant:
        names = _free_names(workload.key, pods, made)
        for node, key in zip(_places(workload, hosts), names, strict=False):
            made[key] = replace(workload.template, key=key, node=node)
    return made


def _places(workload: Workload, hosts: Sequence[str]) -> Iterable[str | None]:
    """Return the node of each pod, None where the scheduler would choose."""
    node = workload.template.node
    if workload.replicas is None:
        return hosts or (node,)
    return repeat(node, workload.replicas)


def _free_names(
    key: ObjectKey, pods: Mapping[ObjectKey, Pod], made: Mapping[ObjectKey, Pod]
) -> Iterator[ObjectKey]:
    for number in count():
        name = ObjectKey(key.namespace, f"{key.name}-{number}")
        if name not in pods and name not in made:
            yield name


def _per_node(workload: Workload, nodes: int) -> int:
    return (nodes or 1) if workload.replicas is None else workload.replicas


def _refuse_crowd(vacant: list[Workload], nodes: int) -> None:
    total = sum(_per_node(workload, nodes) for workload in vacant)
    if total <= MOST_PODS:
        return
    most = max(vacant, key=lambda workload: _per_node(workload, nodes))
    asked = _per_node(most, nodes)
    raise InputError(
        [
            Problem(
                str(most.position),
                f"the workload templates stand for {total} pods, of which "
                f"{most.kind} {most.key} alone for {asked}: more than {MOST_PODS}",
                hint="write fewer replicas; policies treat them alike",
            )
        ]
    )


def _parent(workloads: Workloads, key: WorkloadKey) -> WorkloadKey | None:
    """Return the workload that made this one, where the manifests hold it."""
    kind, (namespace, _) = key
    owner = workloads[key].owner
    if owner is None or owner.kind != _PARENT.get(kind):
        return None
    parent = (owner.kind, ObjectKey(namespace, owner.name))
    return parent if parent in workloads else None


def _manned(workloads: Workloads, pods: Mapping[ObjectKey, Pod]) -> set[WorkloadKey]:
    """Return the workloads that have pods of their own in the manifests."""
    manned: set[WorkloadKey] = set()
    strays: list[Pod] = []
    for pod in pods.values():
        key = _owner_key(pod)
        if key is None or key not in workloads:
            strays.append(pod)
        else:
            manned.add(key)
            manned.add(_parent(workloads, key) or key)
    near = _Strays(strays)
    manned.update(
        key for key, workload in workloads.items() if near.look_like(workload)
    )
    return manned


def _owner_key(pod: Pod) -> WorkloadKey | None:
    owner = pod.owner
    if owner is None:
        return None
    return owner.kind, ObjectKey(pod.key.namespace, owner.name)


class _Strays:
    """Pods whose owner the manifests do not hold, found by any of their labels."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self._by_label: dict[tuple[str, ...], list[Pod]] = defaultdict(list)
        for pod in pods:
            namespace = pod.key.namespace
            self._by_label[(namespace,)].append(pod)
            for label in pod.labels.items():
                self._by_label[(namespace, *label)].append(pod)

    def look_like(self, workload: Workload) -> bool:
        """Whether some pod looks as if it had been made from the template."""
        namespace = workload.key.namespace
        wanted = workload.template.labels.items()
        places: list[tuple[str, ...]] = [(namespace, *label) for label in wanted]
        places = places or [(namespace,)]
        fewest = min((self._by_label.get(place, []) for place in places), key=len)
        return any(looks_made_from(workload, pod) for pod in fewest)


def looks_made_from(workload: Workload, pod: Pod) -> bool:
    """Whether a pod of the namespace may have been made from the template.

    It carries the template's labels, and what owns it, if anything does, is named
    as what the workload makes.
    """
    alike = workload.template.labels.items() <= pod.labels.items()
    return alike and _could_be_of(workload, pod.owner)


def _could_be_of(workload: Workload, owner: Owner | None) -> bool:
    """Whether a pod with this owner, or none, may be the workload's.

    The ReplicaSets of a Deployment and the Jobs of a CronJob carry its name and
    a suffix. Pods of Jobs always have an owner.
    """
    if owner is None:
        return workload.selector is not None and bool(workload.template.labels)
    child = _CHILD.get(workload.kind)
    return owner.kind == child and owner.name.startswith(f"{workload.key.name}-")
