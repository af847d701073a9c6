"""The doors of a cluster: hosts, paths and ports that entry points offer.

A route is offered at those listeners of its Gateways that take its protocol and
share a host name with it (Gateway API, RouteParentStatus and Listener.hostname).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ringfence.model.cluster import Cluster
from ringfence.model.entry import EntryPoint, Listener, Parent, Way
from ringfence.model.flow import Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Service

_WEB = frozenset({"HTTP", "HTTPS"})
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "HTTPRoute": _WEB,
    "GRPCRoute": _WEB,
    "TLSRoute": frozenset({"TLS"}),
    "TCPRoute": frozenset({"TCP", "TLS"}),
    "UDPRoute": frozenset({"UDP"}),
}
"""The protocols of listeners that a kind of route can be attached to."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where an entry point takes connections, and the Service's port behind it.

    ``host`` and ``path`` are empty where every one is taken. ``ports`` are those of
    listeners, of a load balancer and of nodes, empty where they are not written.
    ``service`` is None where there is none; ``notes`` say why, and what is lacking.
    """

    kind: str
    key: ObjectKey
    host: str = ""
    path: str = ""
    ports: tuple[int, ...] = ()
    service: ObjectKey | None = None
    port: int | str | None = None
    protocol: Protocol = Protocol.TCP
    notes: tuple[str, ...] = ()


def doors(cluster: Cluster) -> Iterator[Door]:
    """Yield the doors of a cluster by kind and name, those of Services last."""
    routed = {
        parent.gateway for entry in cluster.entries.values() for parent in entry.parents
    }
    for (kind, key), entry in sorted(cluster.entries.items()):
        match kind:
            case "Ingress":
                yield from (_door(entry, way, way.host) for way in entry.ways)
            case "Gateway" if key not in routed:
                yield Door(kind, key, notes=("no route names this Gateway",))
            case "Gateway":
                continue
            case _:
                yield from _route_doors(cluster, entry)
        if kind != "Gateway" and not entry.ways:
            yield Door(kind, key, notes=("it names no backend",))
    for key in sorted(cluster.services):
        yield from _service_doors(cluster.services[key])


def _door(
    entry: EntryPoint,
    way: Way,
    host: str,
    ports: tuple[int, ...] = (),
    notes: tuple[str, ...] = (),
) -> Door:
    protocol = Protocol.UDP if entry.kind == "UDPRoute" else Protocol.TCP
    if way.service is None:
        notes = (*notes, "its backend is no Service")
    return Door(
        entry.kind,
        entry.key,
        host,
        way.path,
        ports,
        way.service,
        way.port,
        protocol,
        notes,
    )


def _service_doors(service: Service) -> Iterator[Door]:
    if service.type not in {"LoadBalancer", "NodePort"}:
        return
    for listed in service.ports:
        ports = [listed.port] if service.type == "LoadBalancer" else []
        ports += [listed.node_port] if listed.node_port else []
        yield Door(
            service.type,
            service.key,
            ports=tuple(ports),
            service=service.key,
            port=listed.port,
            protocol=listed.protocol,
        )


def _route_doors(cluster: Cluster, route: EntryPoint) -> Iterator[Door]:
    listeners, notes = _attached(cluster, route)
    for way in route.ways:
        ports: dict[str, list[int]] = defaultdict(list)
        for listener in listeners:
            host = _meeting(way.host, listener.host)
            if host is not None and listener.port is not None:
                ports[host].append(listener.port)
        for host, of_host in ports.items():
            yield _door(route, way, host, tuple(dict.fromkeys(of_host)), notes)
        if not ports:
            none = () if notes else ("no listener of its Gateways takes this host",)
            yield _door(route, way, way.host, notes=(*notes, *none))


def _attached(
    cluster: Cluster, route: EntryPoint
) -> tuple[list[Listener], tuple[str, ...]]:
    """Return the listeners that a route asks for, and what of it is not there."""
    found: list[Listener] = []
    notes: list[str] = [] if route.parents else ["it names no Gateway"]
    for parent in route.parents:
        gateway = cluster.entries.get(("Gateway", parent.gateway))
        if gateway is None:
            notes.append(f"there is no Gateway {parent.gateway}")
            continue
        meant = [one for one in gateway.listeners if _takes(one, parent, route.kind)]
        if not meant:
            notes.append(f"no listener of Gateway {parent.gateway} takes it")
        found += meant
    return found, tuple(notes)


def _takes(listener: Listener, parent: Parent, kind: str) -> bool:
    return (
        listener.protocol in _TAKES[kind]
        and parent.listener in {"", listener.name}
        and parent.port in {None, listener.port}
    )


def _meeting(one: str, other: str) -> str | None:
    """Return the host names that both mean, None where there is none.

    ``*.example.com`` means every name that ends in ``.example.com``.
    """
    for wide, narrow in ((one, other), (other, one)):
        if not wide or wide == narrow:
            return narrow
        if wide.startswith("*.") and narrow.endswith(wide[1:]):
            return narrow
    return None
