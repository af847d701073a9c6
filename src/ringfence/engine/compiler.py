"""Compile a cluster: which policies isolate which pod, and whom each peer means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
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
from ringfence.engine.select import Filed, selects, selects_namespace
from ringfence.errors import RingfenceBug
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.labels import EVERYTHING, LabelSelector
from ringfence.model.meta import Labels, ObjectKey, Tri
from ringfence.model.netpol import NetworkPolicy, Peer, Rule
from ringfence.model.workload import METADATA_NAME, Namespace, Node, Pod, Service

Group: TypeAlias = tuple[Labels, list[ObjectKey]]
Groups: TypeAlias = Mapping[str, Filed[Group]]
"""Per namespace, the pods that no selector can tell apart."""

Rules: TypeAlias = Mapping[tuple[ObjectKey, Direction], tuple[CompiledRule, ...]]
"""The rules of every policy in each direction that it lists."""


def compile_cluster(cluster: Cluster) -> Compiled:
    """Return the compiled form of a cluster; the same cluster compiles the same way."""
    groups = _group_pods(cluster.pods.values())
    rules = {
        identity: rules
        for policy in cluster.policies.values()
        for identity, rules in listed_rules(policy).items()
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
    # Many pods share one map of labels, which is soon told to be the same.
    known: dict[int, frozenset[tuple[str, str]]] = {}
    for pod in pods:
        if selectable(pod):
            labels, key = pod.labels, pod.key
            identity = known.get(id(labels))
            if identity is None:
                identity = known[id(labels)] = label_identity(labels)
            by_labels = groups[key.namespace]
            group = by_labels.get(identity)
            if group is None:
                group = by_labels[identity] = (labels, [])
            group[1].append(key)
    return {
        namespace: Filed((group[0], group) for group in by.values())
        for namespace, by in groups.items()
    }


def label_identity(labels: Labels) -> frozenset[tuple[str, str]]:
    """Return what pods of one namespace share that no selector can tell apart."""
    return frozenset(labels.items())


def listed_rules(policy: NetworkPolicy) -> Rules:
    """Return the policy's rules for the directions in its policyTypes."""
    return {
        (policy.key, direction): compile_rules(policy, direction)
        for direction in policy.policy_types
    }


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
    rules: Rules,
) -> Mapping[tuple[Direction, ObjectKey], PolicySet]:
    by_namespace: dict[str, list[NetworkPolicy]] = defaultdict(list)
    for policy in sorted(policies, key=lambda policy: policy.key):
        by_namespace[policy.key.namespace].append(policy)
    sets: dict[tuple[Direction, tuple[ObjectKey, ...]], PolicySet] = {}
    subjects: dict[tuple[Direction, ObjectKey], PolicySet] = {}
    for namespace, candidates in by_namespace.items():
        if namespace not in groups:
            continue
        for pods, selecting in _selected(candidates, groups[namespace]):
            for direction in Direction:
                keys = isolating(selecting, direction)
                if not keys:
                    continue
                found = sets.get((direction, keys))
                if found is None:
                    found = make_policy_set(direction, keys, rules)
                    sets[direction, keys] = found
                subjects.update(dict.fromkeys(zip(repeat(direction), pods), found))
    return subjects


def _selected(
    policies: Iterable[NetworkPolicy], groups: Filed[Group]
) -> Iterable[tuple[list[ObjectKey], list[NetworkPolicy]]]:
    """Return the pods that some policies select, and which do, in their order."""
    found: dict[int, tuple[list[ObjectKey], list[NetworkPolicy]]] = {}
    for policy in policies:
        for labels, pods in groups.find(policy.pod_selector):
            if selects(policy.pod_selector, labels):
                found.setdefault(id(pods), (pods, []))[1].append(policy)
    return found.values()


def isolating(
    selecting: Iterable[NetworkPolicy], direction: Direction
) -> tuple[ObjectKey, ...]:
    """Return which of the policies that select a pod isolate it for a direction."""
    return tuple(p.key for p in selecting if direction in p.policy_types)


def make_policy_set(
    direction: Direction, policies: tuple[ObjectKey, ...], rules: Rules
) -> PolicySet:
    """Return the policy-set of policies that are sorted and list the direction."""
    together = tuple(rule for key in policies for rule in rules[key, direction])
    return PolicySet(direction, policies, together)


def _families(cluster: Cluster) -> tuple[int, ...]:
    things = (cluster.pods, cluster.nodes, cluster.services)
    # One address of each type tells its version, a property that takes its time.
    telling = {
        type(address): address
        for by_key in things
        for thing in by_key.values()
        for address in telling_addresses(thing)
    }
    return families_of(address.version for address in telling.values())


def telling_addresses(thing: Pod | Node | Service) -> tuple[IPAddress, ...]:
    """Return the addresses that show which IP versions a cluster has."""
    match thing:
        case Pod():
            return () if thing.finished else thing.addresses
        case Node():
            return thing.addresses
        case Service():
            return thing.cluster_ips


def families_of(versions: Iterable[int]) -> tuple[int, ...]:
    """Return the IP versions that are there, both where nothing shows one."""
    return tuple(sorted(set(versions))) or (4, 6)


def _members(
    namespaces: Mapping[str, Namespace],
    groups: Groups,
    rules: Iterable[tuple[CompiledRule, ...]],
) -> Mapping[PeerSelector, Members]:
    wanted = {selector for of_policy in rules for selector in peer_selectors(of_policy)}
    spaces = _Spaces([namespaces[name] for name in groups])
    return {selector: _resolve(selector, spaces, groups) for selector in wanted}


class _Spaces:
    """The namespaces that have pods, by what is known of their labels."""

    def __init__(self, namespaces: Iterable[Namespace]) -> None:
        self._by_name = {namespace.name: namespace for namespace in namespaces}
        self._declared, self._named = (
            Filed((of.labels, of) for of in namespaces if of.declared is declared)
            for declared in (True, False)
        )

    def find(self, selector: PeerSelector) -> Iterable[Namespace]:
        """Return the namespaces whose pods a peer may mean."""
        if selector.namespace_selector is None:
            own = self._by_name.get(selector.namespace or "")
            return () if own is None else (own,)
        needs = selector.namespace_selector.requirements
        by_name = LabelSelector(tuple(n for n in needs if n.key == METADATA_NAME))
        declared = self._declared.find(selector.namespace_selector)
        return chain(declared, self._named.find(by_name))


def peer_selectors(rules: Iterable[CompiledRule]) -> Iterator[PeerSelector]:
    """Yield each peer of the rules that selects pods, as often as it stands there."""
    for rule in rules:
        for peer in rule.peers or ():
            if isinstance(peer.target, PeerSelector):
                yield peer.target


def _resolve(selector: PeerSelector, spaces: _Spaces, groups: Groups) -> Members:
    certain: list[ObjectKey] = []
    possible: list[ObjectKey] = []
    for namespace in spaces.find(selector):
        inside = in_namespace(selector, namespace)
        if inside is False:
            continue
        found = certain if inside else possible
        for labels, pods in groups[namespace.name].find(selector.pod_selector):
            if selects(selector.pod_selector, labels):
                found.extend(pods)
    return Members(frozenset(certain), frozenset(possible))


def in_namespace(selector: PeerSelector, namespace: Namespace) -> Tri:
    """Whether a peer can mean pods of a namespace; None where a label is unknown."""
    if selector.namespace_selector is None:
        return selector.namespace == namespace.name
    return selects_namespace(selector.namespace_selector, namespace)
