"""The packets that probes build by hand: SCTP's first two chunks and ICMP echo.

Not every kernel has SCTP sockets, so both sides of its opening are spoken over
raw sockets: INIT is answered by INIT ACK where somebody listens (RFC 9260).
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

_SCTP_COMMON = struct.Struct(
    "!HHI"
)  # source port, destination port, tag; then 4 bytes of checksum
_SCTP_CHUNK = struct.Struct("!BBHIIHHI")  # type, flags, length, and INIT's fields
_INIT, _INIT_ACK, _ABORT = 1, 2, 6
_COOKIE = struct.pack("!HH4s", 7, 8, b"ring")  # INIT ACK must carry a state cookie
_WINDOW = 65536

_ECHO = struct.Struct("!BBHHH")
ECHO_REQUESTS = {4: 8, 6: 128}
ECHO_REPLIES = {4: 0, 6: 129}


class SctpKind(Enum):
    """The chunks that matter to a probe."""

    INIT = _INIT
    INIT_ACK = _INIT_ACK
    ABORT = _ABORT


class Sctp(NamedTuple):
    """An SCTP packet's first chunk; ``initiate`` is the tag that answers carry."""

    kind: SctpKind
    source_port: int
    destination_port: int
    tag: int
    initiate: int = 0

    def encode(self) -> bytes:
        """Return the packet with its checksum."""
        cookie = _COOKIE if self.kind is SctpKind.INIT_ACK else b""
        length = _SCTP_CHUNK.size + len(cookie)
        common = _SCTP_COMMON.pack(self.source_port, self.destination_port, self.tag)
        chunk = _SCTP_CHUNK.pack(
            self.kind.value, 0, length, self.initiate, _WINDOW, 1, 1, 1
        )
        body = chunk + cookie
        # The checksum is the one little-endian field (RFC 9260, appendix A).
        checksum = struct.pack("<I", crc32c(common + bytes(4) + body))
        return common + checksum + body


def decode_sctp(data: bytes) -> Sctp | None:
    """Read a packet, None if it is none of INIT, INIT ACK and ABORT.

    The checksum is not looked at: links inside one kernel damage nothing.
    """
    if len(data) < _SCTP_COMMON.size + 8:  # checksum and chunk header
        return None
    source, destination, tag = _SCTP_COMMON.unpack_from(data)
    kind = data[12]
    if kind == _ABORT:
        return Sctp(SctpKind.ABORT, source, destination, tag)
    if kind not in {_INIT, _INIT_ACK} or len(data) < 12 + _SCTP_CHUNK.size:
        return None
    (initiate,) = struct.unpack_from("!I", data, 16)
    return Sctp(SctpKind(kind), source, destination, tag, initiate)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            # The Castagnoli polynomial, reflected.
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return SCTP's checksum (RFC 9260, appendix A)."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder = remainder >> 8 ^ _CRC_TABLE[(remainder ^ byte) & 0xFF]
    return remainder ^ 0xFFFFFFFF


class Echo(NamedTuple):
    """An ICMP echo message."""

    type: int
    identifier: int
    sequence: int

    def encode(self) -> bytes:
        """Return the message; the kernel fills in ICMPv6's checksum itself."""
        plain = _ECHO.pack(self.type, 0, 0, self.identifier, self.sequence)
        total = sum(struct.unpack("!4H", plain))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~total & 0xFFFF
        return _ECHO.pack(self.type, 0, checksum, self.identifier, self.sequence)


def decode_echo(data: bytes) -> Echo | None:
    """Read an echo message, None if it is another one."""
    if len(data) < _ECHO.size:
        return None
    kind, _, _, identifier, sequence = _ECHO.unpack_from(data)
    if kind not in {*ECHO_REQUESTS.values(), *ECHO_REPLIES.values()}:
        return None
    return Echo(kind, identifier, sequence)
