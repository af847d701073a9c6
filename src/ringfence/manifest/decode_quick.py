"""Ordinary pods straight from their plain data, as ``decode_objects`` reads them.

Nearly all objects of a large cluster are pods as the API server writes them.
Where anything in one is rare or of a wrong type, there is no quick answer: the
strict look finds what it means, or what is wrong with it and where.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Any, Final

from ringfence.model.flow import PORT_PROTOCOLS, IPAddress
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import ContainerPort, Owner, Pod

PHASES: Final = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
PROTOCOLS: Final = {protocol.value: protocol for protocol in PORT_PROTOCOLS}
LAST_PORT: Final = 65535

_ANY_PHASE = (None, *PHASES)
_PROTOCOL_WORDS = (None, *PROTOCOLS)
_OCTETS = {str(octet): octet for octet in range(256)}
_NOTHING: dict[str, Any] = {}

# Most pods are one of many that were made alike. What they have in common is one
# object, which takes less room and is soon told to be the same.


@lru_cache(maxsize=1 << 12)
def shared_ports(
    ports: tuple[tuple[int | None, str, str], ...],
) -> tuple[ContainerPort, ...]:
    """Return the ports of these numbers, protocols and names; no number, no port."""
    return tuple(
        ContainerPort(number, PROTOCOLS[protocol], name or None)
        for number, protocol, name in ports
        if number is not None
    )


@lru_cache(maxsize=1 << 12)
def shared_labels(labels: tuple[tuple[str, str], ...]) -> Labels:
    """Return the map of these labels, the same object for the same ones."""
    return dict(labels)


@lru_cache(maxsize=1 << 10)
def parse_address(text: str) -> IPAddress | None:
    """Return the address, None where the text is none; a pod says its own twice."""
    try:
        first, second, third, last = map(_OCTETS.__getitem__, text.split("."))
    except (KeyError, ValueError):
        pass
    else:
        # ipaddress would come to the same four numbers in five times the time.
        return IPv4Address(first << 24 | second << 16 | third << 8 | last)
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


class _Rare(Exception):  # noqa: N818 - a signal inside this module
    """There is something in the pod that the strict look has to see."""


def quick_pod(value: object, key: ObjectKey) -> Pod | None:
    """Return the pod of an object, None where the object is not an ordinary one."""
    try:
        pod = _map(value)
        spec, status = _map(pod.get("spec")), _map(pod.get("status"))
        meta = _map(pod.get("metadata"))
        host, node, phase = (
            spec.get("hostNetwork"),
            spec.get("nodeName"),
            status.get("phase"),
        )
        if (host is not None and host is not False) or phase not in _ANY_PHASE:
            return None
        return Pod(
            key=key,
            labels=_labels(_map(meta.get("labels"))),
            addresses=_addresses(status),
            ports=_ports(spec),
            node=None if node is None else _text(node) or None,
            phase=phase,
            owner=_owner(_list(meta.get("ownerReferences"))),
        )
    except _Rare:
        return None


def _labels(labels: dict[str, Any]) -> Labels:
    for text in labels.values():
        _text(text)
    return shared_labels(tuple(labels.items()))


def _addresses(status: dict[str, Any]) -> tuple[IPAddress, ...]:
    """Return the addresses of a status whose ``podIP`` is the first ``podIPs``."""
    texts = [_text(_map(entry).get("ip")) for entry in _list(status.get("podIPs"))]
    single = status.get("podIP")
    if single is not None and texts[:1] != [single]:
        raise _Rare
    found = [parse_address(text) for text in texts]
    if None in found or len(set(texts)) < len(texts):
        raise _Rare
    return tuple([address for address in found if address is not None])


def _ports(spec: dict[str, Any]) -> tuple[ContainerPort, ...] | None:
    """Return the declared ports of a pod without init containers."""
    containers = _list(spec.get("containers"))
    if "initContainers" in spec:
        raise _Rare
    if not containers:
        return None
    ports = [
        _port(_map(entry))
        for container in containers
        for entry in _list(_map(container).get("ports"))
    ]
    return shared_ports(tuple(ports))


def _port(entry: dict[str, Any]) -> tuple[int, str, str]:
    number, protocol = entry.get("containerPort"), entry.get("protocol")
    if type(number) is not int or not 1 <= number <= LAST_PORT:
        raise _Rare
    if protocol not in _PROTOCOL_WORDS:
        raise _Rare
    return number, protocol or "TCP", _text(entry.get("name", ""))


def _owner(entries: list[Any]) -> Owner | None:
    """Return the only owner, whether it is the controller or not."""
    if not entries:
        return None
    if len(entries) > 1:
        raise _Rare
    entry = _map(entries[0])
    controller = entry.get("controller")
    if controller is not None and controller is not True:
        raise _Rare
    return Owner(_text(entry.get("kind")), _text(entry.get("name")))


def _map(value: object) -> dict[str, Any]:
    if type(value) is dict:
        return value
    if value is None:
        return _NOTHING
    raise _Rare


def _list(value: object) -> list[Any]:
    if type(value) is list:
        return value
    if value is None:
        return []
    raise _Rare


def _text(value: object) -> str:
    if type(value) is str:
        return value
    raise _Rare
