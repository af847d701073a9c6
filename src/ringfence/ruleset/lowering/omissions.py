"""What a node's table leaves out because a fact is missing, told and not guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ringfence.engine.compiled import Compiled, PeerSelector, PolicySet
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.ruleset.lowering.owners import Claims, live_pods
from ringfence.ruleset.naming import Identity, NamedPortsId, PodPeersId


class Scope(NamedTuple):
    """Which part of the cluster a table is about.

    ``pods`` are the node's live pods, sorted; ``policy_sets`` isolate some of
    them; ``by_node``: they were chosen by the node they name.
    """

    pods: tuple[ObjectKey, ...]
    policy_sets: tuple[PolicySet, ...]
    by_node: bool

    def isolated(self, compiled: Compiled) -> list[ObjectKey]:
        """List the node's pods that some policy isolates for some direction."""
        return [pod for pod in self.pods if _is_isolated(compiled, pod)]


class Omission(NamedTuple):
    """Something that the table does not hold, and why: a sentence's two parts."""

    subject: str
    reason: str


def omissions(
    compiled: Compiled, claims: Claims, scope: Scope, used: Iterable[Identity]
) -> tuple[Omission, ...]:
    """Return what certain facts do not decide, sorted; all of it stays closed."""
    found = set(_unreachable(compiled, scope))
    found.update(_contested(claims))
    for identity in used:
        match identity:
            case PodPeersId(selectors=selectors):
                for selector in selectors:
                    found.update(_peers(compiled, selector))
            case NamedPortsId(direction=Direction.INGRESS):
                found.update(_portless(compiled, scope.isolated(compiled)))
            case NamedPortsId():
                everyone = (pod.key for pod in live_pods(compiled.cluster))
                found.update(_portless(compiled, everyone))
            case _:
                pass  # blocks and numbers are always known
    return tuple(sorted(found))


def _is_isolated(compiled: Compiled, pod: ObjectKey) -> bool:
    return any(compiled.policy_set(direction, pod) for direction in Direction)


def _unreachable(compiled: Compiled, scope: Scope) -> Iterator[Omission]:
    for key in scope.isolated(compiled):
        if not compiled.cluster.pods[key].addresses:
            yield _addressless(key)
    if not scope.by_node:
        return
    for pod in live_pods(compiled.cluster):
        if pod.node is None and _is_isolated(compiled, pod.key):
            yield Omission(f"pod {pod.key}", "no node is named, so no node isolates it")


def _addressless(pod: ObjectKey) -> Omission:
    return Omission(f"pod {pod}", "no address is known, so it is in no map and set")


def _contested(claims: Claims) -> Iterator[Omission]:
    for address, claimants in claims.items():
        if len(claimants) > 1:
            names = " and ".join(str(of or "a node") for of in claimants)
            yield Omission(
                f"address {address}",
                f"{names} claim it, so it gets only what all of them would",
            )


def _peers(compiled: Compiled, selector: PeerSelector) -> Iterator[Omission]:
    members = compiled.members[selector]
    for key in members.certain:
        if not compiled.cluster.pods[key].addresses:
            yield _addressless(key)
    for key in members.possible - members.certain:
        yield Omission(
            f"pod {key}",
            f"the labels of namespace {key.namespace} are not declared, "
            f"so it is no peer of {selector.namespace_selector}",
        )


def _portless(compiled: Compiled, pods: Iterable[ObjectKey]) -> Iterator[Omission]:
    for key in pods:
        if compiled.cluster.pods[key].ports is None:
            yield Omission(
                f"pod {key}", "no container ports are known, so no name resolves there"
            )
