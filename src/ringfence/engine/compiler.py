"""Compile a cluster: which policies isolate which pod, and whom each peer means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ringfence.engine.compiled import (
    Compiled,
    CompiledPeer,
    CompiledRule,
    Members,
    PeerSelector,
    PolicySet,
    Target,
)
from ringfence.engine.select import selects, selects_namespace
from ringfence.errors import RingfenceBug
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import Labels, ObjectKey, Tri
from ringfence.model.netpol import NetworkPolicy, Peer, Rule
from ringfence.model.workload import Namespace, Pod

Group: TypeAlias = tuple[Labels, list[ObjectKey]]
Groups: TypeAlias = Mapping[str, list[Group]]
"""Per namespace, the pods that no selector can tell apart."""


def compile_cluster(cluster: Cluster) -> Compiled:
    """Return the compiled form of a cluster; the same cluster compiles the same way."""
    groups = _group_pods(cluster.pods.values())
    rules = {
        (policy.key, direction): compile_rules(policy, direction)
        for policy in cluster.policies.values()
        for direction in policy.policy_types
    }
    subjects = _subjects(cluster.policies.values(), groups, rules)
    distinct = {(of.direction.value, of.policies): of for of in subjects.values()}
    return Compiled(
        cluster,
        subjects,
        tuple(distinct[identity] for identity in sorted(distinct)),
        _members(cluster.namespaces, groups, rules.values()),
        _families(cluster),
    )


def selectable(pod: Pod) -> bool:
    """Whether selectors can mean this pod at all.

    A hostNetwork pod has its node's address and a finished pod none: neither is
    selected by a podSelector nor matched by a peer.
    """
    return not pod.host_network and not pod.finished


def _group_pods(pods: Iterable[Pod]) -> Groups:
    groups: dict[str, dict[frozenset[tuple[str, str]], Group]] = defaultdict(dict)
    for pod in pods:
        if selectable(pod):
            identity = frozenset(pod.labels.items())
            group = groups[pod.key.namespace].setdefault(identity, (pod.labels, []))
            group[1].append(pod.key)
    return {namespace: list(by.values()) for namespace, by in groups.items()}


def compile_rules(
    policy: NetworkPolicy, direction: Direction
) -> tuple[CompiledRule, ...]:
    """Return one direction's rules, whether or not policyTypes lists it."""
    return tuple(
        CompiledRule(
            policy.key,
            direction,
            index,
            _compile_peers(rule, policy.key.namespace),
            rule.ports,
            rule.position,
        )
        for index, rule in enumerate(policy.rules(direction))
    )


def _compile_peers(rule: Rule, namespace: str) -> tuple[CompiledPeer, ...] | None:
    if rule.peers is None:
        return None
    return tuple(
        CompiledPeer(_target(peer, namespace), peer.position) for peer in rule.peers
    )


def _target(peer: Peer, namespace: str) -> Target:
    if peer.ip_block is not None:
        return peer.ip_block
    if peer.namespace_selector is None and peer.pod_selector is None:
        raise RingfenceBug(f"{peer.position}: a peer without any member was decoded")
    # podSelector alone: "pods in the policy's own namespace" (NetworkPolicyPeer).
    own = namespace if peer.namespace_selector is None else None
    return PeerSelector(own, peer.namespace_selector, peer.pod_selector or EVERYTHING)


def _subjects(
    policies: Iterable[NetworkPolicy],
    groups: Groups,
    rules: Mapping[tuple[ObjectKey, Direction], tuple[CompiledRule, ...]],
) -> Mapping[tuple[Direction, ObjectKey], PolicySet]:
    by_namespace: dict[str, list[NetworkPolicy]] = defaultdict(list)
    for policy in sorted(policies, key=lambda policy: policy.key):
        by_namespace[policy.key.namespace].append(policy)
    sets: dict[tuple[Direction, tuple[ObjectKey, ...]], PolicySet] = {}
    subjects: dict[tuple[Direction, ObjectKey], PolicySet] = {}
    for namespace, candidates in by_namespace.items():
        for labels, pods in groups.get(namespace, ()):
            selecting = [p for p in candidates if selects(p.pod_selector, labels)]
            for direction in Direction:
                keys = tuple(p.key for p in selecting if direction in p.policy_types)
                if not keys:
                    continue
                policy_set = sets.setdefault(
                    (direction, keys),
                    PolicySet(
                        direction,
                        keys,
                        tuple(rule for key in keys for rule in rules[key, direction]),
                    ),
                )
                subjects.update(((direction, pod), policy_set) for pod in pods)
    return subjects


def _families(cluster: Cluster) -> tuple[int, ...]:
    seen = {
        address.version
        for addresses in (
            *(pod.addresses for pod in cluster.pods.values() if not pod.finished),
            *(node.addresses for node in cluster.nodes.values()),
            *(service.cluster_ips for service in cluster.services.values()),
        )
        for address in addresses
    }
    return tuple(sorted(seen)) or (4, 6)


def _members(
    namespaces: Mapping[str, Namespace],
    groups: Groups,
    rules: Iterable[tuple[CompiledRule, ...]],
) -> Mapping[PeerSelector, Members]:
    wanted = {
        peer.target
        for of_policy in rules
        for rule in of_policy
        for peer in rule.peers or ()
        if isinstance(peer.target, PeerSelector)
    }
    return {selector: _resolve(selector, namespaces, groups) for selector in wanted}


def _resolve(
    selector: PeerSelector, namespaces: Mapping[str, Namespace], groups: Groups
) -> Members:
    certain: list[ObjectKey] = []
    possible: list[ObjectKey] = []
    for name, of_namespace in groups.items():
        inside = _in_namespace(selector, namespaces[name])
        if inside is False:
            continue
        found = certain if inside else possible
        for labels, pods in of_namespace:
            if selects(selector.pod_selector, labels):
                found.extend(pods)
    return Members(frozenset(certain), frozenset(possible))


def _in_namespace(selector: PeerSelector, namespace: Namespace) -> Tri:
    if selector.namespace_selector is None:
        return selector.namespace == namespace.name
    return selects_namespace(selector.namespace_selector, namespace)
