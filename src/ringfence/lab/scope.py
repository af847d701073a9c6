"""Which flows a run tries: every pair and port of a lab, or what a batch asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from ringfence.engine.allpairs.blocks import policy_blocks
from ringfence.engine.allpairs.classes import outside_classes
from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import flow_atoms
from ringfence.engine.stations import connections
from ringfence.errors import InputError, Problem
from ringfence.lab.addressing import usable
from ringfence.lab.plan import Cni
from ringfence.lab.topology import Topology, plan_topology
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    Direction,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    IPNetwork,
    PodEnd,
    Protocol,
)
from ringfence.questions.batch import Ask
from ringfence.questions.reference import AddressRef
from ringfence.questions.resolve import Question, UnknownEndpointError, resolve
from ringfence.report.words import end_id

_UNDECLARED_FROM = 9999
_MOST_LOOKED_AT = 64  # addresses of a network, for one that is free

Service: TypeAlias = tuple[Protocol, int]
"""A protocol and a destination port."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of a run: what was asked, in its own words, and the flows to try."""

    source: str
    destination: str
    protocol: Protocol
    port: int | str | None
    flows: tuple[Flow, ...]


def every_pair(
    cluster: Cluster, nodes: int, cni: Cni = Cni.ROUTED
) -> tuple[Topology, list[Asked]]:
    """Plan a lab and every ordered pair of its endpoints on every declared port.

    Endpoints are live pods, the internet and an address of each part of the
    outside that policies tell apart. Each pair is also tried on one TCP port that
    nobody declares. Raises InputError.
    """
    first = plan_topology(cluster, nodes=nodes)
    compiled = compile_cluster(first.cluster)
    samples = tuple(_samples(compiled))
    topology = plan_topology(first.cluster, outside=samples, nodes=nodes, cni=cni)
    pods, outside = _ends(topology, samples)
    if not pods:
        raise InputError([Problem("", "no pod to try: the manifests hold none alive")])
    undeclared = (Protocol.TCP, _undeclared(cluster))
    foreign = {*_policy_ports(cluster), undeclared}
    pairs = [(one, pod) for pod in pods for one in (*pods, *outside) if one != pod]
    asked = [
        _single(Flow(source, pod, *service))
        for source, pod in pairs
        for service in _sorted({*_declared(topology, pod), undeclared})
    ]
    asked += [
        _single(Flow(pod, stranger, *service))
        for stranger in outside
        for pod in pods
        for service in _sorted(foreign)
    ]
    return topology, asked


def _ends(
    topology: Topology, samples: Iterable[IPAddress]
) -> tuple[list[PodEnd], list[End]]:
    """Return the live pods, sorted, and the outside ends of a lab."""
    live = (pod for pod in topology.cluster.pods.values() if not pod.finished)
    outside: list[End] = [InternetEnd()] if topology.internet else []
    outside += map(AddressEnd, samples)
    return [PodEnd(key) for key in sorted(pod.key for pod in live)], outside


def _declared(topology: Topology, pod: PodEnd) -> Iterator[Service]:
    for port in topology.cluster.pods[pod.key].ports or ():
        yield port.protocol, port.number


def _sorted(services: Iterable[Service]) -> list[Service]:
    return sorted(services, key=lambda service: (service[0].value, service[1]))


def _single(flow: Flow) -> Asked:
    source, destination = end_id(flow.source), end_id(flow.destination)
    return Asked(source, destination, flow.protocol, flow.port, (flow,))


def _samples(compiled: Compiled) -> Iterator[IPAddress]:
    """Yield a free address of each part of the outside that narrow blocks cover."""
    cluster = compiled.cluster
    taken = {a for pod in cluster.pods.values() for a in pod.addresses}
    taken |= {a for node in cluster.nodes.values() for a in node.addresses}
    for part in outside_classes(compiled):
        if _is_internet(cluster, part.address):
            continue
        found = (_free(network, taken) for network in part.networks)
        yield from islice((a for a in found if a is not None), 1)


def _free(network: IPNetwork, taken: Collection[IPAddress]) -> IPAddress | None:
    hosts: Iterator[IPAddress] = iter(network.hosts())
    for address in islice(hosts, _MOST_LOOKED_AT):
        if address not in taken and usable(address):
            return address
    return None


def _is_internet(cluster: Cluster, address: IPAddress) -> bool:
    """Whether no block narrower than /0 covers the address."""
    return not any(
        block.prefixlen > 0 and address in block for block in policy_blocks(cluster)
    )


def _policy_ports(cluster: Cluster) -> Iterator[Service]:
    """Yield the port numbers that egress rules name; ranges give both their ends."""
    for policy in cluster.policies.values():
        for rule in policy.rules(Direction.EGRESS):
            for port in rule.ports or ():
                for number in (port.port, port.end_port):
                    if isinstance(number, int):
                        yield port.protocol, number


def _undeclared(cluster: Cluster) -> int:
    """Return a TCP port that no pod declares and no policy names."""
    known = {p.number for pod in cluster.pods.values() for p in pod.ports or ()}
    ranges = [
        (port.port, port.end_port or port.port)
        for policy in cluster.policies.values()
        for rule in (*policy.ingress, *policy.egress)
        for port in rule.ports or ()
        if isinstance(port.port, int)
    ]
    free = (
        number
        for number in range(_UNDECLARED_FROM, 0, -1)
        if number not in known
        and not any(low <= number <= high for low, high in ranges)
    )
    return next(free, _UNDECLARED_FROM)


def batch(
    cluster: Cluster, asks: Sequence[Ask], nodes: int, cni: Cni = Cni.ROUTED
) -> tuple[Topology, list[Asked]]:
    """Plan a lab that has every address asked for, and the flows of each question.

    A group stands for its members; a question about every port is tried on one
    port of each stretch that policies cannot tell apart. Raises InputError.
    """
    named = {
        reference.address
        for ask in asks
        for reference in (ask.source, ask.destination)
        if isinstance(reference, AddressRef)
    }
    # Service addresses are translated before policy and hosts see them.
    named -= {ip for svc in cluster.services.values() for ip in svc.cluster_ips}
    first = plan_topology(cluster, outside=named, nodes=nodes)
    flows = _resolve(first, asks)
    strangers = {
        end.address
        for of in flows
        for flow in of
        for end in (flow.source, flow.destination)
        if isinstance(end, AddressEnd)
    }
    topology = plan_topology(first.cluster, outside=strangers, nodes=nodes, cni=cni)
    compiled = compile_cluster(topology.cluster)
    return topology, [
        Asked(
            ask.source_text,
            ask.destination_text,
            ask.protocol,
            ask.port.port,
            tuple(one for flow in of for one in _ports(compiled, flow)),
        )
        for ask, of in zip(asks, flows, strict=True)
    ]


def _resolve(topology: Topology, asks: Iterable[Ask]) -> list[tuple[Flow, ...]]:
    resolved: list[tuple[Flow, ...]] = []
    problems: list[Problem] = []
    for ask in asks:
        try:
            question = resolve(topology.cluster, ask.source, ask.destination, ask.port)
        except UnknownEndpointError as error:
            problems.append(Problem(ask.place, str(error)))
            continue
        flows = tuple(flow for flow in question.flows if not _nobodys(flow, question))
        reasons = [_untriable(topology, flow) for flow in flows]
        reason = next(filter(None, reasons), "")
        if not flows:
            reason = (
                "; ".join(question.unresolved) or "no host can have such an address"
            )
        if reason:
            problems.append(Problem(ask.place, reason))
        resolved.append(flows)
    if problems:
        raise InputError(problems)
    return resolved


def _nobodys(flow: Flow, question: Question) -> bool:
    """Whether a member of a group is an address that no host can have (0.0.0.0)."""
    ends = (flow.source, flow.destination)
    return question.many and any(
        isinstance(end, AddressEnd) and not usable(end.address) for end in ends
    )


def _untriable(topology: Topology, flow: Flow) -> str:
    """Say why no packet can try a flow, empty if one can."""
    if flow.protocol is Protocol.OTHER:
        return "a lab tries TCP, UDP, SCTP and ICMP"
    if flow.port == 0 and flow.protocol.has_ports:
        return "nobody can listen on port 0"
    internet = any(isinstance(e, InternetEnd) for e in (flow.source, flow.destination))
    if internet and not topology.internet:
        return "blocks narrower than /0 cover every address: nothing is the internet"
    return ""


def _ports(compiled: Compiled, flow: Flow) -> Iterator[Flow]:
    """Yield the flow on one port of each stretch that policies cannot tell apart."""
    if flow.port is not None or not flow.protocol.has_ports:
        yield flow
        return
    firsts = flow_atoms(compiled, connections(compiled, flow), flow.protocol)
    for first, following in zip(firsts, [*firsts[1:], 65536], strict=True):
        # Port 0 is no port to listen on; its stretch is tried on the next one.
        if max(first, 1) < following:
            yield replace(flow, port=max(first, 1))
