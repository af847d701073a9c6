"""What two versions of a policy say differently, whatever way they are written.

A direction of a policy is the set of its terms: one peer with one port. Which
rule a term stands in, where, and in what order, makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import CompiledRule, Target
from ringfence.engine.compiler import compile_rules
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy, PolicyPort
from ringfence.model.verdict import RuleMatch

Service: TypeAlias = tuple[Protocol, int | str | None, int | None]


class Term(NamedTuple):
    """One peer and one port; None does not restrict."""

    target: Target | None
    service: Service | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """A policy without its places: equal values, equal policies."""

    pod_selector: LabelSelector
    isolates: frozenset[Direction]
    terms: frozenset[tuple[Direction, Term]]


def meaning(policy: NetworkPolicy) -> Meaning:
    """Return what a policy means; rules of directions not listed mean nothing."""
    terms = {
        (direction, term)
        for direction in policy.policy_types
        for rule in compile_rules(policy, direction)
        for term in _terms(rule)
    }
    return Meaning(policy.pod_selector, policy.policy_types, frozenset(terms))


def _terms(rule: CompiledRule) -> list[Term]:
    targets = [None] if rule.peers is None else [peer.target for peer in rule.peers]
    services = [None] if rule.ports is None else [_service(p) for p in rule.ports]
    return [Term(target, service) for target in targets for service in services]


def _service(port: PolicyPort) -> Service:
    return (port.protocol, port.port, port.end_port)


def changed_policies(base: Cluster, head: Cluster) -> frozenset[ObjectKey]:
    """Return the policies that came, went, or mean something else."""
    changed = set(base.policies.keys() ^ head.policies.keys())
    for key in base.policies.keys() & head.policies.keys():
        if meaning(base.policies[key]) != meaning(head.policies[key]):
            changed.add(key)
    return frozenset(changed)


class Novelty(NamedTuple):
    """What of a matching rule the other version of its policy does not have."""

    term: bool
    target: bool


def novelty(policy: NetworkPolicy, match: RuleMatch, other: Cluster) -> Novelty:
    """Return whether a term of a policy is new beside another cluster's version.

    ``target`` tells that its peer is, and not its port alone.
    """
    mine = _term(compile_rules(policy, match.direction)[match.rule], match)
    counterpart = other.policies.get(policy.key)
    if counterpart is None:
        return Novelty(term=True, target=True)
    known = {term for way, term in meaning(counterpart).terms if way is match.direction}
    return Novelty(
        mine not in known,
        mine.target not in {term.target for term in known},
    )


def new_terms(
    policy: NetworkPolicy, direction: Direction, other: Cluster
) -> Iterator[tuple[RuleMatch, Term]]:
    """Yield the entries of a policy that another cluster's version does not have."""
    for index, rule in enumerate(compile_rules(policy, direction)):
        for peer in _places(rule.peers):
            for port in _places(rule.ports):
                position = rule.position
                if rule.peers is not None and peer is not None:
                    position = rule.peers[peer].position
                match = RuleMatch(policy.key, direction, index, peer, port, position)
                if novelty(policy, match, other).term:
                    yield match, _term(rule, match)


def _places(entries: Sequence[object] | None) -> Iterable[int | None]:
    return (None,) if entries is None else range(len(entries))


def _term(rule: CompiledRule, match: RuleMatch) -> Term:
    target, service = None, None
    if rule.peers is not None and match.peer is not None:
        target = rule.peers[match.peer].target
    if rule.ports is not None and match.port is not None:
        service = _service(rule.ports[match.port])
    return Term(target, service)
