"""Entry points back into objects that decode to the same."""

from __future__ import annotations

from typing import Any, TypeAlias

from ringfence.model.entry import EntryPoint, Listener, Parent, Way
from ringfence.model.meta import ObjectKey

Object: TypeAlias = dict[str, Any]

_INGRESS_API = "networking.k8s.io/v1"
_GATEWAY_API = "gateway.networking.k8s.io/v1"
_NO_SERVICE = "other"
"""The kind that stands for every backend that is no Service."""


def encode_entry(entry: EntryPoint) -> Object:
    """Return the object of an entry point."""
    spec: Object
    match entry.kind:
        case "Ingress":
            spec = {"rules": [_ingress_rule(way) for way in entry.ways]}
        case "Gateway":
            spec = {"listeners": [_listener(one) for one in entry.listeners]}
        case _:
            spec = _route(entry)
    return {
        "apiVersion": _INGRESS_API if entry.kind == "Ingress" else _GATEWAY_API,
        "kind": entry.kind,
        "metadata": {"name": entry.key.name, "namespace": entry.key.namespace},
        "spec": spec,
    }


def _ingress_rule(way: Way) -> Object:
    path: Object = {"path": way.path, "backend": _ingress_backend(way)}
    return {"host": way.host, "http": {"paths": [path]}}


def _ingress_backend(way: Way) -> Object:
    if way.service is None:
        return {}
    service: Object = {"name": way.service.name}
    if way.port is not None:
        word = "number" if isinstance(way.port, int) else "name"
        service["port"] = {word: way.port}
    return {"service": service}


def _route(entry: EntryPoint) -> Object:
    """Return what a route says: each of its hosts has the same paths and backends."""
    hosts = [host for host in dict.fromkeys(way.host for way in entry.ways) if host]
    rules = dict.fromkeys((way.path, way.service, way.port) for way in entry.ways)
    return {
        "parentRefs": [_parent(one) for one in entry.parents],
        "hostnames": hosts,
        "rules": [_route_rule(entry.kind, *rule) for rule in rules],
    }


def _route_rule(
    kind: str, path: str, service: ObjectKey | None, port: int | str | None
) -> Object:
    rule: Object = {"backendRefs": [_backend(service, port)]}
    if path and kind == "GRPCRoute":
        _, called, method = path.split("/", 2)
        rule["matches"] = [{"method": {"service": called, "method": method}}]
    elif path:
        rule["matches"] = [{"path": {"value": path}}]
    return rule


def _backend(service: ObjectKey | None, port: int | str | None) -> Object:
    if service is None:
        return {"kind": _NO_SERVICE}
    written: Object = {"namespace": service.namespace, "name": service.name}
    return written if port is None else {**written, "port": port}


def _parent(parent: Parent) -> Object:
    written: Object = {
        "namespace": parent.gateway.namespace,
        "name": parent.gateway.name,
    }
    if parent.listener:
        written["sectionName"] = parent.listener
    return written if parent.port is None else {**written, "port": parent.port}


def _listener(listener: Listener) -> Object:
    written: Object = {
        "name": listener.name,
        "hostname": listener.host,
        "protocol": listener.protocol,
    }
    return written if listener.port is None else {**written, "port": listener.port}
