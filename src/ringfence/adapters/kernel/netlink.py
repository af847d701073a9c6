"""Raw netlink: links, addresses, routes and neighbours, many to a system call.

One message is about 20 microseconds where one ``ip`` process is 18 ms. Message
layouts: rtnetlink(7), linux/if_link.h, linux/neighbour.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from ringfence.adapters.kernel.netlinksocket import NetlinkSocket
from ringfence.errors import KernelError
from ringfence.model.flow import IPAddress, IPNetwork
from ringfence.ruleset.wire.attributes import ACK, HEADER, NESTED, REQUEST, attribute
from ringfence.ruleset.wire.requests import answers, complaint

LOOPBACK = 1
"""The index of ``lo`` in every network namespace."""

_CREATE = 0x400 | 0x200  # NLM_F_CREATE | NLM_F_EXCL: it must be new

_RTM_NEWLINK, _RTM_NEWADDR, _RTM_NEWROUTE, _RTM_NEWNEIGH = 16, 20, 24, 28
_RTM_SETLINK = 19

_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 10, 18
_IFLA_PROTINFO, _IFLA_NET_NS_FD = 12, 28
_AF_BRIDGE, _IFLA_BRPORT_MODE = 7, 4
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_F_NODAD = 1, 2, 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RT_TABLE_MAIN, _RTPROT_STATIC, _RTN_UNICAST, _RTNH_F_ONLINK = 254, 4, 1, 4
_RT_SCOPE_LINK = 253
_NDA_DST, _NDA_LLADDR, _NUD_PERMANENT = 1, 2, 0x80

_LINK = struct.Struct("=BxHiII")
_BATCH = 64  # acknowledgements of one batch fit into the default receive buffer


class Message(NamedTuple):
    """One request; ``what`` names it in an error."""

    type: int
    flags: int
    body: bytes
    what: str


class LinkEnd(NamedTuple):
    """One end of a veth pair: its name, interface index and MAC address."""

    name: str
    number: int
    mac: bytes


def _family(address: IPAddress) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4


def _link(index: int, flags: int) -> bytes:
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flags, flags)


def link_up(index: int) -> Message:
    """Set a link up."""
    return Message(_RTM_NEWLINK, 0, _link(index, _IFF_UP), f"set link {index} up")


def veth(
    here: LinkEnd, there: LinkEnd, namespace: int, bridge: int | None = None
) -> Message:
    """Make a veth pair with ``there`` in the namespace of a descriptor.

    Only ``here`` is up: the driver refuses to open the far end before it has
    met its peer. ``bridge`` is the index of the one that ``here`` is a port of.
    """
    far = _link(there.number, 0) + b"".join(
        (
            attribute(_IFLA_IFNAME, there.name.encode() + b"\0"),
            attribute(_IFLA_ADDRESS, there.mac),
            attribute(_IFLA_NET_NS_FD, struct.pack("=I", namespace)),
        )
    )
    data = attribute(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER, far))
    body = _link(here.number, _IFF_UP) + b"".join(
        (
            attribute(_IFLA_IFNAME, here.name.encode() + b"\0"),
            attribute(_IFLA_ADDRESS, here.mac),
            attribute(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"veth") + data),
        )
    )
    if bridge is not None:
        body += attribute(_IFLA_MASTER, struct.pack("=I", bridge))
    return Message(_RTM_NEWLINK, _CREATE, body, f"make veth {here.name}")


def bridge(end: LinkEnd) -> Message:
    """Make a bridge, which is up at once; it speaks no spanning tree protocol."""
    body = _link(end.number, _IFF_UP) + b"".join(
        (
            attribute(_IFLA_IFNAME, end.name.encode() + b"\0"),
            attribute(_IFLA_ADDRESS, end.mac),
            attribute(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"bridge")),
        )
    )
    return Message(_RTM_NEWLINK, _CREATE, body, f"make bridge {end.name}")


def address(index: int, value: IPAddress) -> Message:
    """Give a link one address, usable at once (no duplicate address detection)."""
    head = struct.pack(
        "=BBBBi", _family(value), value.max_prefixlen, _IFA_F_NODAD, 0, index
    )
    body = (
        head
        + attribute(_IFA_LOCAL, value.packed)
        + attribute(_IFA_ADDRESS, value.packed)
    )
    return Message(_RTM_NEWADDR, _CREATE, body, f"add address {value}")


def route(
    index: int, gateway: IPAddress | None, destination: IPAddress | IPNetwork | None
) -> Message:
    """Route an address, a network or everything (None) through a link's gateway.

    Without a gateway each address is asked for on the link itself.
    """
    base, length = _range(destination)
    family = gateway or base
    if family is None:
        raise ValueError("a default route has a gateway")
    head = struct.pack(
        "=BBBBBBBBI",
        _family(family),
        length,
        0,
        0,
        _RT_TABLE_MAIN,
        _RTPROT_STATIC,
        0 if gateway else _RT_SCOPE_LINK,
        _RTN_UNICAST,
        _RTNH_F_ONLINK if gateway else 0,
    )
    body = (
        head
        + (attribute(_RTA_DST, base.packed) if base else b"")
        + (attribute(_RTA_GATEWAY, gateway.packed) if gateway else b"")
        + attribute(_RTA_OIF, struct.pack("=i", index))
    )
    return Message(_RTM_NEWROUTE, _CREATE, body, f"route {destination or 'default'}")


def _range(destination: IPAddress | IPNetwork | None) -> tuple[IPAddress | None, int]:
    """Return a destination's address and prefix length."""
    match destination:
        case IPv4Address() | IPv6Address():
            return destination, destination.max_prefixlen
        case IPv4Network() | IPv6Network():
            return destination.network_address, destination.prefixlen
        case None:
            return None, 0


def neighbour(index: int, value: IPAddress, mac: bytes) -> Message:
    """Pin the MAC address of a neighbour, so that nobody has to ask for it."""
    head = struct.pack("=BxxxiHBB", _family(value), index, _NUD_PERMANENT, 0, 0)
    body = head + attribute(_NDA_DST, value.packed) + attribute(_NDA_LLADDR, mac)
    return Message(_RTM_NEWNEIGH, _CREATE, body, f"pin neighbour {value}")


def hairpin(index: int) -> Message:
    """Let a bridge send frames back to the port that they came from.

    So a pod reaches itself through its Service's address.
    """
    mode = attribute(_IFLA_BRPORT_MODE, b"\1")
    body = _LINK.pack(_AF_BRIDGE, 0, index, 0, 0)
    body += attribute(_IFLA_PROTINFO | NESTED, mode)
    return Message(_RTM_SETLINK, 0, body, f"set hairpin mode of link {index}")


def undo(messages: Sequence[Message]) -> list[Message]:
    """Take back what messages made, the last first; what they only set goes along."""
    # Every RTM_NEW... is followed by its RTM_DEL... (linux/rtnetlink.h).
    return [
        Message(made.type + 1, 0, made.body, f"undo: {made.what}")
        for made in reversed(messages)
        if made.flags & _CREATE
    ]


class Netlink(NetlinkSocket):
    """An rtnetlink socket of the network namespace it was made in."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)

    def request(self, messages: Iterable[Message]) -> None:
        """Send messages and wait for their acknowledgements.

        Raises KernelError naming the first request that failed.
        """
        waiting = list(messages)
        for start in range(0, len(waiting), _BATCH):
            self._batch(waiting[start : start + _BATCH])

    def _batch(self, messages: Sequence[Message]) -> None:
        parts = []
        for number, (kind, flags, body, _) in enumerate(messages):
            size = HEADER.size + len(body)
            asked = flags | REQUEST | ACK
            parts.append(HEADER.pack(size, kind, asked, number, 0) + body)
            parts.append(b"\0" * (-size % 4))
        self._socket.send(b"".join(parts))
        acknowledged = 0
        failure = ""
        while acknowledged < len(messages):
            for answer in answers(self._socket.recv(65536)):
                acknowledged += 1
                if answer.errno and not failure:
                    text = complaint(answer)
                    reason = os.strerror(answer.errno) + (text and f" ({text})")
                    failure = f"{messages[answer.number].what}: {reason}"
        if failure:
            raise KernelError(f"the kernel refused to {failure}")
