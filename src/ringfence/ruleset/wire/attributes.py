"""Netlink messages and attributes of nf_tables: built and cut, nothing interpreted.

Layouts: linux/netlink.h (struct nlmsghdr, struct nlattr), linux/netfilter/nfnetlink.h
(struct nfgenmsg). nf_tables keeps its numbers in network byte order.
"""

from __future__ import annotations

from struct import Struct

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
"""NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP."""

CREATE, APPEND = 0x400, 0x800
"""NLM_F_CREATE, NLM_F_APPEND."""

HEADER = Struct("=IHHII")
"""Length, type, flags, sequence number, port."""

BODY = HEADER.size + 4
"""Where the attributes of a message start, behind struct nfgenmsg."""

SUBSYSTEM = 10 << 8
"""NFNL_SUBSYS_NFTABLES, in a message's type."""

LARGEST = 0xFFFF
"""Bytes of one attribute, its head included."""

NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEAD = Struct("=HH")
_head = _HEAD.pack  # bound once: a cold load makes some hundred thousand
_cut = _HEAD.unpack_from
_PADS = (b"", b"\0\0\0", b"\0\0", b"\0")
_INET = bytes((1, 0, 0, 0))  # NFPROTO_INET, NFNETLINK_V0, no resource


def message(kind: int, flags: int, number: int, attributes_: bytes) -> bytes:
    """Return a request to nf_tables; ``number`` comes back with what is said to it."""
    head = HEADER.pack(
        BODY + len(attributes_), SUBSYSTEM | kind, flags | REQUEST, number, 0
    )
    return head + _INET + attributes_


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute, padded to the next word."""
    size = 4 + len(value)
    return _head(size, kind) + value + _PADS[size & 3]


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    inside = b"".join(parts)
    return _head(4 + len(inside), kind | NESTED) + inside


def word(kind: int, value: int) -> bytes:
    """Return an attribute of 32 bits."""
    return _head(8, kind) + value.to_bytes(4, "big")


def string(kind: int, value: str) -> bytes:
    """Return an attribute of text, ended by a zero."""
    return attribute(kind, value.encode() + b"\0")


def pairs(data: bytes) -> list[tuple[int, bytes]]:
    """Return attributes in order, each with its type; what is cut short ends them."""
    found = []
    start, end = 0, len(data)
    while start + 4 <= end:
        size, kind = _cut(data, start)
        if size < 4 or start + size > end:  # noqa: PLR2004 - the head's own bytes
            break
        found.append((kind & _TYPE_MASK, data[start + 4 : start + size]))
        start += (size + 3) & ~3
    return found


def attributes(data: bytes) -> dict[int, bytes]:
    """Return attributes by type."""
    return dict(pairs(data))


def number(data: bytes | None) -> int:
    """Return a number in network byte order, 0 where there is none."""
    return int.from_bytes(data, "big") if data else 0


def words(data: bytes | None) -> str:
    """Return the text of an attribute, empty where there is none."""
    return data.rstrip(b"\0").decode(errors="replace") if data else ""
