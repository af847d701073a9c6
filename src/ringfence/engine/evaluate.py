"""Flow to verdict: two independent questions, exceptions first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ringfence.engine.compiled import Compiled, CompiledRule
from ringfence.engine.match import port_atoms, rule_matches
from ringfence.engine.stations import Connection, Connections, Station, connections
from ringfence.model.flow import Direction, Flow, Protocol
from ringfence.model.meta import Tri, both, unknown_or
from ringfence.model.verdict import Outcome, Verdict

OUTCOMES: dict[Tri, Outcome] = {
    True: Outcome.ALLOW,
    False: Outcome.DENY,
    None: Outcome.UNDECIDED,
}


def evaluate(compiled: Compiled, flow: Flow) -> Verdict:
    """Return the verdict on a flow.

    Raises RingfenceBug where an end is not in the cluster or has finished.
    """
    candidates = connections(compiled, flow)
    if flow.port is None and flow.protocol.has_ports:
        return _every_port(compiled, candidates, flow.protocol)
    return _at_port(compiled, candidates, flow.protocol, flow.port)


def _every_port(
    compiled: Compiled, candidates: Connections, protocol: Protocol
) -> Verdict:
    """Allow only if each port is allowed; the first port that is not decides."""
    first: Verdict | None = None
    undecided: Verdict | None = None
    for port in flow_atoms(compiled, candidates, protocol):
        verdict = _at_port(compiled, candidates, protocol, port)
        if verdict.outcome is Outcome.DENY:
            return verdict
        if verdict.outcome is Outcome.UNDECIDED:
            undecided = undecided or verdict
        first = first or verdict
    return undecided or first or Verdict(Outcome.DENY)


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


def _at_port(
    compiled: Compiled, candidates: Connections, protocol: Protocol, port: int | None
) -> Verdict:
    def passes(connection: Connection) -> Tri:
        return connection_passes(compiled, connection, (protocol, port))

    answers = [_case(case, passes) for case in candidates.cases]
    answer = answers[0][0]
    if any(other is not answer for other, _ in answers):
        answer = None
    deciding = next(c for a, c in answers if answer is None or a is answer)
    addresses = (deciding[0].address, deciding[1].address) if deciding else (None, None)
    return Verdict(OUTCOMES[answer], port, *addresses)


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
    compiled: Compiled, connection: Connection, service: tuple[Protocol, int | None]
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
    service: tuple[Protocol, int | None],
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
