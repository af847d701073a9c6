"""Netlink datagrams cut into messages: nothing in them is trusted.

Layouts: linux/netlink.h (struct nlmsghdr, struct nlmsgerr), linux/netfilter/nfnetlink.h
(struct nfgenmsg). Attributes are cut by ``ruleset.wire.attributes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from ringfence.ruleset.wire.attributes import HEADER

FAMILY = Struct(">BBH")
"""struct nfgenmsg: family, version, resource."""

ERROR, DONE = 2, 3
"""NLMSG_ERROR (errno 0: an acknowledgement) and NLMSG_DONE."""

INTERRUPTED = 0x10
"""NLM_F_DUMP_INTR: what is listed changed while it was."""

_CODE = Struct("=i")


class Envelope(NamedTuple):
    """One netlink message: its header's words, and all of it."""

    type: int
    flags: int
    number: int
    data: bytes

    def error(self) -> int:
        """Return the errno of an ERROR or DONE message; 0: it was done."""
        if len(self.data) < HEADER.size + _CODE.size:
            return 0
        (code,) = _CODE.unpack_from(self.data, HEADER.size)
        return -int(code)


def envelopes(data: bytes) -> Iterator[Envelope]:
    """Yield the messages of a datagram; what is cut short is left out."""
    start = 0
    while start + HEADER.size <= len(data):
        size, kind, flags, number, _ = HEADER.unpack_from(data, start)
        if size < HEADER.size or start + size > len(data):
            return
        yield Envelope(kind, flags, number, data[start : start + size])
        start += size + -size % 4
