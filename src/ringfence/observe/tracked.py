"""Connections as ctnetlink tells them, and as it wants to be told of one.

Layouts: linux/netfilter/nfnetlink_conntrack.h. A dump has a hundred thousand
messages, so those of TCP, UDP and SCTP are read at fixed places; anything else, and
anything that stands elsewhere, attribute by attribute.
"""

from __future__ import annotations

from collections.abc import Collection
from struct import Struct
from typing import NamedTuple

from ringfence.ruleset.wire.attributes import (
    BODY,
    attribute,
    attributes,
    nested,
    number,
)
from ringfence.ruleset.wire.envelopes import FAMILY, Envelope, envelopes

CONNTRACK = 1
"""NFNL_SUBSYS_CTNETLINK."""
CT_NEW, CT_GET, CT_DELETE = (CONNTRACK << 8 | number for number in (0, 1, 2))
"""IPCTNL_MSG_CT_NEW (what a dump answers), IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE."""

_ORIGINAL, _REPLY, _STATUS, _MARK, _ID, _ZONE = 1, 2, 3, 8, 12, 18
_ADDRESSES, _TRANSPORT, _TUPLE_ZONE = 1, 2, 3
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_ATTRIBUTE = Struct("=HH")
_FACTS = {_ID: 0, _STATUS: 1, _MARK: 2, _ZONE: 3}


class Tuple(NamedTuple):
    """One direction of a connection; packed addresses, ports None without any."""

    source: bytes
    destination: bytes
    source_port: int | None
    destination_port: int | None


class Tracked(NamedTuple):
    """One entry: what was asked for, and what the answers look like.

    Where an address was translated, ``reply`` has the real one: its source is who
    answers, its destination whom the answers are sent to. ``tuple`` is the original
    direction as the kernel wrote it, to name the entry by.
    """

    original: Tuple
    reply: Tuple
    protocol: int
    id: int
    status: int
    mark: int
    zone: int
    tuple: bytes


class _Layout(NamedTuple):
    """A usual entry of one family: two tuples of addresses, protocol and two ports.

    ``ends`` reads who asks and who answers, ``fields`` all of it. The bytes that
    ``mask`` leaves are the attributes' heads, which say that it is a usual entry.
    """

    size: int
    mask: int
    heads: int
    ends: Struct
    fields: Struct


def _layout(width: int) -> _Layout:
    one = f"12x{width}s4x{width}s8xB7xH6xH2x"
    fields = Struct(f">{one}{one}")
    full = (b"\xff" * width, b"\xff" * width, 0xFF, 0xFFFF, 0xFFFF)
    mask = (1 << 8 * fields.size) - 1 ^ int.from_bytes(fields.pack(*full, *full), "big")
    heads = b"".join(_blank_tuple(kind, width) for kind in (_ORIGINAL, _REPLY))
    behind = fields.size // 2 - 12 - width
    ends = Struct(f"12x{width}s{behind}x12x{width}s")
    return _Layout(fields.size, mask, int.from_bytes(heads, "big"), ends, fields)


def _blank_tuple(kind: int, width: int) -> bytes:
    source, destination = _ADDRESS_TYPES[width]
    addresses = attribute(source, bytes(width)) + attribute(destination, bytes(width))
    transport = (
        attribute(_NUMBER, bytes(1))
        + attribute(_SOURCE_PORT, bytes(2))
        + attribute(_DESTINATION_PORT, bytes(2))
    )
    inside = nested(_ADDRESSES, addresses), nested(_TRANSPORT, transport)
    return nested(kind, *inside)


_ADDRESS_TYPES = {4: (1, 2), 16: (3, 4)}
"""CTA_IP_V4_SRC and _DST, CTA_IP_V6_SRC and _DST, by an address's bytes."""

_HEAD = Struct("=IH10xB")
"""Length, type and family of a message."""

_LAYOUTS = {2: _layout(4), 10: _layout(16)}
"""By AF_INET and AF_INET6."""

EVERYTHING = FAMILY.pack(0, 0, 0)
"""The body that asks for every entry of every family (AF_UNSPEC)."""


class Dumped(NamedTuple):
    """A datagram of a dump: its entries, and its messages that are none."""

    entries: list[Tracked]
    others: list[Envelope]


def dumped(data: bytes, touching: Collection[bytes] | None) -> Dumped:
    """Read the entries of a datagram that have one of these addresses, packed.

    The addresses looked at are those a policy speaks of: who asks and who answers.
    None: every entry.
    """
    found: list[Tracked] = []
    others: list[Envelope] = []
    head, layouts, from_bytes = _HEAD.unpack_from, _LAYOUTS, int.from_bytes
    start, length = 0, len(data) - BODY
    while start <= length:
        size, kind, family = head(data, start)
        body, end = start + BODY, start + size
        if size < BODY or end > len(data):
            break
        start = end + -size % 4
        layout = layouts.get(family)
        if kind != CT_NEW or layout is None:
            others += envelopes(data[body - BODY : end])
            continue
        fast, mask, heads, ends, fields = layout
        if from_bytes(data[body : body + fast], "big") & mask != heads:
            entry = _entry(data[body:end])
            if entry is not None and _touches(entry, touching):
                found.append(entry)
        elif body + fast <= end:
            if touching is not None:
                source, replier = ends.unpack_from(data, body)
                if source not in touching and replier not in touching:
                    continue
            found.append(_usual(data[body:end], fields))
    return Dumped(found, others)


def _touches(entry: Tracked, touching: Collection[bytes] | None) -> bool:
    return (
        touching is None
        or entry.original.source in touching
        or entry.reply.source in touching
    )


def _usual(body: bytes, fields: Struct) -> Tracked:
    values = fields.unpack_from(body)
    source, destination, protocol, source_port, port = values[:5]
    replier, asker, _, replier_port, asker_port = values[5:]
    return Tracked(
        Tuple(source, destination, source_port, port),
        Tuple(replier, asker, replier_port, asker_port),
        protocol,
        *_facts(body[fields.size :]),
        body[4 : fields.size // 2],
    )


def _facts(data: bytes) -> tuple[int, int, int, int]:
    """Return id, status, mark and zone; 0 for what is not told."""
    facts = [0, 0, 0, 0]
    start = 0
    while start + 4 <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, start)
        if size < _ATTRIBUTE.size:
            break
        place = _FACTS.get(kind)
        if place is not None:
            facts[place] = int.from_bytes(data[start + 4 : start + size], "big")
        start += size + -size % 4
    id_, status, mark, zone = facts
    return id_, status, mark, zone


def _entry(body: bytes) -> Tracked | None:
    """Read an entry attribute by attribute, None where it has no two tuples."""
    found = attributes(body)
    original, reply = (_tuple(found.get(kind, b"")) for kind in (_ORIGINAL, _REPLY))
    if original is None or reply is None:
        return None
    return Tracked(original[0], reply[0], original[1], *_facts(body), found[_ORIGINAL])


def _tuple(data: bytes) -> tuple[Tuple, int] | None:
    found = attributes(data)
    addresses = attributes(found.get(_ADDRESSES, b""))
    transport = attributes(found.get(_TRANSPORT, b""))
    if _NUMBER not in transport:
        return None
    for source, destination in _ADDRESS_TYPES.values():
        if source in addresses and destination in addresses:
            ports = (_SOURCE_PORT, _DESTINATION_PORT)
            one, other = (
                number(transport[of]) if of in transport else None for of in ports
            )
            ends = addresses[source], addresses[destination]
            return Tuple(*ends, one, other), number(transport[_NUMBER])
    return None


def forgetting(entry: Tracked) -> bytes:
    """Return the body that deletes the entry of this tuple, zone and id."""
    family = 2 if len(entry.original.source) == 4 else 10  # noqa: PLR2004 - bytes of IPv4
    return (
        FAMILY.pack(family, 0, 0)
        + nested(_ORIGINAL, entry.tuple)
        + attribute(_ID, entry.id.to_bytes(4, "big"))
        + (attribute(_ZONE, entry.zone.to_bytes(2, "big")) if entry.zone else b"")
    )
