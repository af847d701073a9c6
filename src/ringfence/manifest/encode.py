"""A cluster back into objects: only the facts that answers need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from ringfence.manifest.encode_entry import encode_entry
from ringfence.manifest.reader import Path
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import NOWHERE, Labels, ObjectKey, Position
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import (
    Namespace,
    Node,
    Owner,
    Pod,
    Service,
    ServicePort,
    Workload,
)

Object: TypeAlias = dict[str, Any]

_API = {
    "ReplicationController": "v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
_FIELDS = {Direction.INGRESS: ("ingress", "from"), Direction.EGRESS: ("egress", "to")}


class Encoded(NamedTuple):
    """An object, and where values of it were written."""

    object: Object
    places: tuple[tuple[Path, Position], ...] = ()


def encode_cluster(cluster: Cluster) -> Iterator[Encoded]:
    """Yield the objects of a cluster by kind and name; decoding gives it back.

    Policies and workloads keep their places. Namespaces that nobody declared
    are left out: they stay unknown.
    """
    for namespace in _sorted(cluster.namespaces):
        if namespace.declared:
            yield Encoded(_namespace(namespace))
    yield from (Encoded(_node(node)) for node in _sorted(cluster.nodes))
    yield from (Encoded(_pod(pod)) for pod in _sorted(cluster.pods))
    yield from (Encoded(_service(service)) for service in _sorted(cluster.services))
    for key in sorted(cluster.workloads):
        workload = cluster.workloads[key]
        yield Encoded(_workload(workload), (((), workload.position),))
    yield from (encode_policy(policy) for policy in _sorted(cluster.policies))
    yield from (Encoded(encode_entry(entry)) for entry in _sorted(cluster.entries))


def _sorted(things: Any) -> Iterator[Any]:
    return (things[key] for key in sorted(things))


def _object(kind: str, key: ObjectKey, labels: Labels | None, **more: Any) -> Object:
    meta: Object = {"name": key.name}
    if key.namespace:
        meta["namespace"] = key.namespace
    if labels is not None:
        meta["labels"] = dict(labels)
    owner = more.pop("owner", None)
    if isinstance(owner, Owner):
        entry = {"kind": owner.kind, "name": owner.name, "controller": True}
        meta["ownerReferences"] = [entry]
    version = more.pop("version", "v1")
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def _namespace(namespace: Namespace) -> Object:
    return _object("Namespace", ObjectKey("", namespace.name), namespace.labels)


def _node(node: Node) -> Object:
    addresses = [{"type": "InternalIP", "address": str(a)} for a in node.addresses]
    key = ObjectKey("", node.name)
    return _object("Node", key, node.labels, status={"addresses": addresses})


def _pod(pod: Pod) -> Object:
    status: Object = {"podIPs": [{"ip": str(address)} for address in pod.addresses]}
    if pod.phase is not None:
        status["phase"] = pod.phase
    spec = _pod_spec(pod)
    return _object(
        "Pod", pod.key, pod.labels, owner=pod.owner, spec=spec, status=status
    )


def _pod_spec(pod: Pod) -> Object:
    spec: Object = {}
    if pod.ports is not None:
        ports = [
            {"containerPort": p.number, "protocol": p.protocol.value}
            | ({"name": p.name} if p.name else {})
            for p in pod.ports
        ]
        spec["containers"] = [{"name": "all", "ports": ports}]
    if pod.node is not None:
        spec["nodeName"] = pod.node
    if pod.host_network:
        spec["hostNetwork"] = True
    return spec


def _service(service: Service) -> Object:
    spec: Object = {
        "type": service.type,
        "ports": [_service_port(port) for port in service.ports],
        "clusterIPs": ["None"]
        if service.headless
        else [str(address) for address in service.cluster_ips],
    }
    if service.selector is not None:
        spec["selector"] = dict(service.selector)
    return _object("Service", service.key, None, spec=spec)


def _service_port(port: ServicePort) -> Object:
    written: Object = {
        "port": port.port,
        "targetPort": port.target,
        "protocol": port.protocol.value,
    }
    if port.name is not None:
        written["name"] = port.name
    if port.node_port is not None:
        written["nodePort"] = port.node_port
    return written


def _workload(workload: Workload) -> Object:
    template = workload.template
    pods: Object = {
        "metadata": {"labels": dict(template.labels)},
        "spec": _pod_spec(template),
    }
    spec: Object = {"template": pods}
    if workload.kind == "CronJob":
        count = {} if workload.replicas is None else {"parallelism": workload.replicas}
        spec = {"jobTemplate": {"spec": {**spec, **count}}}
    elif workload.replicas is not None:
        word = "parallelism" if workload.kind == "Job" else "replicas"
        spec[word] = workload.replicas
    if workload.selector is not None:
        spec["selector"] = _selector(workload.selector)
        if workload.kind == "ReplicationController":
            spec["selector"] = spec["selector"].get("matchLabels", {})
    version = _API.get(workload.kind, "apps/v1")
    return _object(
        workload.kind,
        workload.key,
        None,
        owner=workload.owner,
        version=version,
        spec=spec,
    )


def encode_policy(policy: NetworkPolicy) -> Encoded:
    """Return a policy as an object, with the place of every entry."""
    types = [d.value for d in Direction if d in policy.policy_types]
    spec: Object = {"podSelector": _selector(policy.pod_selector), "policyTypes": types}
    places: list[tuple[Path, Position]] = [((), policy.position)]
    for direction, (word, peer_word) in _FIELDS.items():
        rules = policy.rules(direction)
        if rules:
            spec[word] = [_rule(rule, peer_word) for rule in rules]
        for index, rule in enumerate(rules):
            places += _rule_places(("spec", word, index), rule, peer_word)
    api = "networking.k8s.io/v1"
    written = _object(
        "NetworkPolicy", policy.key, policy.labels, version=api, spec=spec
    )
    return Encoded(written, tuple(place for place in places if place[1] != NOWHERE))


def _rule(rule: Rule, peer_word: str) -> Object:
    written: Object = {}
    if rule.peers is not None:
        written[peer_word] = [_peer(peer) for peer in rule.peers]
    if rule.ports is not None:
        written["ports"] = [_port(port) for port in rule.ports]
    return written


def _rule_places(
    path: Path, rule: Rule, peer_word: str
) -> Iterator[tuple[Path, Position]]:
    yield path, rule.position
    members: tuple[tuple[str, Iterable[Peer | PolicyPort]], ...] = (
        (peer_word, rule.peers or ()),
        ("ports", rule.ports or ()),
    )
    for word, entries in members:
        for index, entry in enumerate(entries):
            yield (*path, word, index), entry.position


def _peer(peer: Peer) -> Object:
    if peer.ip_block is not None:
        return {"ipBlock": _block(peer.ip_block)}
    written: Object = {}
    if peer.pod_selector is not None:
        written["podSelector"] = _selector(peer.pod_selector)
    if peer.namespace_selector is not None:
        written["namespaceSelector"] = _selector(peer.namespace_selector)
    return written


def _block(block: IPBlock) -> Object:
    written: Object = {"cidr": str(block.cidr)}
    if block.except_:
        written["except"] = [str(hole) for hole in block.except_]
    return written


def _port(port: PolicyPort) -> Object:
    written: Object = {"protocol": port.protocol.value}
    if port.port is not None:
        written["port"] = port.port
    if port.end_port is not None:
        written["endPort"] = port.end_port
    return written


def _selector(selector: LabelSelector) -> Object:
    """Return a selector; terms of one value are ``matchLabels`` where they can be."""
    equal: dict[str, str] = {}
    others: list[Object] = []
    for need in selector.requirements:
        values = sorted(need.values)
        if need.operator.value == "In" and len(values) == 1 and need.key not in equal:
            equal[need.key] = values[0]
            continue
        listed = {"key": need.key, "operator": need.operator.value}
        others.append({**listed, "values": values} if values else listed)
    written: Object = {"matchLabels": equal} if equal else {}
    return {**written, "matchExpressions": others} if others else written
