"""Ingresses, Gateways and their routes, read only as far as they lead to Services.

networking.k8s.io types.go (Ingress, also in the form of v1beta1) and
gateway.networking.k8s.io (Gateway API 1.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.quick import LAST_PORT
from ringfence.model.entry import EntryPoint, Listener, Parent, Way
from ringfence.model.meta import ObjectKey

_INGRESS = frozenset({"networking.k8s.io", "extensions"})
_GATEWAY = frozenset({"gateway.networking.k8s.io"})

ENTRY_GROUPS: Mapping[str, frozenset[str]] = {
    "Ingress": _INGRESS,
    "Gateway": _GATEWAY,
    "HTTPRoute": _GATEWAY,
    "GRPCRoute": _GATEWAY,
    "TLSRoute": _GATEWAY,
    "TCPRoute": _GATEWAY,
    "UDPRoute": _GATEWAY,
}
"""The kinds that ask for connections to be let in, and their API groups."""


def decode_entry(thing: Field, kind: str, key: ObjectKey) -> EntryPoint:
    """Return the entry point; other kinds of backends and parents stay unnamed."""
    spec = thing.at("spec")
    match kind:
        case "Ingress":
            return EntryPoint(kind, key, _distinct(_ingress_ways(spec, key)))
        case "Gateway":
            listeners = tuple(map(_listener, spec.entries("listeners")))
            return EntryPoint(kind, key, listeners=listeners)
        case _:
            ways = _distinct(_route_ways(spec, kind, key))
            return EntryPoint(kind, key, ways, tuple(_parents(spec, key)))


def _distinct(ways: Iterator[Way]) -> tuple[Way, ...]:
    return tuple(dict.fromkeys(ways))


def _ingress_ways(spec: Field, key: ObjectKey) -> Iterator[Way]:
    for default in (spec.at("defaultBackend"), spec.at("backend")):
        if not default.absent:
            yield _ingress_way("", "", default, key)
    for rule in spec.entries("rules"):
        host = rule.text("host")
        for path in rule.entries("http", "paths"):
            yield _ingress_way(host, path.text("path"), path.at("backend"), key)


def _ingress_way(host: str, path: str, backend: Field, key: ObjectKey) -> Way:
    """Return the way to a backend; v1beta1 wrote ``serviceName``, ``servicePort``."""
    former = backend.text("serviceName")
    name = backend.text("service", "name") or former
    if not name:
        return Way(host, path, None)
    if former:
        port = _name_or_number(backend.at("servicePort"))
    else:
        written = backend.at("service", "port")
        port = written.integer(1, LAST_PORT, "number") or written.text("name") or None
    return Way(host, path, ObjectKey(key.namespace, name), port)


def _name_or_number(written: Field) -> int | str | None:
    if isinstance(written.value, str):
        return written.value or None
    return written.integer(1, LAST_PORT)


def _route_ways(spec: Field, kind: str, key: ObjectKey) -> Iterator[Way]:
    hosts = [entry.text() for entry in spec.entries("hostnames")] or [""]
    for rule in spec.entries("rules"):
        paths = [_path(match, kind) for match in rule.entries("matches")] or [""]
        for backend in rule.entries("backendRefs"):
            service, port = _service(backend, key), None
            if service is not None:
                port = backend.integer(1, LAST_PORT, "port")
            yield from (
                Way(host, path, service, port) for path in paths for host in hosts
            )


def _path(match: Field, kind: str) -> str:
    """Return the path that a match asks for; that of gRPC is ``/service/method``."""
    if kind != "GRPCRoute":
        return match.text("path", "value")
    service, method = match.text("method", "service"), match.text("method", "method")
    return f"/{service or '*'}/{method or '*'}" if service or method else ""


def _service(backend: Field, key: ObjectKey) -> ObjectKey | None:
    group, kind = backend.text("group"), backend.text("kind") or "Service"
    if group or kind != "Service":
        return None
    return ObjectKey(backend.text("namespace") or key.namespace, backend.text("name"))


def _parents(spec: Field, key: ObjectKey) -> Iterator[Parent]:
    for parent in spec.entries("parentRefs"):
        group, kind = parent.text("group"), parent.text("kind") or "Gateway"
        if kind == "Gateway" and (not group or group in _GATEWAY):
            namespace = parent.text("namespace") or key.namespace
            yield Parent(
                ObjectKey(namespace, parent.text("name")),
                parent.text("sectionName"),
                parent.integer(1, LAST_PORT, "port"),
            )


def _listener(entry: Field) -> Listener:
    return Listener(
        entry.text("name"),
        entry.text("hostname"),
        entry.integer(1, LAST_PORT, "port"),
        entry.text("protocol"),
    )
