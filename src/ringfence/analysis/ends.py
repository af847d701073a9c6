"""Ends by the names that people know them by: workloads, bare pods, addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import collapse_addresses

from ringfence.analysis.counterparts import Joint, Side, workload_of
from ringfence.engine.reference import KIND_WORDS
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod


@dataclass(frozen=True, slots=True)
class NamedEnd:
    """Pods of one workload, a bare pod, or outside addresses.

    ``id`` is in the endpoint grammar, as in a matrix. ``of`` is how many pods
    the workload has, ``pods`` those that are meant, sorted.
    """

    id: str
    kind: str
    namespace: str = ""
    name: str = ""
    pods: tuple[ObjectKey, ...] = ()
    of: int = 0
    cidrs: tuple[IPNetwork, ...] = ()


class Names:
    """What the ends of two clusters are called; the head's word counts."""

    def __init__(self, base: Side, head: Side, joints: Iterable[Joint]) -> None:
        self._base = base.compiled.cluster
        self._head = head.compiled.cluster
        self._sizes: dict[tuple[str, str, str], int] = defaultdict(int)
        for joint in joints:
            for key in joint.pods:
                self._sizes[self._workload(key)] += 1

    def pod(self, key: ObjectKey) -> Pod:
        """Return a pod of either cluster, the head's where both have it."""
        return self._head.pods.get(key) or self._base.pods[key]

    def named(self, joints: Iterable[Joint]) -> tuple[NamedEnd, ...]:
        """Return ends as workloads, pods and addresses, sorted, addresses last."""
        pods: dict[tuple[str, str, str], list[ObjectKey]] = defaultdict(list)
        networks: list[IPNetwork] = []
        for joint in joints:
            networks += joint.networks
            for key in joint.pods:
                pods[self._workload(key)].append(key)
        ends = [
            self._named(workload, tuple(sorted(pods[workload])))
            for workload in sorted(pods)
        ]
        return (*ends, _addresses(networks)) if networks else tuple(ends)

    def _named(
        self, workload: tuple[str, str, str], pods: tuple[ObjectKey, ...]
    ) -> NamedEnd:
        namespace, kind, name = workload
        word = KIND_WORDS.get(kind, (kind.lower(),))[0]
        identity = f"{namespace}/{word}/{name}"
        return NamedEnd(identity, kind, namespace, name, pods, self._sizes[workload])

    def _workload(self, key: ObjectKey) -> tuple[str, str, str]:
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
