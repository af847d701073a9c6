"""Why a pair of ends is answered otherwise: which policy line, which fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ringfence.analysis.change.counterparts import Joint, Side
from ringfence.analysis.change.facts import Because, Fact, Facts
from ringfence.analysis.change.policychange import (
    Term,
    changed_policies,
    new_terms,
    novelty,
)
from ringfence.engine.compiled import PeerSelector, Target
from ringfence.engine.explain import explain
from ringfence.model.flow import (
    PORT_PROTOCOLS,
    AddressEnd,
    Direction,
    End,
    Flow,
    PodEnd,
    Protocol,
)
from ringfence.model.meta import ObjectKey, Position
from ringfence.model.verdict import EndEvidence, Evidence, Outcome, RuleMatch
from ringfence.sets.conns import EVERY_PORT, ConnSet, conn_set

RANK = {Outcome.DENY: 0, Outcome.UNDECIDED: 1, Outcome.ALLOW: 2}
"""More may pass the higher it is."""


class How(Enum):
    """What became of a policy's line between the two clusters."""

    ADDED = "added"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ByPolicy:
    """A line of a policy that decides: of the head, or, if it went, of the base.

    ``match`` is the rule that allows; None: the policy isolates the pod.
    ``at_port``: it is the entry of ``ports`` that is new, not the peer.
    """

    policy: ObjectKey
    direction: Direction
    how: How
    position: Position
    match: RuleMatch | None = None
    at_port: bool = False


class Causes(NamedTuple):
    """Why something is answered otherwise; ``unknown``: the facts that lack."""

    by: tuple[ByPolicy, ...] = ()
    because: tuple[Because, ...] = ()
    unknown: tuple[str, ...] = ()


class Inquiry:
    """Asks two clusters for the evidence behind a difference."""

    def __init__(self, base: Side, head: Side, facts: Facts) -> None:
        self._base = base
        self._head = head
        self._facts = facts
        clusters = (base.compiled.cluster, head.compiled.cluster)
        self._changed = changed_policies(*clusters)

    def touched(self, direction: Direction, joint: Joint) -> frozenset[ObjectKey]:
        """Return the changed policies that isolate an end's pods for a direction."""
        found: set[ObjectKey] = set()
        for side, number in ((self._base, joint.base), (self._head, joint.head)):
            if number is not None and not joint.networks:
                pod = side.reachability.classes[number].pods[0]
                policy_set = side.compiled.policy_set(direction, pod)
                found.update(policy_set.policies if policy_set else ())
        return frozenset(found & self._changed)

    def causes(self, source: Joint, destination: Joint, conns: ConnSet) -> Causes:
        """Return why some connections between two ends are answered otherwise."""
        before = _evidence(self._base, (source.base, destination.base), conns)
        after = _evidence(self._head, (source.head, destination.head), conns)
        by: list[ByPolicy] = []
        for direction in Direction:
            one, other = _end(before, direction), _end(after, direction)
            if before is None:
                by += self._matches(other, self._head, self._base)
            elif after is None:
                by += self._matches(one, self._base, self._head)
            elif one.outcome is not other.outcome:
                opens = RANK[one.outcome] < RANK[other.outcome]
                ends = (source, destination)
                by += self._decisive(one, other) or self._possible(
                    direction, ends, conns, opens=opens
                )
        return Causes(
            tuple(by),
            self._because(source, destination, by),
            tuple(dict.fromkeys((*_unknown(before), *_unknown(after)))),
        )

    def _because(
        self, source: Joint, destination: Joint, by: list[ByPolicy]
    ) -> tuple[Because, ...]:
        ends = (source, destination)
        found = [fact for joint in ends for fact in self._facts.chief(joint)]
        moved = [fact for fact in found if fact.fact in {Fact.CAME, Fact.WENT}]
        found = moved or found
        if not found and all(line.how is How.UNCHANGED for line in by):
            found = [fact for joint in ends for fact in self._facts.minor(joint)]
        return tuple(dict.fromkeys(found))

    def _decisive(self, one: EndEvidence, other: EndEvidence) -> list[ByPolicy]:
        """Return the lines that make the difference between two answers of an end."""
        if RANK[one.outcome] < RANK[other.outcome]:
            lines = list(self._matches(other, self._head, self._base))
            if not other.isolated:
                lines = list(self._isolating(one, self._base))
        elif one.isolated:
            lines = list(self._matches(one, self._base, self._head))
        else:
            lines = list(self._isolating(other, self._head))
        return [line for line in lines if line.how is not How.UNCHANGED] or lines

    def _possible(
        self,
        direction: Direction,
        ends: tuple[Joint, Joint],
        conns: ConnSet,
        *,
        opens: bool,
    ) -> Iterator[ByPolicy]:
        """Yield the lines that one cluster alone has and that may allow."""
        here, there = (self._base, self._head)[:: -1 if opens else 1]
        mine, other = ends[:: -1 if direction is Direction.INGRESS else 1]
        for key in sorted(self.touched(direction, mine)):
            policy = here.compiled.cluster.policies.get(key)
            if policy is None:
                continue
            for match, term in new_terms(policy, direction, there.compiled.cluster):
                if _may_be(term.target, here, other) and _may_serve(term, conns):
                    yield self._line(match, here, there)

    def _matches(self, end: EndEvidence, here: Side, there: Side) -> Iterator[ByPolicy]:
        for match in end.allowed_by:
            yield self._line(match, here, there)

    def _line(self, match: RuleMatch, here: Side, there: Side) -> ByPolicy:
        policy = here.compiled.cluster.policies[match.policy]
        new = novelty(policy, match, there.compiled.cluster)
        at_port = new.term and not new.target and match.port is not None
        position = match.position
        if at_port and match.port is not None:
            ports = policy.rules(match.direction)[match.rule].ports or ()
            position = ports[match.port].position
        how = self._how(here) if new.term else How.UNCHANGED
        return ByPolicy(match.policy, match.direction, how, position, match, at_port)

    def _isolating(self, end: EndEvidence, here: Side) -> Iterator[ByPolicy]:
        """Yield the policies that isolate an end of one cluster."""
        for key in end.policies:
            policy = here.compiled.cluster.policies[key]
            how = self._how(here) if key in self._changed else How.UNCHANGED
            yield ByPolicy(key, end.direction, how, policy.position)

    def _how(self, here: Side) -> How:
        return How.ADDED if here is self._head else How.REMOVED


def _may_be(target: Target | None, here: Side, other: Joint) -> bool:
    """Whether a peer may mean an end: what an ipBlock holds hangs on addresses.

    Peers of a direction that no policy lists mean nobody.
    """
    if not isinstance(target, PeerSelector):
        return True
    members = here.compiled.members.get(target)
    return members is not None and any(
        pod in members.certain or pod in members.possible for pod in other.pods
    )


def _may_serve(term: Term, conns: ConnSet) -> bool:
    """Whether an entry of ``ports`` may mean a connection; names can mean any."""
    if term.service is None:
        return True
    protocol, port, last = term.service
    every = EVERY_PORT if not isinstance(port, int) else ((port, last or port),)
    return bool(conns & conn_set({protocol.value: every}, other=False))


def _end(evidence: Evidence | None, direction: Direction) -> EndEvidence:
    if evidence is None:
        return EndEvidence(direction, Outcome.DENY, None)
    return evidence.egress if direction is Direction.EGRESS else evidence.ingress


def _unknown(evidence: Evidence | None) -> Iterator[str]:
    """Yield the facts that an undecided verdict lacks, at whichever end they lack."""
    if evidence is not None and evidence.verdict.outcome is Outcome.UNDECIDED:
        yield from evidence.egress.unknown
        yield from evidence.ingress.unknown


def _evidence(
    side: Side, numbers: tuple[int | None, int | None], conns: ConnSet
) -> Evidence | None:
    """Return a cluster's evidence on one connection, None where an end is not there."""
    source, destination = numbers
    if source is None or destination is None:
        return None
    protocol, port = _first(conns)
    ends = (
        _member(side, source, 0),
        _member(side, destination, -1 if source == destination else 0),
    )
    return explain(side.compiled, Flow(*ends, protocol, port))


def _member(side: Side, number: int, index: int) -> End:
    one = side.reachability.classes[number]
    if one.outside is not None:
        return AddressEnd(one.outside.address)
    return PodEnd(one.pods[index])


def _first(conns: ConnSet) -> tuple[Protocol, int | None]:
    """Return one connection of a set, of a protocol with ports if there is any."""
    ports = dict(conns.ports)
    for protocol in PORT_PROTOCOLS:
        if protocol.value in ports:
            return protocol, ports[protocol.value][0][0]
    return Protocol.OTHER, None
