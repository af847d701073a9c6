"""Ends by the names that people know them by: workloads, bare pods, addresses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import collapse_addresses
from typing import TypeAlias

from ringfence.analysis.change.counterparts import Joint, Side, workload_of
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.questions.reference import KIND_WORDS


@dataclass(frozen=True, slots=True)
class NamedEnd:
    """Pods of one workload, a bare pod, whole namespaces, or outside addresses.

    ``id`` is in the endpoint grammar, as in a matrix. ``of`` is how many pods
    there are of that name, ``pods`` those that are meant, sorted.
    """

    id: str
    kind: str
    namespace: str = ""
    name: str = ""
    pods: tuple[ObjectKey, ...] = ()
    of: int = 0
    cidrs: tuple[IPNetwork, ...] = ()


_Workload: TypeAlias = tuple[str, str, str]
"""Namespace, kind and name."""


class Names:
    """What the ends of two clusters are called; the head's word counts."""

    def __init__(self, base: Side, head: Side, joints: Iterable[Joint]) -> None:
        self._base = base.compiled.cluster
        self._head = head.compiled.cluster
        self._inside: dict[str, list[ObjectKey]] = defaultdict(list)
        for joint in joints:
            for key in joint.pods:
                self._inside[key.namespace].append(key)
        self._sizes: dict[str, Counter[_Workload]] = {}

    def named(
        self, joints: Iterable[Joint], spare: Iterable[ObjectKey] = ()
    ) -> tuple[NamedEnd, ...]:
        """Return ends as namespaces, workloads, pods, addresses, sorted, these last.

        A namespace all of whose pods are meant is one end, and so are all
        namespaces; ``spare`` pods may be missing for that.
        """
        pods: dict[str, list[ObjectKey]] = defaultdict(list)
        networks: list[IPNetwork] = []
        for joint in joints:
            networks += joint.networks
            for key in joint.pods:
                pods[key.namespace].append(key)
        forgiven = {key.namespace: 1 for key in spare}
        whole = {
            name
            for name, keys in pods.items()
            if len(keys) + forgiven.get(name, 0) >= len(self._inside[name])
        }
        ends: list[NamedEnd] = []
        if len(whole) == len(self._inside) > 1:
            every = tuple(sorted(key for keys in pods.values() for key in keys))
            ends.append(NamedEnd("*", "Pods", pods=every, of=len(every)))
            pods.clear()
        for name in sorted(pods):
            ends += self._of_namespace(name, sorted(pods[name]), whole=name in whole)
        return (*ends, _addresses(networks)) if networks else tuple(ends)

    def _of_namespace(
        self, namespace: str, pods: list[ObjectKey], *, whole: bool
    ) -> Iterator[NamedEnd]:
        by_workload: dict[_Workload, list[ObjectKey]] = defaultdict(list)
        for key in pods:
            by_workload[self._workload(key)].append(key)
        if whole and len(by_workload) > 1:
            mine = tuple(pods)
            identity = f"ns/{namespace}"
            yield NamedEnd(identity, "Namespace", namespace, namespace, mine, len(mine))
            return
        for workload in sorted(by_workload):
            _, kind, name = workload
            word = KIND_WORDS.get(kind, (kind.lower(),))[0]
            identity = f"{namespace}/{word}/{name}"
            mine = tuple(by_workload[workload])
            size = self._sizes_in(namespace)[workload]
            yield NamedEnd(identity, kind, namespace, name, mine, size)

    def _sizes_in(self, namespace: str) -> Mapping[_Workload, int]:
        """Return how many pods each workload of a namespace has."""
        found = self._sizes.get(namespace)
        if found is None:
            found = Counter(map(self._workload, self._inside[namespace]))
            self._sizes[namespace] = found
        return found

    def _workload(self, key: ObjectKey) -> _Workload:
        cluster = self._head if key in self._head.pods else self._base
        owner = workload_of(cluster, cluster.pods[key])
        if owner is None:
            return (key.namespace, "Pod", key.name)
        return (key.namespace, owner.kind, owner.name)


def _addresses(networks: list[IPNetwork]) -> NamedEnd:
    four = collapse_addresses(n for n in networks if n.version == 4)  # noqa: PLR2004 - IP versions
    six = collapse_addresses(n for n in networks if n.version == 6)  # noqa: PLR2004 - IP versions
    cidrs: tuple[IPNetwork, ...] = (*four, *six)
    more = f"+{len(cidrs) - 1}" if len(cidrs) > 1 else ""
    return NamedEnd(f"{cidrs[0]}{more}", "Addresses", cidrs=cidrs)
