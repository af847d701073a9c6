"""Packets as nfnetlink_log tells them, and as it wants to be asked for them.

Layouts: linux/netfilter/nfnetlink_log.h.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from ringfence.ruleset.wire.attributes import (
    BODY,
    HEADER,
    attribute,
    attributes,
    number,
)
from ringfence.ruleset.wire.envelopes import FAMILY, Envelope

ULOG = 4
"""NFNL_SUBSYS_ULOG."""
LOG_PACKET, LOG_CONFIG = ULOG << 8, ULOG << 8 | 1
"""NFULNL_MSG_PACKET and NFULNL_MSG_CONFIG."""

_BIND, _COPY_PACKET, _COUNTED = 1, 2, 1
_COMMAND, _MODE, _BUFFER, _TIMEOUT, _THRESHOLD, _FLAGS = range(1, 7)
_HEADER, _MARK, _STAMP, _IN, _OUT = range(1, 6)
_PAYLOAD, _PREFIX, _SEQUENCE = 9, 10, 12
_HOOK_AT = 2
_MODE_LAYOUT = Struct(">IBx")
_STAMP_LAYOUT = Struct(">QQ")


class Logged(NamedTuple):
    """One packet that a rule logged.

    ``payload`` starts at the IP header and may be cut short. ``time`` is in
    nanoseconds since 1970, the kernel's where it stamped the packet, else the
    reader's. ``indev`` and ``outdev`` are interface indices; 0: none.
    ``sequence`` counts the packets of a group from 0.
    """

    group: int
    prefix: str
    payload: bytes
    time: int
    hook: int = 0
    indev: int = 0
    outdev: int = 0
    mark: int = 0
    sequence: int = 0


def subscription(group: int, copied: int, buffered: int) -> list[bytes]:
    """Return the bodies that subscribe to a group: sent packet by packet, numbered.

    ``copied``: bytes of a packet; ``buffered``: bytes the kernel may gather.
    """
    settings = (
        (_COMMAND, bytes([_BIND])),
        (_MODE, _MODE_LAYOUT.pack(copied, _COPY_PACKET)),
        (_BUFFER, buffered.to_bytes(4, "big")),
        (_TIMEOUT, (1).to_bytes(4, "big")),  # 10 ms
        (_THRESHOLD, (1).to_bytes(4, "big")),
        (_FLAGS, _COUNTED.to_bytes(2, "big")),
    )
    head = FAMILY.pack(0, 0, group)
    return [head + attribute(kind, value) for kind, value in settings]


def logged(message: Envelope, now: int) -> Logged | None:
    """Read a message; None where it is no packet or has lost its parts."""
    data = message.data
    if message.type != LOG_PACKET or len(data) < BODY:
        return None
    _, _, group = FAMILY.unpack_from(data, HEADER.size)
    found = attributes(data[BODY:])
    if _PAYLOAD not in found:
        return None
    hook = found.get(_HEADER, b"")
    return Logged(
        group,
        found.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace"),
        found[_PAYLOAD],
        _time(found.get(_STAMP)) or now,
        hook[_HOOK_AT] if len(hook) > _HOOK_AT else 0,
        number(found.get(_IN)),
        number(found.get(_OUT)),
        number(found.get(_MARK)),
        number(found.get(_SEQUENCE)),
    )


def _time(stamp: bytes | None) -> int:
    if stamp is None or len(stamp) < _STAMP_LAYOUT.size:
        return 0
    seconds, microseconds = _STAMP_LAYOUT.unpack_from(stamp)
    return int(seconds * 1_000_000_000 + microseconds * 1000)
