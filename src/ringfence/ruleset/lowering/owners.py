"""Whose address is it: the pods and nodes that claim each one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ringfence.engine.compiler import selectable
from ringfence.engine.following.changes import Claimant
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress
from ringfence.model.workload import Pod

Claims: TypeAlias = Mapping[IPAddress, tuple[Claimant, ...]]
"""The claimants of every address of a cluster, sorted, usually one."""


def claims_of(cluster: Cluster) -> Claims:
    """Return who claims which address: live pods and nodes, not finished pods.

    What ``State.claims`` keeps up to date, from nothing.
    """
    claims: dict[IPAddress, set[Claimant]] = defaultdict(set)
    for pod in live_pods(cluster):
        for address in pod.addresses:
            claims[address].add(pod.key)
    for node in cluster.nodes.values():
        for address in node.addresses:
            claims[address].add(None)
    return {
        address: tuple(sorted(of, key=lambda claimant: claimant or ("", "")))
        for address, of in claims.items()
    }


def is_local(pod: Pod | None, node: str) -> bool:
    """Whether a pod has an address of its own, and has it on this node."""
    return pod is not None and pod.node == node and selectable(pod)


def live_pods(cluster: Cluster) -> Iterable[Pod]:
    """Return the pods that have an address of their own."""
    return (pod for pod in cluster.pods.values() if selectable(pod))
