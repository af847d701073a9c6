"""Verdict to evidence: what isolates, what allows, what nearly does, what lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ringfence.engine.compiled import Compiled, CompiledRule, PolicySet, Target
from ringfence.engine.evaluate import OUTCOMES, decide, end_allows, exemption
from ringfence.engine.match import port_matches, rule_matches, target_matches
from ringfence.engine.nearest import end_words, nearest_miss
from ringfence.engine.stations import Connection, Service, Station
from ringfence.model.flow import Direction, Flow
from ringfence.model.netpol import IPBlock
from ringfence.model.verdict import EndEvidence, Evidence, Outcome, RuleMatch, Verdict

SELF = "a pod always reaches itself"
OWN_NODE = "a pod and the node it runs on always reach one another"
NO_FAMILY = "the ends share no address family"


class _Question(NamedTuple):
    """One end's question about the connection that decides a flow."""

    compiled: Compiled
    direction: Direction
    connection: Connection
    service: Service
    hypothetical: bool

    @property
    def subject(self) -> Station:
        return self.connection[self.direction is Direction.INGRESS]

    @property
    def other(self) -> Station:
        return self.connection[self.direction is Direction.EGRESS]

    @property
    def destination(self) -> Station:
        return self.connection[1]


def explain(compiled: Compiled, flow: Flow) -> Evidence:
    """Return the verdict on a flow with both ends' evidence.

    Raises RingfenceBug where an end is not in the cluster or has finished.
    """
    decision = decide(compiled, flow)
    verdict = decision.verdict
    if decision.connection is None:
        return _unconnected(verdict)
    service = (flow.protocol, verdict.port)
    egress, ingress = (
        _end(
            _Question(
                compiled,
                direction,
                decision.connection,
                service,
                decision.hypothetical,
            )
        )
        for direction in (Direction.EGRESS, Direction.INGRESS)
    )
    return Evidence(verdict, egress, ingress)


def _unconnected(verdict: Verdict) -> Evidence:
    egress, ingress = (
        EndEvidence(direction, verdict.outcome, None, unknown=(NO_FAMILY,))
        for direction in (Direction.EGRESS, Direction.INGRESS)
    )
    return Evidence(verdict, egress, ingress)


def _end(question: _Question) -> EndEvidence:
    pod = question.subject.pod
    direction = question.direction
    if pod is None:
        return EndEvidence(direction, Outcome.ALLOW, None)
    policy_set = question.compiled.policy_set(direction, pod.key)
    policies = policy_set.policies if policy_set else ()
    if exemption(*question.connection):
        reason = SELF if question.other.pod is not None else OWN_NODE
        return EndEvidence(direction, Outcome.ALLOW, pod.key, policies, exempt=reason)
    if policy_set is None:
        return EndEvidence(direction, Outcome.ALLOW, pod.key)
    outcome = OUTCOMES[
        end_allows(question.compiled, direction, question.connection, question.service)
    ]
    if outcome is Outcome.ALLOW:
        allowing = tuple(_allowing(question, policy_set))
        return EndEvidence(direction, outcome, pod.key, policies, allowing)
    unknown = tuple(_missing_facts(question, policy_set))
    miss = nearest_miss(
        question.compiled,
        policy_set,
        question.other,
        question.destination,
        question.service,
    )
    return EndEvidence(
        direction,
        Outcome.UNDECIDED if unknown else outcome,
        pod.key,
        policies,
        nearest_miss=miss,
        unknown=unknown,
    )


def _allowing(question: _Question, policy_set: PolicySet) -> Iterable[RuleMatch]:
    for rule in policy_set.rules:
        if not _rule_matches(question, rule):
            continue
        peer, port = _first_peer(question, rule), _first_port(question, rule)
        position = rule.position
        if rule.peers is not None and peer is not None:
            position = rule.peers[peer].position
        elif rule.ports is not None and port is not None:
            position = rule.ports[port].position
        yield RuleMatch(rule.policy, rule.direction, rule.index, peer, port, position)


def _rule_matches(question: _Question, rule: CompiledRule) -> bool | None:
    return rule_matches(
        question.compiled,
        rule,
        question.other,
        question.destination,
        question.service,
    )


def _first_peer(question: _Question, rule: CompiledRule) -> int | None:
    hits = (
        index
        for index, peer in enumerate(rule.peers or ())
        if target_matches(question.compiled, peer.target, question.other)
    )
    return next(hits, None)


def _first_port(question: _Question, rule: CompiledRule) -> int | None:
    hits = (
        index
        for index, entry in enumerate(rule.ports or ())
        if port_matches(entry, question.destination, question.service)
    )
    return next(hits, None)


def _missing_facts(question: _Question, policy_set: PolicySet) -> Iterable[str]:
    """Return each fact that keeps the answer open, once, in order of the rules."""
    facts: dict[str, None] = {}
    if exemption(*question.connection) is None:
        facts["which node the pod runs on is unknown"] = None
    for rule in policy_set.rules:
        if _rule_matches(question, rule) is None:
            facts.update(dict.fromkeys(_rule_facts(question, rule)))
    if question.hypothetical and not facts:
        facts[_family_fact(question.connection)] = None
    return facts


def _rule_facts(question: _Question, rule: CompiledRule) -> Iterable[str]:
    for peer in rule.peers or ():
        if target_matches(question.compiled, peer.target, question.other) is None:
            yield _target_fact(peer.target, question.other)
    for entry in rule.ports or ():
        if port_matches(entry, question.destination, question.service) is None:
            yield (
                f"the container ports of {end_words(question.destination)} are unknown"
            )


def _target_fact(target: Target, other: Station) -> str:
    if isinstance(target, IPBlock):
        return (
            f"the address of {end_words(other)} is unknown, "
            f"ipBlock {target.cidr} may hold it"
        )
    namespace = other.pod.key.namespace if other.pod else ""
    return f"the labels of namespace {namespace} are unknown: no manifest declares it"


def _family_fact(connection: Connection) -> str:
    unknown = next(s for s in connection if s.address is None and not s.internet)
    return f"whether {end_words(unknown)} has an IPv4 or an IPv6 address is unknown"
