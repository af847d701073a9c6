"""References to flows: who is meant, and which pairs of ends that makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import NamedTuple

from ringfence.engine.allpairs.blocks import representatives
from ringfence.engine.select import selects, selects_namespace
from ringfence.manifest.templates import looks_made_from
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Pod, Service, ServicePort
from ringfence.questions.reference import (
    AddressRef,
    BlockRef,
    InternetRef,
    NamespacesRef,
    ObjectRef,
    PodsRef,
    PortRef,
    Reference,
)

EXTERNAL_NAME = "ExternalName"
"""The type of a Service that is another name in DNS, whatever it selects."""


class UnknownEndpointError(ValueError):
    """A reference names nothing in this cluster; the message says what is near."""


class Target(NamedTuple):
    """A destination: an end and the port that a packet to it carries.

    ``via`` says which Service's port was translated, if any.
    """

    end: End
    protocol: Protocol
    port: int | None
    via: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as single flows.

    ``unresolved`` says why (some of) the question has no flow to evaluate: it
    is then undecided. ``many``: an end stands for more than one endpoint.
    ``via`` lists the translations by a Service, as ``svc shop/web 80->8080``.
    """

    flows: tuple[Flow, ...]
    unresolved: tuple[str, ...] = ()
    many: bool = False
    via: tuple[str, ...] = ()


class _Group(NamedTuple):
    ends: tuple[End, ...]
    many: bool
    service: Service | None = None


def resolve(
    cluster: Cluster, source: Reference, destination: Reference, port: PortRef
) -> Question:
    """Return the flows that a question means.

    A group stands for its members; pairs of one pod with itself are left out
    where other pairs remain. Raises UnknownEndpointError.
    """
    sources = _group(cluster, source)
    targets = _group(cluster, destination)
    if sources.service is not None:
        sources = _Group(members(cluster, source), many=True)
    reached, unresolved = _targets(cluster, targets, port)
    flows = tuple(
        Flow(end, target.end, target.protocol, target.port)
        for end in sources.ends
        for target in reached
    )
    others = tuple(flow for flow in flows if not to_itself(flow))
    if not sources.ends:
        unresolved = (f"{source} stands for no pod", *unresolved)
    via = tuple(dict.fromkeys(target.via for target in reached if target.via))
    many = sources.many or targets.many
    return Question(others or flows, unresolved, many, via)


def members(cluster: Cluster, reference: Reference) -> tuple[End, ...]:
    """Return the ends that a reference stands for. Raises UnknownEndpointError."""
    group = _group(cluster, reference)
    return _service_ends(cluster, group.service) if group.service else group.ends


def to_itself(flow: Flow) -> bool:
    """Whether both ends are one pod, by whichever of its addresses."""
    one, other = flow.source, flow.destination
    return (
        isinstance(one, PodEnd) and isinstance(other, PodEnd) and one.key == other.key
    )


def end_of_address(cluster: Cluster, address: IPAddress) -> End:
    """Return whose address this is: a live pod's, a node's, or nobody's here.

    A hostNetwork pod stands for a node that tells no address itself. Raises
    UnknownEndpointError where two live pods claim it.
    """
    live = [
        pod
        for pod in cluster.pods.values()
        if address in pod.addresses and not pod.finished
    ]
    owners = [pod for pod in live if not pod.host_network]
    if len(owners) > 1:
        names = " and ".join(str(pod.key) for pod in owners[:2])
        raise UnknownEndpointError(f"address {address} belongs to both {names}")
    if owners:
        return PodEnd(owners[0].key, address)
    for node in cluster.nodes.values():
        if address in node.addresses:
            return NodeEnd(node.name, address)
    if live:
        return PodEnd(min(pod.key for pod in live), address)
    return AddressEnd(address)


def _group(cluster: Cluster, reference: Reference) -> _Group:
    match reference:
        case InternetRef():
            return _Group((InternetEnd(),), many=False)
        case AddressRef(address):
            return _address_group(cluster, address)
        case BlockRef(network):
            ends = tuple(
                end_of_address(cluster, address)
                for address in representatives(cluster, network)
            )
            return _Group(ends, many=True)
        case PodsRef(namespace, selector):
            if namespace is not None:
                _known_namespace(cluster, namespace)
            return _pods(
                pod
                for pod in cluster.pods.values()
                if namespace in {None, pod.key.namespace}
                and selects(selector, pod.labels)
            )
        case NamespacesRef(selector):
            names = {
                name
                for name, namespace in cluster.namespaces.items()
                if selects_namespace(selector, namespace)
            }
            return _pods(p for p in cluster.pods.values() if p.key.namespace in names)
        case ObjectRef():
            return _object_group(cluster, reference)


def _address_group(cluster: Cluster, address: IPAddress) -> _Group:
    for service in cluster.services.values():
        if address in service.cluster_ips:
            return _Group((), many=True, service=service)
    return _Group((end_of_address(cluster, address),), many=False)


def _pods(pods: Iterable[Pod]) -> _Group:
    ends = tuple(
        PodEnd(pod.key)
        for pod in sorted(pods, key=lambda pod: pod.key)
        if not pod.finished
    )
    return _Group(ends, many=True)


def _object_group(cluster: Cluster, reference: ObjectRef) -> _Group:
    key = ObjectKey(reference.namespace, reference.name)
    match reference.kind:
        case "Node":
            if reference.name not in cluster.nodes:
                raise _unknown("node", reference.name, "", cluster.nodes)
            return _Group((NodeEnd(reference.name),), many=False)
        case "Namespace":
            _known_namespace(cluster, reference.name)
            return _pods(
                p for p in cluster.pods.values() if p.key.namespace == reference.name
            )
        case "Pod":
            return _Group((PodEnd(find_pod(cluster, key).key),), many=False)
        case "Service":
            service = cluster.services.get(key)
            if service is None:
                raise _unknown_in("Service", key, cluster.services)
            return _Group((), many=True, service=service)
        case kind:
            workload = cluster.workloads.get((kind, key))
            if workload is None:
                of_kind = [of for what, of in cluster.workloads if what == kind]
                raise _unknown_in(kind, key, of_kind)
            return _pods(cluster.pods[pod] for pod in workload_pods(cluster, kind, key))


def find_pod(cluster: Cluster, key: ObjectKey) -> Pod:
    """Return a live pod. Raises UnknownEndpointError with what is near."""
    pod = cluster.pods.get(key)
    if pod is None:
        raise _unknown_in("Pod", key, cluster.pods, _namesakes(cluster, key))
    if pod.finished:
        raise UnknownEndpointError(
            f"pod {key} is {pod.phase}: it is no endpoint any more"
        )
    return pod


def find_policy(cluster: Cluster, key: ObjectKey) -> NetworkPolicy:
    """Return a policy. Raises UnknownEndpointError with what is near."""
    policy = cluster.policies.get(key)
    if policy is None:
        raise _unknown_in("NetworkPolicy", key, cluster.policies)
    return policy


def workload_pods(cluster: Cluster, kind: str, key: ObjectKey) -> list[ObjectKey]:
    """Return the pods of a workload: owned, also through another, or by their looks."""
    family = {(kind, key.name)}
    family |= {
        (workload.kind, workload.key.name)
        for workload in cluster.workloads.values()
        if workload.key.namespace == key.namespace
        and workload.owner is not None
        and (workload.owner.kind, workload.owner.name) == (kind, key.name)
    }
    here = [pod for pod in cluster.pods.values() if pod.key.namespace == key.namespace]
    owned = [p.key for p in here if p.owner and (p.owner.kind, p.owner.name) in family]
    workload = cluster.workloads[kind, key]
    return owned or [pod.key for pod in here if looks_made_from(workload, pod)]


def _service_ends(cluster: Cluster, service: Service) -> tuple[End, ...]:
    selector = service.selector
    if selector is None or service.type == EXTERNAL_NAME:
        return ()
    return _pods(
        pod
        for pod in cluster.pods.values()
        if pod.key.namespace == service.key.namespace
        and selector.items() <= pod.labels.items()
    ).ends


def _targets(
    cluster: Cluster, group: _Group, port: PortRef
) -> tuple[list[Target], tuple[str, ...]]:
    if group.service is not None:
        return service_targets(cluster, _dialled(group.service, port), port)
    protocol = port.protocol or Protocol.TCP
    if isinstance(port.port, str):
        return _named_targets(cluster, group.ends, port.port, protocol)
    reached = [Target(end, protocol, port.port) for end in group.ends]
    return reached, () if reached else ("the destination stands for no pod",)


def _dialled(service: Service, port: PortRef) -> Service:
    """Return the Service with what a client gets of it that dials this port.

    A headless one is a name of its pods: nothing translates the port. Only who
    asks for a port by its name is told where that leads.
    """
    if not service.headless or not isinstance(port.port, int):
        return service
    dialled = ServicePort(port.port, port.port, port.protocol or Protocol.TCP)
    return replace(service, ports=(dialled,))


def _named_targets(
    cluster: Cluster, ends: Iterable[End], name: str, protocol: Protocol
) -> tuple[list[Target], tuple[str, ...]]:
    """Resolve a port name at each end; ends without the name are no targets."""
    reached: list[Target] = []
    unresolved: list[str] = []
    for end in ends:
        pod = cluster.pods.get(end.key) if isinstance(end, PodEnd) else None
        if pod is not None and pod.ports is None:
            unresolved.append(f"the container ports of pod {pod.key} are unknown")
            continue
        numbers = _numbers(pod, name, protocol)
        reached += [Target(end, protocol, number) for number in numbers]
    if not reached and not unresolved:
        if not _name_exists(cluster, name, protocol):
            raise _unknown_port(cluster, name, protocol)
        unresolved = [f"the destination has no port named {name} ({protocol.value})"]
    return reached, tuple(unresolved)


def _numbers(pod: Pod | None, name: str, protocol: Protocol) -> list[int]:
    ports = pod.ports or () if pod else ()
    found = {p.number for p in ports if p.name == name and p.protocol is protocol}
    return sorted(found)


def _name_exists(cluster: Cluster, name: str, protocol: Protocol) -> bool:
    return any(_numbers(pod, name, protocol) for pod in cluster.pods.values())


def _unknown_port(
    cluster: Cluster, name: str, protocol: Protocol
) -> UnknownEndpointError:
    names = {
        f"{port.name}/{port.protocol.value}"
        for pod in cluster.pods.values()
        for port in pod.ports or ()
        if port.name
    }
    text = f"no pod has a port named {name} ({protocol.value})"
    return UnknownEndpointError(text + _near(f"{name}/{protocol.value}", names))


def service_targets(
    cluster: Cluster, service: Service, port: PortRef
) -> tuple[list[Target], tuple[str, ...]]:
    """Return where a port of a Service leads, and why (some of) it leads nowhere.

    Raises UnknownEndpointError where the Service has no such port.
    """
    if service.type == EXTERNAL_NAME:
        what = f"Service {service.key} is an {EXTERNAL_NAME}"
        return [], (f"{what}: no manifest tells whose name that is",)
    if service.selector is None:
        what = f"Service {service.key} has no selector"
        return [], (f"{what}: its endpoints are not in the manifests",)
    ends = _service_ends(cluster, service)
    if not ends:
        return [], (f"Service {service.key} selects no pod",)
    reached: list[Target] = []
    unresolved: list[str] = []
    for listed in _service_ports(service, port):
        if isinstance(listed.target, int):
            found = [Target(e, listed.protocol, listed.target) for e in ends]
        else:
            found, lacking = _named_targets(
                cluster, ends, listed.target, listed.protocol
            )
            unresolved += lacking
        head = f"svc {service.key} {listed.port}->"
        reached += [one._replace(via=f"{head}{one.port}") for one in found]
    return reached, tuple(unresolved)


def _service_ports(service: Service, port: PortRef) -> list[ServicePort]:
    if port.port is None:
        protocols = {port.protocol} if port.protocol else set(Protocol)
        return [p for p in service.ports if p.protocol in protocols]
    protocol = port.protocol or Protocol.TCP
    found = [
        listed
        for listed in service.ports
        if listed.protocol is protocol
        and port.port in {listed.port, listed.name, _target_name(listed)}
    ]
    if not found:
        listed_words = ", ".join(_service_port_words(p) for p in service.ports)
        raise UnknownEndpointError(
            f"Service {service.key} has no port {port.port}/{protocol.value}; "
            f"it has {listed_words or 'none'}"
        )
    return found


def _target_name(listed: ServicePort) -> str | None:
    return listed.target if isinstance(listed.target, str) else None


def _service_port_words(listed: ServicePort) -> str:
    name = f" ({listed.name})" if listed.name else ""
    return f"{listed.port}/{listed.protocol.value}{name}"


def _known_namespace(cluster: Cluster, name: str) -> None:
    if name not in cluster.namespaces:
        raise _unknown("namespace", name, "", cluster.namespaces)


def _unknown(
    kind: str, name: str, where: str, known: Iterable[str]
) -> UnknownEndpointError:
    return UnknownEndpointError(f"no {kind} {name}{where}" + _near(name, known))


def _namesakes(cluster: Cluster, key: ObjectKey) -> list[str]:
    """Return workloads and Services of that name, as the grammar writes them."""
    found = [ObjectRef(kind, *of) for kind, of in cluster.workloads if of == key]
    found += [ObjectRef("Service", *of) for of in cluster.services if of == key]
    return [str(reference) for reference in found]


def _unknown_in(
    kind: str,
    key: ObjectKey,
    known: Iterable[ObjectKey],
    namesakes: Iterable[str] = (),
) -> UnknownEndpointError:
    """Say what is near: a namesake, a like name here, the same name elsewhere."""
    word = kind.lower() if kind == "Pod" else kind
    known = list(known)
    here = [other.name for other in known if other.namespace == key.namespace]
    text = f"no {word} {key.name} in {key.namespace}"
    for namesake in namesakes:
        return UnknownEndpointError(f"{text}; did you mean {namesake}?")
    if near := _near(key.name, here):
        return UnknownEndpointError(text + near)
    elsewhere = sorted(str(other) for other in known if other.name == key.name)
    if elsewhere:
        return UnknownEndpointError(f"{text}; did you mean {elsewhere[0]}?")
    return UnknownEndpointError(text + _other_kind(word, here))


def _other_kind(word: str, here: list[str]) -> str:
    if not here:
        return ""
    shown = ", ".join(sorted(here)[:5])
    words = f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"
    return f"; {words} there: {shown}" + (", ..." if len(here) > 5 else "")  # noqa: PLR2004 - enough to see the shape


def _near(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
