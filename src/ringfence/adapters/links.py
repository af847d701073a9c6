"""A node's own addresses, and the bridges that its pods' packets cross.

A bridge passes packets between its ports without the forward hook, unless it calls
netfilter: ``nf_call_iptables`` and ``nf_call_ip6tables`` of the bridge, or the
sysctls ``bridge-nf-call-*`` for all (br_netfilter). Source: rtnetlink(7),
linux/if_link.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from ringfence.adapters.netlinksocket import NetlinkSocket
from ringfence.errors import KernelError
from ringfence.model.flow import IPAddress
from ringfence.ruleset.wire.attributes import (
    ACK,
    DUMP,
    HEADER,
    NESTED,
    REQUEST,
    attribute,
    attributes,
)
from ringfence.ruleset.wire.envelopes import DONE, ERROR, Envelope, envelopes

_NEWLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE, _GETROUTE = 16, 18, 20, 22, 24, 26
_LINK = Struct("=BxHiII")
_ADDRESS = Struct("=BBBBi")
_ROUTE = Struct("=BBBBBBBBI")
_IFLA_IFNAME, _IFLA_LINKINFO, _INFO_KIND, _INFO_DATA = 3, 18, 1, 2
_IFLA_OPERSTATE, _OPER_UP = 16, 6
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF = 1, 4
_CALLS = {4: 36, 6: 37}
"""IFLA_BR_NF_CALL_IPTABLES and IFLA_BR_NF_CALL_IP6TABLES."""

_SYSCTLS = {
    4: Path("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    6: Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
}
_DATAGRAM = 1 << 16
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Bridge(NamedTuple):
    """A bridge, and the IP versions whose packets it shows to netfilter itself."""

    number: int
    name: str
    calls: frozenset[int]


class Links(NetlinkSocket):
    """An rtnetlink socket of the network namespace that it was made in.

    Raises KernelError where the kernel refuses.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)

    def own_addresses(self) -> frozenset[bytes]:
        """Return every address of the namespace's own links, packed."""
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        found = set()
        for message in self._answers(_GETADDR, DUMP, body, "list addresses"):
            parts = attributes(message.data[HEADER.size + _ADDRESS.size :])
            value = parts.get(_IFA_LOCAL) or parts.get(_IFA_ADDRESS)
            if message.type == _NEWADDR and value is not None:
                found.add(bytes(value))
        return frozenset(found)

    def bridges(self) -> dict[int, Bridge]:
        """Return the bridges of the namespace by their interface index."""
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        answers = self._answers(_GETLINK, DUMP, body, "list links")
        found = filter(None, map(_bridge, answers))
        return {bridge.number: bridge for bridge in found}

    def pairs_run(self) -> bool:
        """Whether every end of a veth pair in the namespace passes packets by now.

        The end that was up first gets its queue from a worker of the kernel, later
        (linux/if.h, IF_OPER_UP); what is sent before is lost.
        """
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        return all(
            state == _OPER_UP
            for message in self._answers(_GETLINK, DUMP, body, "list links")
            for state in _pair_state(message)
        )

    def link_to(self, address: IPAddress) -> int | None:
        """Return the index of the link that packets to an address leave by."""
        family = _FAMILIES[address.version]
        head = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        body = head + attribute(_RTA_DST, address.packed)
        try:
            answers = list(self._answers(_GETROUTE, 0, body, "look up a route"))
        except _RefusedError:
            return None  # no route leads there
        for message in answers:
            parts = attributes(message.data[HEADER.size + _ROUTE.size :])
            if message.type == _NEWROUTE and _RTA_OIF in parts:
                return int.from_bytes(parts[_RTA_OIF], sys.byteorder)
        return None

    def show_to_netfilter(self, bridge: Bridge, versions: Iterable[int]) -> None:
        """Have a bridge show packets of these IP versions to netfilter."""
        calls = b"".join(attribute(_CALLS[version], b"\1") for version in versions)
        info = attribute(_INFO_KIND, b"bridge")
        info += attribute(_INFO_DATA | NESTED, calls)
        body = _LINK.pack(socket.AF_UNSPEC, 0, bridge.number, 0, 0)
        body += attribute(_IFLA_LINKINFO | NESTED, info)
        what = f"have bridge {bridge.name} call netfilter"
        list(self._answers(_NEWLINK, ACK, body, what))

    def _answers(
        self, kind: int, flags: int, body: bytes, what: str
    ) -> Iterator[Envelope]:
        """Yield the messages that answer a request, up to the last one."""
        head = HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, 1, 0)
        self._socket.send(head + body)
        while True:
            for message in envelopes(self._socket.recv(_DATAGRAM)):
                if message.type == DONE:
                    return
                if message.type == ERROR:
                    if message.error():
                        raise _RefusedError(what, message.error())
                    return
                yield message
                if not flags:
                    return


class _RefusedError(KernelError):
    """The kernel refused a request."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"the kernel refused to {what}: {os.strerror(code)}")


def _pair_state(message: Envelope) -> bytes:
    """Return the state of an end of a veth pair, nothing of another link."""
    parts = attributes(message.data[HEADER.size + _LINK.size :])
    info = attributes(parts.get(_IFLA_LINKINFO, b""))
    is_end = bytes(info.get(_INFO_KIND, b"")).rstrip(b"\0") == b"veth"
    return bytes(parts.get(_IFLA_OPERSTATE, b"")) if is_end else b""


def _bridge(message: Envelope) -> Bridge | None:
    if message.type != _NEWLINK:
        return None
    _, _, index, _, _ = _LINK.unpack_from(message.data, HEADER.size)
    parts = attributes(message.data[HEADER.size + _LINK.size :])
    info = attributes(parts.get(_IFLA_LINKINFO, b""))
    if bytes(info.get(_INFO_KIND, b"")).rstrip(b"\0") != b"bridge":
        return None
    data = attributes(info.get(_INFO_DATA, b""))
    calls = frozenset(
        version for version, kind in _CALLS.items() if any(data.get(kind, b""))
    )
    name = bytes(parts.get(_IFLA_IFNAME, b"")).rstrip(b"\0").decode(errors="replace")
    return Bridge(index, name, calls)


def netfilter_sees_bridges() -> frozenset[int] | None:
    """Return the IP versions that every bridge shows to netfilter by sysctl.

    None where the kernel has no br_netfilter: then no bridge shows anything.
    """
    try:
        said = {version: path.read_text() for version, path in _SYSCTLS.items()}
    except FileNotFoundError:
        return None
    return frozenset(version for version, text in said.items() if text.strip() == "1")
