"""The first bytes of a packet, read as far as they go.

Whatever the bytes are, nothing is raised: what is cut short or makes no sense is
None. Layouts: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 9260, RFC 792, RFC 4443.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from ringfence.model.flow import IPAddress, Protocol

_V4 = Struct(">BxHxxHxBxx4s4s")
_V6 = Struct(">B3xHBx16s16s")
_PORTS = Struct(">HH")
_EXTENSION = Struct(">BB")
_FRAGMENT = Struct(">BxH")

_TCP, _ICMP4, _ICMP6 = 6, 1, 58
_FRAGMENT_HEADER, _AUTHENTICATION = 44, 51
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
"""IPv6 extension headers that say their length in units of 8 bytes (IANA)."""
_MOST_EXTENSIONS = 16
_OFFSET4, _OFFSET6 = 0x1FFF, 0xFFF8
_FLAGS_AT = 13

TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
"""From the lowest bit."""

PROTOCOLS = {6: Protocol.TCP, 17: Protocol.UDP, 132: Protocol.SCTP}


class Headers(NamedTuple):
    """What a packet's first bytes say.

    ``protocol`` is an IANA number, for IPv6 that behind the extension headers.
    ``ports`` are source and destination, ``icmp`` type and code; None where the
    protocol has none or the bytes end before.
    """

    source: IPAddress
    destination: IPAddress
    protocol: int
    ports: tuple[int, int] | None = None
    flags: tuple[str, ...] = ()
    icmp: tuple[int, int] | None = None

    @property
    def transport(self) -> Protocol:
        """The protocol as policies know it."""
        if self.protocol == (_ICMP4 if self.source.version == 4 else _ICMP6):  # noqa: PLR2004 - IP version
            return Protocol.ICMP
        return PROTOCOLS.get(self.protocol, Protocol.OTHER)


def parse(payload: bytes) -> Headers | None:
    """Read a packet that starts with its IP header; None where even that is lacking."""
    if not payload:
        return None
    match payload[0] >> 4:
        case 4:
            return _ipv4(payload)
        case 6:
            return _ipv6(payload)
        case _:
            return None


def _ipv4(payload: bytes) -> Headers | None:
    if len(payload) < _V4.size:
        return None
    first, _, fragment, protocol, source, destination = _V4.unpack_from(payload)
    size = (first & 0xF) * 4
    if size < _V4.size:
        return None
    found = Headers(IPv4Address(source), IPv4Address(destination), protocol)
    return found if fragment & _OFFSET4 else _transport(found, payload[size:])


def _ipv6(payload: bytes) -> Headers | None:
    if len(payload) < _V6.size:
        return None
    _, _, following, source, destination = _V6.unpack_from(payload)
    protocol, rest = _behind_extensions(following, payload[_V6.size :])
    found = Headers(IPv6Address(source), IPv6Address(destination), protocol)
    return found if rest is None else _transport(found, rest)


def _behind_extensions(following: int, rest: bytes) -> tuple[int, bytes | None]:
    """Return the transport protocol and its header, None where that is not here."""
    for _ in range(_MOST_EXTENSIONS):
        if following == _FRAGMENT_HEADER:
            if len(rest) < _PORTS.size * 2:
                return following, None
            following, offset = _FRAGMENT.unpack_from(rest)
            if offset & _OFFSET6:
                return following, None
            rest = rest[8:]
        elif following in _EXTENSIONS or following == _AUTHENTICATION:
            if len(rest) < _EXTENSION.size:
                return following, None
            header = following
            following, units = _EXTENSION.unpack_from(rest)
            rest = rest[
                (units + 2) * 4 if header == _AUTHENTICATION else (units + 1) * 8 :
            ]
        else:
            return following, rest
    return following, None


def _transport(found: Headers, data: bytes) -> Headers:
    if found.transport is Protocol.ICMP:
        return found._replace(icmp=(data[0], data[1])) if len(data) > 1 else found
    if not found.transport.has_ports or len(data) < _PORTS.size:
        return found
    source, destination = _PORTS.unpack_from(data)
    flags: tuple[str, ...] = ()
    if found.protocol == _TCP and len(data) > _FLAGS_AT:
        bits = data[_FLAGS_AT]
        flags = tuple(name for at, name in enumerate(TCP_FLAGS) if bits >> at & 1)
    return found._replace(ports=(source, destination), flags=flags)
