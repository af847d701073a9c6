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
import time
from collections.abc import Iterable
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from ringfence.adapters.kernel.netlinksocket import NetlinkSocket
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
from ringfence.ruleset.wire.envelopes import (
    DONE,
    ERROR,
    INTERRUPTED,
    Envelope,
    envelopes,
)

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
_TRIES, _PAUSE_S = 100, 0.005
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
        for message in self._dump(_GETADDR, body, "list addresses"):
            parts = attributes(message.data[HEADER.size + _ADDRESS.size :])
            value = parts.get(_IFA_LOCAL) or parts.get(_IFA_ADDRESS)
            if message.type == _NEWADDR and value is not None:
                found.add(bytes(value))
        return frozenset(found)

    def bridges(self) -> dict[int, Bridge]:
        """Return the bridges of the namespace by their interface index."""
        found = filter(None, map(_bridge, self._links()))
        return {bridge.number: bridge for bridge in found}

    def pairs_run(self) -> bool:
        """Whether every end of a veth pair in the namespace passes packets by now.

        The end that was up first gets its queue from a worker of the kernel, later
        (linux/if.h, IF_OPER_UP); what is sent before is lost.
        """
        states = (state for message in self._links() for state in _pair_state(message))
        return all(state == _OPER_UP for state in states)

    def link_to(self, address: IPAddress) -> int | None:
        """Return the index of the link that packets to an address leave by."""
        family = _FAMILIES[address.version]
        head = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        body = head + attribute(_RTA_DST, address.packed)
        try:
            answers = self._ask(_GETROUTE, 0, body, "look up a route")
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
        self._ask(_NEWLINK, ACK, body, what)

    def _links(self) -> list[Envelope]:
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        return self._dump(_GETLINK, body, "list links")

    def _dump(self, kind: int, body: bytes, what: str) -> list[Envelope]:
        """Return a listing that nothing changed while it was made."""
        for _ in range(_TRIES):
            answers = self._ask(kind, DUMP, body, what)
            if not any(message.flags & INTERRUPTED for message in answers):
                return answers
            time.sleep(_PAUSE_S)
        raise KernelError(f"cannot {what}: they change faster than they can be listed")

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> list[Envelope]:
        """Return all that answers a request, its end of list with it.

        Never a part: the kernel refuses a listing while another is unread.
        """
        head = HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, 1, 0)
        self._socket.send(head + body)
        answers: list[Envelope] = []
        while True:
            for message in envelopes(self._socket.recv(_DATAGRAM)):
                answers.append(message)
                if message.type in (DONE, ERROR) and message.error():
                    raise _RefusedError(
                        f"the kernel refused to {what}: {os.strerror(message.error())}"
                    )
                if message.type in (DONE, ERROR) or not flags:
                    return answers


class _RefusedError(KernelError):
    """The kernel refused a request."""


def _pair_state(message: Envelope) -> bytes:
    """Return the state of an end of a veth pair, nothing of another link."""
    if message.type != _NEWLINK:
        return b""
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
