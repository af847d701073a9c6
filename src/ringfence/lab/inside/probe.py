"""Batches of probes: every protocol's opening sent, every answer collected.

All sockets belong to one thread and one epoll. A batch is sent twice at most:
what has no answer when everything sent has come to its end is tried once more
from a fresh port, and only then called dropped. ICMP errors alone never decide
that a probe got through or not; they only name how it failed.
"""

from __future__ import annotations

import errno
import resource
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from itertools import cycle

from ringfence.adapters.process import one_cpu
from ringfence.errors import KernelError, RingfenceBug
from ringfence.lab.inside.fabric import Fabric
from ringfence.lab.inside.listen import Listeners
from ringfence.lab.inside.packets import (
    ECHO_REPLIES,
    ECHO_REQUESTS,
    Echo,
    Sctp,
    SctpKind,
    decode_echo,
    decode_sctp,
)
from ringfence.lab.inside.reactor import Reactor
from ringfence.lab.inside.sockets import RawSocket, close_with_reset, open_socket
from ringfence.lab.plan import Fate, Probe
from ringfence.model.flow import IPAddress, Protocol

_ROUNDS = 2
_LARGEST_CHUNK = 2000  # well below a listener's backlog
_AT_A_TIME = 64  # sent before answers are read; well below a processor's backlog
_SOURCE_PORTS = range(16384, 65536)
_MESSAGE = b"ringfence"

# What an error of a socket means; all others say no.
_FATES = {
    0: Fate.CONNECTED,
    # The handshake was over when the other end hung up.
    errno.ECONNRESET: Fate.CONNECTED,
    # EPERM: dropped on its way out of the sender's own namespace.
    errno.EPERM: Fate.DROPPED,
    errno.ETIMEDOUT: Fate.DROPPED,
}


class Prober:
    """Sends batches of probes into a fabric."""

    def __init__(self, fabric: Fabric, reactor: Reactor) -> None:
        self._fabric = fabric
        self._reactor = reactor
        self._listeners = Listeners(fabric, reactor)
        self._ports = cycle(_SOURCE_PORTS)

    def close(self) -> None:
        """Close the listeners."""
        self._listeners.close()

    def forget(self, addresses: Collection[IPAddress]) -> None:
        """Close what listens on addresses that are gone, before they come back."""
        self._listeners.forget(addresses)

    def probe(self, probes: Sequence[Probe], deadline_s: float) -> list[Fate]:
        """Return what became of each probe, in order.

        Raises KernelError when they have not all come to an end by the deadline.
        """
        deadline = time.monotonic() + deadline_s
        self._listeners.answer(probes)
        limit = self._chunk_size()
        fates: list[Fate] = []
        with one_cpu():
            for start in range(0, len(probes), limit):
                self._fabric.forget_connections()
                chunk = _Chunk(
                    self._fabric, self._reactor, probes[start : start + limit]
                )
                try:
                    fates += chunk.run(self._source_ports(), deadline)
                finally:
                    chunk.close()
                self._reactor.settle(deadline)
                self._listeners.hang_up()
        return fates

    def _source_ports(self) -> Iterator[int]:
        """Yield ports to send from, the longest unused first.

        Never one that is listened on: a packet from there could pass for the
        reply to a probe that goes the other way.
        """
        listening = self._listeners.ports
        if len(listening) > len(_SOURCE_PORTS) // 2:
            raise KernelError(f"{len(listening)} different ports in one lab")
        return (port for port in self._ports if port not in listening)

    def _chunk_size(self) -> int:
        """Return how many probes the limit of open files has room for."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = (limit - len(self._listeners) - 256 - len(self._fabric)) // (2 * _ROUNDS)
        if room < 1:
            raise KernelError(
                f"too few open files for this lab (`ulimit -Hn` is {limit})"
            )
        return min(room, _LARGEST_CHUNK)


class _Chunk:
    """Probes that are under way together."""

    def __init__(
        self, fabric: Fabric, reactor: Reactor, probes: Sequence[Probe]
    ) -> None:
        self._fabric = fabric
        self._reactor = reactor
        self._probes = probes
        self._fates: dict[int, Fate] = {}
        self._callers: list[socket.socket] = []
        self._raws: dict[tuple[IPAddress, Protocol], RawSocket] = {}
        self._sent: dict[int, int] = {}  # source port or ICMP identifier -> probe

    def close(self) -> None:
        """Close every socket, with a RST where there is a connection."""
        for raw in self._raws.values():
            self._reactor.forget(raw.socket)
            raw.socket.close()
        for sock in self._callers:
            self._reactor.forget(sock)
            if sock.type == socket.SOCK_STREAM:
                close_with_reset(sock)
            else:
                sock.close()

    def run(self, ports: Iterator[int], deadline: float) -> list[Fate]:
        """Send all, then the unanswered again; return what became of each."""
        everyone = range(len(self._probes))
        by_source = sorted(everyone, key=lambda n: str(self._probes[n].source))
        for _ in range(_ROUNDS):
            waiting = [n for n in by_source if self._fates.get(n) != Fate.CONNECTED]
            for count, number in enumerate(waiting):
                self._send(number, next(ports))
                if count % _AT_A_TIME == 0:
                    self._reactor.turn()
            self._reactor.settle(deadline)
        return [self._fates.get(n, Fate.DROPPED) for n in everyone]

    def _learn(self, number: int, fate: Fate) -> None:
        """Note an answer; a connection outweighs every other one."""
        if self._fates.get(number) is not Fate.CONNECTED:
            self._fates[number] = fate

    def _fail(self, number: int, code: int) -> None:
        self._learn(number, _FATES.get(code, Fate.REFUSED))

    def _send(self, number: int, port: int) -> None:
        self._sent[port] = number
        probe = self._probes[number]
        try:
            match probe.protocol:
                case Protocol.TCP:
                    self._call(number, socket.SOCK_STREAM, port)
                case Protocol.UDP:
                    self._call(number, socket.SOCK_DGRAM, port)
                case Protocol.SCTP if probe.port is not None:
                    init = Sctp(SctpKind.INIT, port, probe.port, 0, initiate=port)
                    self._raw(probe).send(probe.destination, init.encode())
                case Protocol.ICMP:
                    request = Echo(ECHO_REQUESTS[probe.source.version], port, 1)
                    self._raw(probe).send(probe.destination, request.encode())
                case _:
                    raise RingfenceBug(f"nobody knows how to probe {probe}")
        except OSError as error:
            self._fail(number, error.errno or errno.EIO)

    def _call(self, number: int, kind: socket.SocketKind, port: int) -> None:
        probe = self._probes[number]
        with self._fabric.inside(probe.source):
            sock = open_socket(probe.source, kind)
        self._callers.append(sock)
        sock.bind((str(probe.source), port))
        code = sock.connect_ex((str(probe.destination), probe.port))
        if code not in {0, errno.EINPROGRESS}:
            self._fail(number, code)
        elif kind is socket.SOCK_STREAM:
            self._reactor.watch(
                sock, lambda: self._connected(number, sock), writing=True
            )
        else:
            self._reactor.watch(sock, lambda: self._echoed(number, sock))
            sock.send(_MESSAGE)

    def _connected(self, number: int, sock: socket.socket) -> None:
        self._reactor.forget(sock)
        self._fail(number, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _echoed(self, number: int, sock: socket.socket) -> None:
        self._reactor.forget(sock)
        try:
            sock.recv(len(_MESSAGE))
        except OSError as error:
            self._fail(number, error.errno or errno.EIO)
        else:
            self._learn(number, Fate.CONNECTED)

    def _raw(self, probe: Probe) -> RawSocket:
        key = probe.source, probe.protocol
        raw = self._raws.get(key)
        if raw is None:
            with self._fabric.inside(probe.source):
                raw = self._raws[key] = RawSocket(*key)
            read = (
                self._read_sctp if probe.protocol is Protocol.SCTP else self._read_icmp
            )
            self._reactor.watch(raw.socket, lambda: read(raw))
        return raw

    def _read_sctp(self, raw: RawSocket) -> None:
        for _, data in raw.packets():
            packet = decode_sctp(data)
            if packet is None or packet.kind is SctpKind.INIT:
                continue
            number = self._sent.get(packet.destination_port)
            if number is None or packet.tag != packet.destination_port:
                continue
            answered = packet.kind is SctpKind.INIT_ACK
            self._learn(number, Fate.CONNECTED if answered else Fate.REFUSED)

    def _read_icmp(self, raw: RawSocket) -> None:
        for _, data in raw.packets():
            echo = decode_echo(data)
            if echo is not None and echo.type in ECHO_REPLIES.values():
                number = self._sent.get(echo.identifier)
                if number is not None:
                    self._learn(number, Fate.CONNECTED)
