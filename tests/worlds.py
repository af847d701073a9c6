"""Small clusters for the engine's tests, built from values in one line each."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from ringfence.manifest.labelquery import parse_label_query
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Flow, PodEnd, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import (
    METADATA_NAME,
    ContainerPort,
    Namespace,
    Node,
    Pod,
    Service,
)

INGRESS = frozenset({Direction.INGRESS})
EGRESS = frozenset({Direction.EGRESS})


def key(text: str) -> ObjectKey:
    namespace, _, name = text.rpartition("/")
    return ObjectKey(namespace or "default", name)


def labels(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(",") if pair)


def pod(
    name: str,
    label_text: str = "",
    *addresses: str,
    ports: Iterable[ContainerPort] | None = (),
    **fields: object,
) -> Pod:
    return Pod(
        key(name),
        labels(label_text),
        tuple(map(ip_address, addresses)),
        None if ports is None else tuple(ports),
        **fields,  # type: ignore[arg-type]  # the tests name Pod's own fields
    )


def peer(pods: str | None = None, namespaces: str | None = None) -> Peer:
    return Peer(
        None if pods is None else parse_label_query(pods),
        None if namespaces is None else parse_label_query(namespaces),
    )


def block(cidr: str, *holes: str) -> Peer:
    return Peer(ip_block=IPBlock(ip_network(cidr), tuple(map(ip_network, holes))))


def tcp(port: int | str | None, end: int | None = None) -> PolicyPort:
    return PolicyPort(Protocol.TCP, port, end)


def rule(peers: Iterable[Peer] = (), ports: Iterable[PolicyPort] = ()) -> Rule:
    return Rule(tuple(peers) or None, tuple(ports) or None)


def ingress(name: str, selector: str, *rules: Rule) -> NetworkPolicy:
    return NetworkPolicy(key(name), parse_label_query(selector), INGRESS, rules)


def egress(name: str, selector: str, *rules: Rule) -> NetworkPolicy:
    return NetworkPolicy(key(name), parse_label_query(selector), EGRESS, (), rules)


def cluster(
    *things: Pod | NetworkPolicy | Namespace | Node | Service,
) -> Cluster:
    """Return the cluster of these objects, with every namespace they use."""
    pods = {t.key: t for t in things if isinstance(t, Pod)}
    policies = {t.key: t for t in things if isinstance(t, NetworkPolicy)}
    services = {t.key: t for t in things if isinstance(t, Service)}
    namespaces = {
        k.namespace: Namespace(k.namespace, {METADATA_NAME: k.namespace})
        for k in (*pods, *policies, *services)
    }
    namespaces.update({t.name: t for t in things if isinstance(t, Namespace)})
    nodes = {t.name: t for t in things if isinstance(t, Node)}
    return Cluster(namespaces, pods, nodes, services, {}, policies)


def flow(source: str, destination: str, port: int | None = 80) -> Flow:
    return Flow(PodEnd(key(source)), PodEnd(key(destination)), Protocol.TCP, port)
