"""NetworkPolicy objects, judged and defaulted, as values."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.selector import decode_selector
from ringfence.model.flow import PORT_PROTOCOLS, Direction, IPNetwork, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule

_MAPPED = IPv6Network("::ffff:0:0/96")
_DIRECTIONS = tuple(direction.value for direction in Direction)
_PROTOCOLS = tuple(protocol.value for protocol in PORT_PROTOCOLS)
_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def decode_policy(policy: Field, key: ObjectKey) -> NetworkPolicy:
    """Return the policy of an object that has been judged valid and defaulted.

    ``policy`` holds the defaulted object and answers positions from the text as
    written; an entry that was null there takes the place of its list.
    """
    spec = policy.at("spec")
    types = spec.entries("policyTypes")
    return NetworkPolicy(
        key=key,
        pod_selector=decode_selector(spec.at("podSelector")),
        policy_types=frozenset(
            Direction(entry.word(_DIRECTIONS, "Ingress")) for entry in types
        ),
        ingress=_rules(spec.at("ingress"), Direction.INGRESS),
        egress=_rules(spec.at("egress"), Direction.EGRESS),
        labels=policy.labels("metadata", "labels"),
        position=policy.position,
    )


def _rules(rules: Field, direction: Direction) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            peers=tuple(map(_peer, rule.at(_PEERS[direction]).entries())) or None,
            ports=tuple(map(_port, rule.entries("ports"))) or None,
            position=rule.position,
        )
        for rule in rules.entries()
    )


def _peer(peer: Field) -> Peer:
    block = peer.at("ipBlock")
    pods, namespaces = peer.at("podSelector"), peer.at("namespaceSelector")
    return Peer(
        pod_selector=None if pods.absent else decode_selector(pods),
        namespace_selector=None if namespaces.absent else decode_selector(namespaces),
        ip_block=None if block.absent else _block(block),
        position=peer.position,
    )


def _block(block: Field) -> IPBlock | None:
    cidr = _network(block.at("cidr"))
    excepted = map(_network, block.entries("except"))
    if cidr is None:
        return None
    return IPBlock(cidr, tuple(hole for hole in excepted if hole is not None))


def _network(written: Field) -> IPNetwork | None:
    try:
        return parse_block(written.text())
    except ValueError:
        written.complain(f'must be a CIDR, found "{written.text()}"')
        return None


def parse_block(text: str) -> IPNetwork:
    """Return the network that a CIDR means to a server that accepts it.

    Host bits and leading zeros, which servers up to 1.35 let pass, are dropped;
    an IPv4-mapped IPv6 network is the IPv4 network (Go's net.ParseCIDR as
    k8s.io/utils/net carries it). Raises ValueError where it is no CIDR.
    """
    address, slash, length = text.partition("/")
    head, colon, tail = address.rpartition(":")
    if "." in tail:
        tail = ".".join(octet.lstrip("0") or "0" for octet in tail.split("."))
    bits = length.lstrip("0") or "0"
    network = ip_network(f"{head}{colon}{tail}{slash}{bits}", strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((low, network.prefixlen - _MAPPED.prefixlen))
    return network


def _port(port: Field) -> PolicyPort:
    number = port.at("port").value
    end = port.at("endPort").value
    return PolicyPort(
        protocol=Protocol(port.word(_PROTOCOLS, "TCP", "protocol")),
        port=number if isinstance(number, int | str) else None,
        end_port=end if isinstance(end, int) else None,
        position=port.position,
    )
