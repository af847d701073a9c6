"""Flow to verdict: two independent questions, exceptions first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ringfence.engine.compiled import Compiled, CompiledRule
from ringfence.engine.match import port_atoms, rule_matches
from ringfence.engine.stations import (
    Connection,
    Connections,
    Service,
    Station,
    connections,
)
from ringfence.model.flow import Direction, Flow, Protocol
from ringfence.model.meta import Tri, both, unknown_or
from ringfence.model.verdict import Outcome, Verdict

OUTCOMES: dict[Tri, Outcome] = {
    True: Outcome.ALLOW,
    False: Outcome.DENY,
    None: Outcome.UNDECIDED,
}


class Decision(NamedTuple):
    """A verdict and the connection that decides it, None where no family is shared.

    ``hypothetical``: undecided only because the family of an unknown address
    would make the difference.
    """

    verdict: Verdict
    connection: Connection | None
    hypothetical: bool = False


def evaluate(compiled: Compiled, flow: Flow) -> Verdict:
    """Return the verdict on a flow.

    Raises RingfenceBug where an end is not in the cluster or has finished.
    """
    return decide(compiled, flow).verdict


def decide(compiled: Compiled, flow: Flow) -> Decision:
    """Return the verdict on a flow and the connection that it hangs on.

    Raises RingfenceBug where an end is not in the cluster or has finished.
    """
    candidates = connections(compiled, flow)
    if flow.port is None and flow.protocol.has_ports:
        return _every_port(compiled, candidates, flow.protocol)
    return decide_at(compiled, candidates, (flow.protocol, flow.port))


def _every_port(
    compiled: Compiled, candidates: Connections, protocol: Protocol
) -> Decision:
    """Allow only if each port is allowed; the first port that is not decides."""
    atoms = flow_atoms(compiled, candidates, protocol)
    first = decide_at(compiled, candidates, (protocol, atoms[0]))
    undecided: Decision | None = None
    for port in atoms:
        decision = decide_at(compiled, candidates, (protocol, port))
        if decision.verdict.outcome is Outcome.DENY:
            return decision
        if decision.verdict.outcome is Outcome.UNDECIDED:
            undecided = undecided or decision
    return undecided or first


def flow_atoms(
    compiled: Compiled, candidates: Connections, protocol: Protocol
) -> list[int]:
    """Return the first port of each stretch that neither end's policies tell apart."""
    cuts = {0}
    for case in candidates.cases:
        for source, destination in case:
            rules = (
                *_rules(compiled, Direction.EGRESS, source),
                *_rules(compiled, Direction.INGRESS, destination),
            )
            cuts.update(port_atoms(rules, destination, protocol))
    return sorted(cuts)


def _rules(
    compiled: Compiled, direction: Direction, subject: Station
) -> Iterable[CompiledRule]:
    if subject.pod is None:
        return ()
    policy_set = compiled.policy_set(direction, subject.pod.key)
    return policy_set.rules if policy_set else ()


def decide_at(
    compiled: Compiled, candidates: Connections, service: Service
) -> Decision:
    """Return the decision on one port (or on a protocol without ports)."""

    def passes(connection: Connection) -> Tri:
        return connection_passes(compiled, connection, service)

    port = service[1]

    answers = [_case(case, passes) for case in candidates.cases]
    agreed = len({answer for answer, _ in answers}) == 1
    answer = answers[0][0] if agreed else None
    # Cases that disagree: the one that does not pass shows what is missing.
    connection = next(c for a, c in answers if agreed or a is not True)
    if connection is None:
        return Decision(Verdict(OUTCOMES[answer], port), None, not agreed)
    source, destination = connection
    verdict = Verdict(OUTCOMES[answer], port, source.address, destination.address)
    return Decision(verdict, connection, not agreed)


def _case(
    case: tuple[Connection, ...], passes: Callable[[Connection], Tri]
) -> tuple[Tri, Connection | None]:
    """Kleene OR over a case's connections, with one that has the answer."""
    answer: Tri = False
    deciding = case[0] if case else None
    for connection in case:
        hit = passes(connection)
        if hit:
            return True, connection
        if hit is None and answer is False:
            answer, deciding = None, connection
    return answer, deciding


def connection_passes(
    compiled: Compiled, connection: Connection, service: Service
) -> Tri:
    """Whether a connection passes: an exception holds, or both ends say yes."""
    source, destination = connection
    exempt = exemption(source, destination)
    if exempt:
        return True
    egress = end_allows(compiled, Direction.EGRESS, connection, service)
    if egress is False:
        return exempt
    ingress = end_allows(compiled, Direction.INGRESS, connection, service)
    return unknown_or([exempt, both(egress, ingress)])


def exemption(source: Station, destination: Station) -> Tri:
    """Whether no policy can stop the connection, whatever it says.

    A pod reaches itself, and the node it runs on; None where it is not known
    which node an end is on.
    """
    if source.pod is not None and destination.pod is not None:
        return source.pod.key == destination.pod.key
    if source.pod is None and destination.pod is None:
        return True
    pod, other = (source.pod, destination) if source.pod else (destination.pod, source)
    if pod is None or not other.on_a_node:
        return False
    if pod.node is None or other.node is None:
        return None
    return pod.node == other.node


def end_allows(
    compiled: Compiled,
    direction: Direction,
    connection: Connection,
    service: Service,
) -> Tri:
    """Whether one end's policies allow the connection.

    An end that is no pod asks nothing; a pod that no policy isolates for the
    direction allows everything; else some rule has to match.
    """
    source, destination = connection
    subject, other = (
        (source, destination)
        if direction is Direction.EGRESS
        else (destination, source)
    )
    if subject.pod is None:
        return True
    policy_set = compiled.policy_set(direction, subject.pod.key)
    if policy_set is None:
        return True
    answer: Tri = False
    for rule in policy_set.rules:
        hit = rule_matches(compiled, rule, other, destination, service)
        if hit:
            return True
        if hit is None:
            answer = None
    return answer
