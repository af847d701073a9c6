"""Whether a rule's terms match a connection: peers, blocks, ports. Three-valued."""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.engine.compiled import Compiled, CompiledPeer, CompiledRule, Target
from ringfence.engine.stations import Service, Station
from ringfence.model.flow import Protocol
from ringfence.model.meta import Tri, both
from ringfence.model.netpol import IPBlock, PolicyPort
from ringfence.model.workload import ContainerPort


def rule_matches(
    compiled: Compiled,
    rule: CompiledRule,
    other: Station,
    destination: Station,
    service: Service,
) -> Tri:
    """Whether a rule allows a connection: any peer AND any port.

    ``other`` is the end that the rule's peers speak of, ``destination`` the one
    whose ports they name; ``service`` is protocol and destination port (None
    only for protocols without ports).
    """
    ports = ports_match(rule.ports, destination, service)
    if ports is False:
        return False
    return both(ports, peers_match(compiled, rule.peers, other))


def peers_match(
    compiled: Compiled, peers: tuple[CompiledPeer, ...] | None, other: Station
) -> Tri:
    """Whether any peer matches; absent peers match every end, outside ones too."""
    if peers is None:
        return True
    answer: Tri = False
    for peer in peers:
        hit = target_matches(compiled, peer.target, other)
        if hit:
            return True
        if hit is None:
            answer = None
    return answer


def target_matches(compiled: Compiled, target: Target, other: Station) -> Tri:
    """Whether one peer matches: its selectors a pod, its ipBlock an address."""
    if isinstance(target, IPBlock):
        if other.pod is not None and not compiled.profile.blocks_match_pods:
            return False
        return block_covers(target, other)
    if other.pod is None:
        return False
    members = compiled.members[target]
    if other.pod.key in members.certain:
        return True
    return None if other.pod.key in members.possible else False


def block_covers(block: IPBlock, other: Station) -> Tri:
    """Whether the block holds the end's address, a pod's address too.

    A single address of ``internet`` lies in every /0 and in no smaller block,
    so not in an except either.
    """
    if block.cidr.version != other.family:
        return False
    if other.internet:
        return block.cidr.prefixlen == 0
    if other.address is None:
        return True if block.cidr.prefixlen == 0 and not block.except_ else None
    return other.address in block.cidr and not any(
        other.address in hole for hole in block.except_
    )


def ports_match(
    ports: tuple[PolicyPort, ...] | None,
    destination: Station,
    service: Service,
) -> Tri:
    """Whether any entry of ``ports`` matches; absent ports match every protocol."""
    if ports is None:
        return True
    answer: Tri = False
    for entry in ports:
        hit = port_matches(entry, destination, service)
        if hit:
            return True
        if hit is None:
            answer = None
    return answer


def port_matches(entry: PolicyPort, destination: Station, service: Service) -> Tri:
    """Whether one entry matches: protocol, then number, range or name."""
    protocol, number = service
    if entry.protocol is not protocol or number is None:
        return False
    if entry.port is None:
        return True
    if isinstance(entry.port, int):
        return entry.port <= number <= (entry.end_port or entry.port)
    numbers = named_port(entry.port, protocol, destination)
    return None if numbers is None else number in numbers


def named_port(
    name: str, protocol: Protocol, destination: Station
) -> frozenset[int] | None:
    """Return the numbers behind a port name at the destination, None if unknown.

    An end that no pod policy can mean (address, node, hostNetwork pod) has no
    names.
    """
    pod = destination.pod
    return numbers_of(name, protocol, pod.ports if pod is not None else ())


def numbers_of(
    name: str, protocol: Protocol, ports: tuple[ContainerPort, ...] | None
) -> frozenset[int] | None:
    """Return the numbers behind a port name among these ports, None if unknown.

    Name and protocol both have to agree; the same name twice is the union.
    """
    if ports is None:
        return None
    return frozenset(
        port.number for port in ports if port.name == name and port.protocol is protocol
    )


def port_atoms(
    rules: Iterable[CompiledRule], destination: Station, protocol: Protocol
) -> list[int]:
    """Return the first port of each stretch that these rules cannot tell apart.

    Sorted, starting with 0; the stretches cover 0-65535.
    """
    cuts = {0}
    for rule in rules:
        for entry in rule.ports or ():
            if entry.protocol is not protocol or entry.port is None:
                continue
            if isinstance(entry.port, int):
                cuts.update((entry.port, (entry.end_port or entry.port) + 1))
            else:
                for number in named_port(entry.port, protocol, destination) or ():
                    cuts.update((number, number + 1))
    return sorted(cut for cut in cuts if cut <= 65535)  # noqa: PLR2004 - last port
