"""Sockets as listeners and probes share them: families, raw ones, quick ends."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from ringfence.model.flow import IPAddress, Protocol

_NO_LINGER = struct.pack("ii", 1, 0)
_IPV4 = 4
_LARGEST = 2048

_RAW = {
    (Protocol.SCTP, 4): socket.IPPROTO_SCTP,
    (Protocol.SCTP, 6): socket.IPPROTO_SCTP,
    (Protocol.ICMP, 4): socket.IPPROTO_ICMP,
    (Protocol.ICMP, 6): socket.IPPROTO_ICMPV6,
}


def open_socket(address: IPAddress, kind: socket.SocketKind) -> socket.socket:
    """Return a non-blocking socket of an address's family."""
    family = socket.AF_INET if address.version == _IPV4 else socket.AF_INET6
    return socket.socket(family, kind | socket.SOCK_NONBLOCK)


def close_with_reset(sock: socket.socket) -> None:
    """Close a TCP socket with a RST, after which neither end waits for anything."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()


class RawSocket:
    """The SCTP or ICMP packets of one address."""

    __slots__ = ("_address", "socket")

    def __init__(self, address: IPAddress, protocol: Protocol) -> None:
        self._address = address
        family = socket.AF_INET if address.version == _IPV4 else socket.AF_INET6
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        self.socket = socket.socket(family, kind, _RAW[protocol, address.version])
        self.socket.bind((str(address), 0))

    def send(self, destination: IPAddress, data: bytes) -> None:
        """Send a packet; raises OSError where there is no way."""
        self.socket.sendto(data, (str(destination), 0))

    def packets(self) -> Iterator[tuple[IPAddress, bytes]]:
        """Yield all that has come: sender and payload, without the IP header."""
        while True:
            try:
                data, sender = self.socket.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            if self._address.version == _IPV4:
                # Raw IPv4 sockets hand over the header too (raw(7)).
                data = data[(data[0] & 0xF) * 4 :]
            yield ip_address(sender[0]), data
