"""What each policy selects and each pod is isolated by, for lists and descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ringfence.engine.compiled import Compiled, PeerSelector
from ringfence.engine.compiler import selectable
from ringfence.engine.select import selects
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy
from ringfence.model.workload import Pod


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy and the live pods that it selects, sorted."""

    policy: NetworkPolicy
    pods: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class PodView:
    """A live pod and the policies that isolate it, by direction."""

    pod: Pod
    ingress: tuple[ObjectKey, ...]
    egress: tuple[ObjectKey, ...]

    def policies(self, direction: Direction) -> tuple[ObjectKey, ...]:
        """Return the policies that isolate the pod for one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress


def policy_view(compiled: Compiled, policy: NetworkPolicy) -> PolicyView:
    """Return one policy's view."""
    pods = sorted(
        pod.key
        for pod in compiled.cluster.pods.values()
        if pod.key.namespace == policy.key.namespace
        and selectable(pod)
        and selects(policy.pod_selector, pod.labels)
    )
    return PolicyView(policy, tuple(pods))


def policy_views(compiled: Compiled) -> Iterator[PolicyView]:
    """Yield every policy's view, sorted by namespace and name."""
    for key in sorted(compiled.cluster.policies):
        yield policy_view(compiled, compiled.cluster.policies[key])


def pod_view(compiled: Compiled, pod: Pod) -> PodView:
    """Return one pod's view."""
    ingress, egress = (
        compiled.policy_set(direction, pod.key)
        for direction in (Direction.INGRESS, Direction.EGRESS)
    )
    return PodView(
        pod, ingress.policies if ingress else (), egress.policies if egress else ()
    )


def pod_views(compiled: Compiled) -> Iterator[PodView]:
    """Yield every live pod's view, sorted by namespace and name."""
    for key in sorted(compiled.cluster.pods):
        pod = compiled.cluster.pods[key]
        if not pod.finished:
            yield pod_view(compiled, pod)


def peer_pods(compiled: Compiled, target: PeerSelector | IPBlock) -> list[ObjectKey]:
    """Return the pods that a peer means for certain, sorted; blocks mean addresses."""
    if isinstance(target, IPBlock):
        return []
    return sorted(compiled.members[target].certain)
