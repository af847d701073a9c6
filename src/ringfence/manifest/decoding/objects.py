"""Namespaces, pods, Nodes, Services and workloads, read only as far as a verdict needs.

Nothing else is looked at: a pod without image or uid is a pod (core/v1,
apps/v1, batch/v1 types.go). Places are looked up for workloads only: no answer
tells those of the others, and finding them takes longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.quick import (
    LAST_PORT,
    PHASES,
    PROTOCOLS,
    quick_pod,
    shared_labels,
    shared_ports,
)
from ringfence.manifest.decoding.selector import decode_selector, equality_selector
from ringfence.model.flow import IPAddress, Protocol
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import (
    METADATA_NAME,
    ContainerPort,
    Namespace,
    Node,
    Owner,
    Pod,
    Service,
    ServicePort,
    Workload,
)

_PROTOCOL_WORDS = tuple(PROTOCOLS)
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_NODE_ADDRESSES = frozenset({"InternalIP", "ExternalIP"})
_LAST_INT32 = 2**31 - 1

_TEMPLATE: dict[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_COUNT: dict[str, tuple[str, ...]] = {
    "Job": ("spec", "parallelism"),
    "CronJob": ("spec", "jobTemplate", "spec", "parallelism"),
}
_BY_OWNER_ONLY = frozenset({"Job", "CronJob"})


def decode_namespace(namespace: Field, name: str) -> Namespace:
    """Return the namespace with its name label, which nobody can set otherwise."""
    labels = _labels(namespace)
    return Namespace(name, {**labels, METADATA_NAME: name})


def decode_node(node: Field, name: str) -> Node:
    """Return the node with its internal and external addresses."""
    addresses = [
        entry.address("address")
        for entry in node.entries("status", "addresses")
        if entry.text("type") in _NODE_ADDRESSES
    ]
    return Node(name, _labels(node), _distinct(addresses))


def decode_pod(pod: Field, key: ObjectKey) -> Pod:
    """Return the pod; an unsaid address, port list, node or phase stays unknown."""
    return quick_pod(pod.value, key) or strict_pod(pod, key)


def strict_pod(pod: Field, key: ObjectKey) -> Pod:
    """Return the pod, every problem of it told."""
    return Pod(
        key=key,
        labels=_labels(pod),
        addresses=_pod_addresses(pod),
        ports=_container_ports(pod, "spec"),
        node=pod.text("spec", "nodeName") or None,
        host_network=pod.flag("spec", "hostNetwork"),
        phase=pod.word(PHASES, "", "status", "phase") or None,
        owner=_owner(pod),
    )


def decode_service(service: Field, key: ObjectKey) -> Service:
    """Return the Service; a target port that is not written is the port itself."""
    spec = service.at("spec")
    addresses = [spec.at("clusterIP"), *spec.entries("clusterIPs")]
    headless = any(entry.text() == "None" for entry in addresses)
    ports = (_service_port(entry) for entry in spec.entries("ports"))
    return Service(
        key=key,
        type=spec.word(_SERVICE_TYPES, "ClusterIP", "type"),
        selector=spec.labels("selector") or None,
        ports=tuple(port for port in ports if port is not None),
        cluster_ips=() if headless else _distinct(a.address() for a in addresses),
        headless=headless,
    )


def decode_workload(workload: Field, kind: str, key: ObjectKey) -> Workload:
    """Return the pod template and the number of pods that it stands for."""
    written = workload.at(*_TEMPLATE.get(kind, ("spec", "template")))
    template = Pod(
        key=key,
        labels=_labels(written),
        ports=_container_ports(written, "spec"),
        node=written.text("spec", "nodeName") or None,
        host_network=written.flag("spec", "hostNetwork"),
        owner=Owner(kind, key.name),
    )
    return Workload(
        kind=kind,
        key=key,
        template=template,
        replicas=_replicas(workload, kind),
        selector=_selector(workload.at("spec", "selector"), kind, template.labels),
        owner=_owner(workload),
        position=workload.position,
    )


def _labels(thing: Field) -> Labels:
    labels = thing.labels("metadata", "labels")
    return shared_labels(tuple(labels.items()))


def _owner(thing: Field) -> Owner | None:
    """Return the controller among the owners, else the first of them."""
    first: Owner | None = None
    for entry in thing.entries("metadata", "ownerReferences"):
        owner = Owner(entry.text("kind"), entry.text("name"))
        if entry.flag("controller"):
            return owner
        first = first or owner
    return first


def _distinct(addresses: Iterable[IPAddress | None]) -> tuple[IPAddress, ...]:
    """Return the distinct addresses in the order written."""
    found = tuple(address for address in addresses if address is not None)
    return found if len(found) < 2 else tuple(dict.fromkeys(found))  # noqa: PLR2004 - one is distinct


def _pod_addresses(pod: Field) -> tuple[IPAddress, ...]:
    """Return ``podIPs``; where ``podIP`` differs from their first, it wins alone.

    That is what the API server makes of such a status. A pod in its node's
    network has the node's addresses, said in ``hostIPs`` if not in its own.
    """
    single = pod.address("status", "podIP")
    entries = pod.entries("status", "podIPs")
    several = _distinct([entry.address("ip") for entry in entries])
    if single is not None and several[:1] != (single,):
        return (single,)
    if several or not pod.flag("spec", "hostNetwork"):
        return several
    hosts = [entry.address("ip") for entry in pod.entries("status", "hostIPs")]
    return _distinct([pod.address("status", "hostIP"), *hosts])


def _container_ports(thing: Field, spec: str) -> tuple[ContainerPort, ...] | None:
    """Return the ports that stay open while the pod runs, None where unknown.

    Init containers count if they restart: those are sidecars (KEP-753).
    """
    containers = thing.entries(spec, "containers")
    sidecars = [
        container
        for container in thing.entries(spec, "initContainers")
        if container.text("restartPolicy") == "Always"
    ]
    if not containers:
        return None
    ports = [
        (
            _port_number(entry, "containerPort"),
            entry.word(_PROTOCOL_WORDS, "TCP", "protocol"),
            entry.text("name"),
        )
        for container in containers + sidecars
        for entry in container.entries("ports")
    ]
    return shared_ports(tuple(ports))


def _protocol(entry: Field) -> Protocol:
    return PROTOCOLS[entry.word(_PROTOCOL_WORDS, "TCP", "protocol")]


def _port_number(entry: Field, key: str) -> int | None:
    number = entry.integer(1, LAST_PORT, key)
    if number is None and entry.at(key).absent:
        entry.at(key).complain("a port number is missing")
    return number


def _service_port(entry: Field) -> ServicePort | None:
    number = _port_number(entry, "port")
    if number is None:
        return None
    node_port = entry.integer(0, LAST_PORT, "nodePort")
    return ServicePort(
        port=number,
        target=_target(entry.at("targetPort")) or number,
        protocol=_protocol(entry),
        name=entry.text("name") or None,
        node_port=node_port or None,
    )


def _target(written: Field) -> int | str | None:
    """Return the port number or name; 0 and empty are as good as not written."""
    if isinstance(written.value, str):
        return written.value or None
    return written.integer(0, LAST_PORT) or None


def _replicas(workload: Field, kind: str) -> int | None:
    if kind == "DaemonSet":
        return None
    written = _COUNT.get(kind, ("spec", "replicas"))
    count = workload.integer(0, _LAST_INT32, *written)
    return 1 if count is None else count


def _selector(written: Field, kind: str, labels: Labels) -> LabelSelector | None:
    """Return what the workload selects; not written: what its template carries."""
    if kind in _BY_OWNER_ONLY:
        return None
    if kind == "ReplicationController":
        return equality_selector(written.labels() or labels)
    return decode_selector(written) if written.value else equality_selector(labels)
