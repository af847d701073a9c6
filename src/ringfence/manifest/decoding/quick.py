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


def parse_address(text: str) -> IPAddress | None:
    """Return the address, None where the text is none."""
    network, _, last = text.rpartition(".")
    base, octet = _first_octets(network), _OCTETS.get(last)
    if base is not None and octet is not None:
        # ipaddress would come to the same four numbers in five times the time.
        return IPv4Address(base | octet)
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 10)
def _first_octets(text: str) -> int | None:
    """Return an IPv4 address but for its last octet, 0: neighbours share the rest."""
    try:
        first, second, third = map(_OCTETS.__getitem__, text.split("."))
    except (KeyError, ValueError):
        return None
    return first << 24 | second << 16 | third << 8


class _Rare(Exception):  # noqa: N818 - a signal inside this module
    """There is something in the pod that the strict look has to see."""


def quick_pod(value: object, key: ObjectKey) -> Pod | None:
    """Return the pod of an object, None where the object is not an ordinary one."""
    # Types are exact, and looked at in line: a call more takes a pod a tenth longer.
    if type(value) is not dict:
        return None
    get = value.get
    meta, spec, status = get("metadata"), get("spec"), get("status")
    if not (
        (type(meta) is dict or meta is None)
        and (type(spec) is dict or spec is None)
        and (type(status) is dict or status is None)
    ):
        return None
    meta, spec, status = meta or _NOTHING, spec or _NOTHING, status or _NOTHING
    phase, node = status.get("phase"), spec.get("nodeName")
    host = spec.get("hostNetwork")
    if (host is not None and host is not False) or phase not in _ANY_PHASE:
        return None
    if node is not None and type(node) is not str:
        return None
    try:
        return Pod(
            key,
            _labels(meta.get("labels")),
            _addresses(status),
            _ports(spec),
            node or None,
            False,  # by place, which is quicker than by name; so are they all
            phase,
            _owner(meta["ownerReferences"]) if "ownerReferences" in meta else None,
        )
    except _Rare:
        return None


def _labels(labels: object) -> Labels:
    if type(labels) is dict:
        for text in labels.values():
            if type(text) is not str:
                raise _Rare
        return shared_labels(tuple(labels.items()))
    if labels is None:
        return shared_labels(())
    raise _Rare


def _addresses(status: dict[str, Any]) -> tuple[IPAddress, ...]:
    """Return the addresses of a status whose ``podIP`` is the first ``podIPs``."""
    single, entries = status.get("podIP"), status.get("podIPs")
    if not entries:
        if single is None and (entries is None or type(entries) is list):
            return ()
        raise _Rare
    if type(entries) is not list:
        raise _Rare
    texts: list[str] = []
    found: list[IPAddress] = []
    for entry in entries:
        text = entry.get("ip") if type(entry) is dict else None
        if type(text) is not str or text in texts:
            raise _Rare
        address = parse_address(text)
        if address is None:
            raise _Rare
        texts.append(text)
        found.append(address)
    if single is not None and single != texts[0]:
        raise _Rare
    return tuple(found)


def _ports(spec: dict[str, Any]) -> tuple[ContainerPort, ...] | None:
    """Return the declared ports of a pod without init containers."""
    containers = spec.get("containers")
    if "initContainers" in spec:
        raise _Rare
    if not containers and (containers is None or type(containers) is list):
        return None
    if type(containers) is not list:
        raise _Rare
    ports: list[tuple[int, str, str]] = []
    for container in containers:
        if type(container) is not dict:
            raise _Rare
        listed = container.get("ports")
        if type(listed) is list:
            ports += map(_port, listed)
        elif listed is not None:
            raise _Rare
    return shared_ports(tuple(ports))


def _port(entry: object) -> tuple[int, str, str]:
    if type(entry) is not dict:
        raise _Rare
    number, protocol = entry.get("containerPort"), entry.get("protocol")
    if type(number) is not int or not 1 <= number <= LAST_PORT:
        raise _Rare
    name = entry.get("name", "")
    if protocol not in _PROTOCOL_WORDS or type(name) is not str:
        raise _Rare
    return number, protocol or "TCP", name


def _owner(entries: object) -> Owner | None:
    """Return the only owner, whether it is the controller or not."""
    if not entries and (entries is None or type(entries) is list):
        return None
    if type(entries) is not list or len(entries) > 1 or type(entries[0]) is not dict:
        raise _Rare
    entry = entries[0]
    controller = entry.get("controller")
    if controller is not None and controller is not True:
        raise _Rare
    return _shared_owner(entry.get("kind"), entry.get("name"))


def _shared_owner(kind: object, name: object) -> Owner:
    if type(kind) is str and type(name) is str:
        return Owner(kind, name)
    raise _Rare
