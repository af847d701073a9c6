"""Namespaces, pods, Nodes, Services and workloads, read only as far as a verdict needs.

Nothing else is looked at: a pod without image or uid is a pod (core/v1,
apps/v1, batch/v1 types.go). Places are looked up for workloads only: no answer
tells those of the others, and finding them takes longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.manifest.decode_fields import Field
from ringfence.manifest.decode_selector import decode_selector, equality_selector
from ringfence.model.flow import PORT_PROTOCOLS, IPAddress, Protocol
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

_PROTOCOLS = tuple(protocol.value for protocol in PORT_PROTOCOLS)
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_NODE_ADDRESSES = frozenset({"InternalIP", "ExternalIP"})
_LAST_PORT = 65535
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
    entries = [
        entry.at("address")
        for entry in node.at("status", "addresses").entries()
        if entry.at("type").text() in _NODE_ADDRESSES
    ]
    return Node(name, _labels(node), _addresses(entries))


def decode_pod(pod: Field, key: ObjectKey) -> Pod:
    """Return the pod; an unsaid address, port list, node or phase stays unknown."""
    status = pod.at("status")
    return Pod(
        key=key,
        labels=_labels(pod),
        addresses=_pod_addresses(pod),
        ports=_container_ports(pod.at("spec")),
        node=pod.at("spec", "nodeName").text() or None,
        host_network=pod.at("spec", "hostNetwork").flag(),
        phase=status.at("phase").word(_PHASES, "") or None,
        owner=_owner(pod),
    )


def decode_service(service: Field, key: ObjectKey) -> Service:
    """Return the Service; a target port that is not written is the port itself."""
    spec = service.at("spec")
    addresses = [spec.at("clusterIP"), *spec.at("clusterIPs").entries()]
    headless = any(entry.text() == "None" for entry in addresses)
    ports = (_service_port(entry) for entry in spec.at("ports").entries())
    return Service(
        key=key,
        type=spec.at("type").word(_SERVICE_TYPES, "ClusterIP"),
        selector=spec.at("selector").labels() or None,
        ports=tuple(port for port in ports if port is not None),
        cluster_ips=() if headless else _addresses(addresses),
        headless=headless,
    )


def decode_workload(workload: Field, kind: str, key: ObjectKey) -> Workload:
    """Return the pod template and the number of pods that it stands for."""
    written = workload.at(*_TEMPLATE.get(kind, ("spec", "template")))
    spec = written.at("spec")
    template = Pod(
        key=key,
        labels=_labels(written),
        ports=_container_ports(spec),
        node=spec.at("nodeName").text() or None,
        host_network=spec.at("hostNetwork").flag(),
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
    return thing.at("metadata", "labels").labels()


def _owner(thing: Field) -> Owner | None:
    """Return the controller among the owners, else the first of them."""
    first: Owner | None = None
    for entry in thing.at("metadata", "ownerReferences").entries():
        owner = Owner(entry.at("kind").text(), entry.at("name").text())
        if entry.at("controller").flag():
            return owner
        first = first or owner
    return first


def _addresses(entries: Iterable[Field]) -> tuple[IPAddress, ...]:
    """Return the distinct addresses in the order written."""
    found = (entry.address() for entry in entries)
    return tuple(dict.fromkeys(address for address in found if address is not None))


def _pod_addresses(pod: Field) -> tuple[IPAddress, ...]:
    """Return ``podIPs``; where ``podIP`` differs from their first, it wins alone.

    That is what the API server makes of such a status. A pod in its node's
    network has the node's addresses, said in ``hostIPs`` if not in its own.
    """
    status = pod.at("status")
    single = _addresses([status.at("podIP")])
    several = _addresses(entry.at("ip") for entry in status.at("podIPs").entries())
    if single and single != several[:1]:
        return single
    if several or not pod.at("spec", "hostNetwork").flag():
        return several
    hosts = [entry.at("ip") for entry in status.at("hostIPs").entries()]
    return _addresses([status.at("hostIP"), *hosts])


def _container_ports(spec: Field) -> tuple[ContainerPort, ...] | None:
    """Return the ports that stay open while the pod runs, None where unknown.

    Init containers count if they restart: those are sidecars (KEP-753).
    """
    containers = list(spec.at("containers").entries())
    sidecars = [
        container
        for container in spec.at("initContainers").entries()
        if container.at("restartPolicy").text() == "Always"
    ]
    if not containers:
        return None
    ports = (
        _container_port(entry)
        for container in containers + sidecars
        for entry in container.at("ports").entries()
    )
    return tuple(port for port in ports if port is not None)


def _container_port(entry: Field) -> ContainerPort | None:
    number = _port_number(entry.at("containerPort"))
    protocol = Protocol(entry.at("protocol").word(_PROTOCOLS, "TCP"))
    name = entry.at("name").text() or None
    return None if number is None else ContainerPort(number, protocol, name)


def _port_number(written: Field) -> int | None:
    if written.absent:
        written.complain("a port number is missing")
    return written.integer(1, _LAST_PORT)


def _service_port(entry: Field) -> ServicePort | None:
    number = _port_number(entry.at("port"))
    if number is None:
        return None
    node_port = entry.at("nodePort").integer(0, _LAST_PORT)
    return ServicePort(
        port=number,
        target=_target(entry.at("targetPort")) or number,
        protocol=Protocol(entry.at("protocol").word(_PROTOCOLS, "TCP")),
        name=entry.at("name").text() or None,
        node_port=node_port or None,
    )


def _target(written: Field) -> int | str | None:
    """Return the port number or name; 0 and empty are as good as not written."""
    if isinstance(written.value, str):
        return written.value or None
    return written.integer(0, _LAST_PORT) or None


def _replicas(workload: Field, kind: str) -> int | None:
    if kind == "DaemonSet":
        return None
    written = workload.at(*_COUNT.get(kind, ("spec", "replicas")))
    count = written.integer(0, _LAST_INT32)
    return 1 if count is None else count


def _selector(written: Field, kind: str, labels: Labels) -> LabelSelector | None:
    """Return what the workload selects; not written: what its template carries."""
    if kind in _BY_OWNER_ONLY:
        return None
    if kind == "ReplicationController":
        return equality_selector(written.labels() or labels)
    return decode_selector(written) if written.value else equality_selector(labels)
