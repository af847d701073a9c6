"""Packets that nftables rules log, read as they come, losses counted."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable

from ringfence.adapters.kernel.netlinksocket import NETLINK_NETFILTER, NetlinkSocket
from ringfence.errors import KernelError
from ringfence.observe.logged import LOG_CONFIG, Logged, logged, subscription
from ringfence.ruleset.wire.attributes import ACK, HEADER, REQUEST
from ringfence.ruleset.wire.envelopes import ERROR, envelopes

COPIED = 128
"""Bytes of a packet that are asked for; the rule's snaplen may allow fewer."""

_RECEIVE = 4 << 20
_BUFFERED = 1 << 16
_DATAGRAM = 1 << 17
_WRAP = 1 << 32


class Nflog(NetlinkSocket):
    """A subscription to log groups of the network namespace it was made in.

    ``lost`` counts the packets missing from the groups' own numbering, whatever lost
    them; ``overruns`` how often this reader was too slow. Raises KernelError where
    the kernel refuses: no CAP_NET_ADMIN, or another reader has the group.
    """

    __slots__ = ("_next", "lost", "overruns")

    def __init__(self, groups: Iterable[int], *, receive: int = _RECEIVE) -> None:
        self.lost = 0
        self.overruns = 0
        self._next: dict[int, int] = {}
        super().__init__(NETLINK_NETFILTER)
        try:
            self._enlarge(socket.SO_RCVBUF, receive)
            for group in groups:
                self._subscribe(group)
        except (OSError, KernelError):
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable when packets wait."""
        return self._socket.fileno()

    def read(self) -> list[Logged]:
        """Wait for packets and return them, those of one datagram; maybe none."""
        try:
            data = self._socket.recv(_DATAGRAM)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise KernelError(f"cannot read logged packets: {error}") from error
            self.overruns += 1
            return []
        now = time.time_ns()
        read = [logged(message, now) for message in envelopes(data)]
        found = [packet for packet in read if packet is not None]
        for packet in found:
            self._account(packet)
        return found

    def _account(self, packet: Logged) -> None:
        expected = self._next.get(packet.group, packet.sequence)
        self.lost += (packet.sequence - expected) % _WRAP
        self._next[packet.group] = (packet.sequence + 1) % _WRAP

    def _subscribe(self, group: int) -> None:
        for body in subscription(group, COPIED, _BUFFERED):
            size = HEADER.size + len(body)
            head = HEADER.pack(size, LOG_CONFIG, REQUEST | ACK, group, 0)
            self._socket.send(head + body)
            code = self._acknowledged()
            if code:
                # The kernel has one word for both (nfulnl_recv_config).
                hint = " (CAP_NET_ADMIN is needed, and no other program may read it)"
                hint *= code == errno.EPERM
                raise KernelError(
                    f"cannot read nflog group {group}: {os.strerror(code)}{hint}"
                )

    def _acknowledged(self) -> int:
        """Return the errno of the request just made; packets before it do not count."""
        while True:
            for message in envelopes(self._socket.recv(_DATAGRAM)):
                if message.type == ERROR:
                    return message.error()
