"""Netlink messages cut into attributes: bytes in, bytes out, nothing trusted.

Layouts: linux/netlink.h (struct nlmsghdr, struct nlattr), linux/netfilter/nfnetlink.h
(struct nfgenmsg).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

HEADER = Struct("=IHHII")
"""Length, type, flags, sequence number, port."""

FAMILY = Struct(">BBH")
"""struct nfgenmsg: family, version, resource."""

ATTRIBUTE = Struct("=HH")
"""struct nlattr: length with this head, type."""

BODY = HEADER.size + FAMILY.size
"""Where the attributes of a netfilter message start."""

ERROR, DONE = 2, 3
"""NLMSG_ERROR (an acknowledgement, too) and NLMSG_DONE."""

_CODE = Struct("=i")
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


class Envelope(NamedTuple):
    """One netlink message: its header's words, and all of it."""

    type: int
    flags: int
    data: memoryview

    def error(self) -> int:
        """Return the errno of an ERROR message; 0: it was done."""
        if len(self.data) < HEADER.size + _CODE.size:
            return 0
        (code,) = _CODE.unpack_from(self.data, HEADER.size)
        return -int(code)


def envelopes(data: bytes) -> Iterator[Envelope]:
    """Yield the messages of a datagram; what is cut short is left out."""
    view = memoryview(data)
    start = 0
    while start + HEADER.size <= len(view):
        size, kind, flags, _, _ = HEADER.unpack_from(view, start)
        if size < HEADER.size or start + size > len(view):
            return
        yield Envelope(kind, flags, view[start : start + size])
        start += size + -size % 4


def attributes(data: memoryview | bytes) -> dict[int, memoryview]:
    """Return attributes by type, the last of a type; what is cut short is left out."""
    view = memoryview(data)
    found: dict[int, memoryview] = {}
    start = 0
    while start + ATTRIBUTE.size <= len(view):
        size, kind = ATTRIBUTE.unpack_from(view, start)
        if size < ATTRIBUTE.size or start + size > len(view):
            break
        found[kind & _TYPE_MASK] = view[start + ATTRIBUTE.size : start + size]
        start += size + -size % 4
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute, padded to the next word."""
    size = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(size, kind) + value + b"\0" * (-size % 4)


def number(data: memoryview | None) -> int | None:
    """Return a number in network byte order, None where there is none."""
    return None if data is None else int.from_bytes(data, "big")
