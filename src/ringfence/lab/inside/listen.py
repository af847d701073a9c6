"""Whoever a probe asks: TCP accepts, UDP echoes, SCTP acknowledges an INIT.

Listeners stay open from batch to batch, so that many steps share one lab.
ICMP echo requests are the kernel's to answer.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable

from ringfence.errors import KernelError
from ringfence.lab.inside.fabric import Fabric
from ringfence.lab.inside.packets import Sctp, SctpKind, decode_sctp
from ringfence.lab.inside.reactor import Reactor
from ringfence.lab.inside.sockets import RawSocket, close_with_reset, open_socket
from ringfence.lab.plan import Probe
from ringfence.model.flow import IPAddress, Protocol

_BACKLOG = 4096
_LARGEST = 2048
_OUR_TAG = 0x52494E47


class Listeners:
    """Everything that listens in a lab: every address, on every port asked for."""

    def __init__(self, fabric: Fabric, reactor: Reactor) -> None:
        self._fabric = fabric
        self._reactor = reactor
        self._tcp: dict[tuple[IPAddress, int], socket.socket] = {}
        self._udp: dict[tuple[IPAddress, int], socket.socket] = {}
        self._sctp: dict[IPAddress, tuple[RawSocket, set[int]]] = {}
        self.ports: set[int] = set()
        """Every port that somebody listens on."""

    def close(self) -> None:
        """Close every listener."""
        for sock in self._tcp.values():
            sock.close()
        raws = (raw.socket for raw, _ in self._sctp.values())
        for sock in (*self._udp.values(), *raws):
            self._reactor.forget(sock)
            sock.close()

    def forget(self, addresses: Collection[IPAddress]) -> None:
        """Close what listens on addresses whose namespaces are gone."""
        for tcp in [key for key in self._tcp if key[0] in addresses]:
            self._tcp.pop(tcp).close()
        datagrams = [self._udp.pop(key) for key in [*self._udp] if key[0] in addresses]
        raws = [self._sctp.pop(key)[0] for key in [*self._sctp] if key in addresses]
        for sock in (*datagrams, *(raw.socket for raw in raws)):
            self._reactor.forget(sock)
            sock.close()

    def __len__(self) -> int:
        """Return how many sockets listen."""
        return len(self._tcp) + len(self._udp) + len(self._sctp)

    def answer(self, probes: Iterable[Probe]) -> None:
        """Listen wherever these probes go."""
        for _, destination, protocol, port in probes:
            if port is None:
                continue
            self.ports.add(port)
            try:
                self._listen(destination, protocol, port)
            except OSError as error:
                where = f"{destination} {protocol.value} port {port}"
                raise KernelError(
                    f"cannot listen on {where}: {error.strerror}"
                ) from error

    def _listen(self, address: IPAddress, protocol: Protocol, port: int) -> None:
        match protocol:
            case Protocol.TCP if (address, port) not in self._tcp:
                sock = self._bind(address, socket.SOCK_STREAM, port)
                sock.listen(_BACKLOG)
                self._tcp[address, port] = sock
            case Protocol.UDP if (address, port) not in self._udp:
                sock = self._bind(address, socket.SOCK_DGRAM, port)
                self._udp[address, port] = sock
                self._reactor.watch(sock, lambda: _echo(sock))
            case Protocol.SCTP:
                self._sctp_ports(address).add(port)
            case _:
                pass

    def _bind(
        self, address: IPAddress, kind: socket.SocketKind, port: int
    ) -> socket.socket:
        with self._fabric.inside(address):
            sock = open_socket(address, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(address), port))
        return sock

    def _sctp_ports(self, address: IPAddress) -> set[int]:
        known = self._sctp.get(address)
        if known is not None:
            return known[1]
        with self._fabric.inside(address):
            raw = RawSocket(address, Protocol.SCTP)
        ports: set[int] = set()
        self._sctp[address] = raw, ports
        self._reactor.watch(raw.socket, lambda: _acknowledge(raw, ports))
        return ports

    def hang_up(self) -> None:
        """End all TCP connections that were made, which their clients have left."""
        for listener in self._tcp.values():
            while True:
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    break
                close_with_reset(connection)


def _echo(sock: socket.socket) -> None:
    while True:
        try:
            data, sender = sock.recvfrom(_LARGEST)
            sock.sendto(data, sender)
        except BlockingIOError:
            return
        except OSError:
            # A pending ICMP error, about an echo that nobody took: read on.
            continue


def _acknowledge(raw: RawSocket, ports: set[int]) -> None:
    for sender, data in raw.packets():
        packet = decode_sctp(data)
        if (
            packet is not None
            and packet.kind is SctpKind.INIT
            and packet.destination_port in ports
        ):
            answer = Sctp(
                SctpKind.INIT_ACK,
                packet.destination_port,
                packet.source_port,
                packet.initiate,
                _OUR_TAG,
            )
            raw.send(sender, answer.encode())
