"""What an end takes from, or sends to, everybody: drawn as a badge, not as lines."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

from ringfence.analysis.matrix import Endpoint
from ringfence.engine.compiled import Compiled, CompiledRule, PeerSelector, PolicySet
from ringfence.model.flow import PORT_PROTOCOLS, Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.netpol import IPBlock, PolicyPort
from ringfence.model.workload import Pod
from ringfence.sets.conns import EVERY_PORT, NOTHING, ConnSet, conn_set

ALL = conn_set({p.value: EVERY_PORT for p in PORT_PROTOCOLS}, other=True)


class Openness(NamedTuple):
    """What passes with anyone at all, with any pod, and with pods perhaps.

    Each holds the one before. Perhaps: an ipBlock may cover pods whose addresses
    are not known.
    """

    anyone: ConnSet
    pods: ConnSet
    perhaps: ConnSet


class Doors(NamedTuple):
    """Both directions of an end, and which of them some policy isolates."""

    inward: Openness
    outward: Openness
    walls: tuple[Direction, ...]


OPEN = Openness(ALL, ALL, ALL)
OUTSIDE = Doors(OPEN, OPEN, ())


def doors(compiled: Compiled, endpoint: Endpoint) -> Doors:
    """Return what holds for every pod of an endpoint; addresses are wide open."""
    if not endpoint.pods:
        return OUTSIDE
    pods = [compiled.cluster.pods[key] for key in endpoint.pods]
    walls = tuple(
        direction
        for direction in Direction
        if any(compiled.policy_set(direction, pod.key) for pod in pods)
    )
    inward = _openness(compiled, Direction.INGRESS, pods)
    return Doors(inward, _openness(compiled, Direction.EGRESS, pods), walls)


def told(
    source: Doors, destination: Doors, *, outside: bool
) -> tuple[ConnSet, ConnSet]:
    """Return what two ends' badges say of a flow between them: surely, and at most.

    ``outside``: one of the ends is no pod.
    """
    if outside:
        sure = source.outward.anyone & destination.inward.anyone
        return sure, sure
    return (
        source.outward.pods & destination.inward.pods,
        source.outward.perhaps & destination.inward.perhaps,
    )


def within(part: ConnSet, whole: ConnSet) -> bool:
    """Whether one set of connections lies in another."""
    return part | whole == whole


def _openness(
    compiled: Compiled, direction: Direction, pods: Iterable[Pod]
) -> Openness:
    found: dict[object, Openness] = {}
    for pod in pods:
        policies = compiled.policy_set(direction, pod.key)
        identity = (policies and policies.policies, pod.ports)
        if identity not in found:
            found[identity] = _of_pod(policies, pod)
    return reduce(_both, found.values())


def _both(one: Openness, other: Openness) -> Openness:
    return Openness(*(mine & theirs for mine, theirs in zip(one, other, strict=True)))


def _of_pod(policies: PolicySet | None, pod: Pod) -> Openness:
    if policies is None:
        return OPEN
    anyone = pods = perhaps = NOTHING
    for rule in policies.rules:
        conns = _conns(rule, pod)
        if rule.peers is None:
            anyone |= conns
        elif any(_is_any_pod(peer.target) for peer in rule.peers):
            pods |= conns
        elif any(isinstance(peer.target, IPBlock) for peer in rule.peers):
            perhaps |= conns
    return Openness(anyone, anyone | pods, anyone | pods | perhaps)


def _is_any_pod(target: object) -> bool:
    return (
        isinstance(target, PeerSelector)
        and target.namespace_selector == EVERYTHING
        and target.pod_selector == EVERYTHING
    )


def _conns(rule: CompiledRule, pod: Pod) -> ConnSet:
    if rule.ports is None:
        return ALL
    return reduce(ConnSet.__or__, (_entry(rule, pod, e) for e in rule.ports), NOTHING)


def _entry(rule: CompiledRule, pod: Pod, entry: PolicyPort) -> ConnSet:
    """Return what an entry of ``ports`` means at any peer, which names do not tell."""
    protocol = entry.protocol.value
    match entry.port:
        case None:
            ranges = list(EVERY_PORT)
        case int(port):
            ranges = [(port, entry.end_port or port)]
        case name if rule.direction is Direction.INGRESS:
            ranges = [
                (port.number, port.number)
                for port in pod.ports or ()
                if port.name == name and port.protocol is entry.protocol
            ]
        case _:
            ranges = []
    return conn_set({protocol: ranges}, other=False)
