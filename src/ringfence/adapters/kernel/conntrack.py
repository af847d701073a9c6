"""Connection tracking of a network namespace: what is established, and ending it.

ctnetlink over a raw socket (linux/netfilter/nfnetlink_conntrack.h); entries and
bodies are those of ``observe.tracked``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from ringfence.adapters.kernel.netlinksocket import NETLINK_NETFILTER, NetlinkSocket
from ringfence.errors import KernelError
from ringfence.observe.tracked import (
    CT_DELETE,
    CT_GET,
    EVERYTHING,
    Tracked,
    dumped,
    forgetting,
)
from ringfence.ruleset.wire.attributes import ACK, DUMP, HEADER, REQUEST
from ringfence.ruleset.wire.envelopes import DONE, ERROR, FAMILY, INTERRUPTED, envelopes

_DATAGRAM = 1 << 16  # the kernel fills at most half of it (NLMSG_GOODSIZE, 32 KiB)
_BATCH = 128  # deletions a system call; their refusals fit into the receive buffer
_TRIES = 5
_AGAIN = {errno.ENOBUFS, errno.EINTR, errno.EBUSY, errno.EAGAIN}


class Conntrack(NetlinkSocket):
    """A ctnetlink socket of the network namespace it was made in.

    Raises KernelError where the kernel refuses, as it does without CAP_NET_ADMIN.
    """

    __slots__ = ("_sequence",)

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER)
        self._sequence = 0

    def entries(self, touching: Collection[bytes] | None = None) -> list[Tracked]:
        """List the entries in which one of these packed addresses asks or answers.

        None: every entry. A listing that the kernel interrupts is begun again; one
        that it always interrupts is returned as far as it came, each entry once.
        """
        found: dict[tuple[int, int, bytes], Tracked] = {}
        for _ in range(_TRIES):
            self._send(CT_GET, REQUEST | DUMP, [EVERYTHING])
            whole = self._listing(found, touching)
            if whole:
                break
        return list(found.values())

    def _listing(
        self,
        found: dict[tuple[int, int, bytes], Tracked],
        touching: Collection[bytes] | None,
    ) -> bool:
        """Take one listing to its end; whether nothing disturbed it."""
        whole = True
        while True:
            try:
                data = self._socket.recv(_DATAGRAM)
            except OSError as error:
                if error.errno not in _AGAIN:
                    raise KernelError(f"cannot list connections: {error}") from error
                whole = False
                continue
            entries, others = dumped(data, touching)
            found |= {(of.id, of.zone, of.tuple): of for of in entries}
            for message in others:
                if message.flags & INTERRUPTED:
                    whole = False
                if message.type == DONE:
                    return whole
                if message.type == ERROR:
                    code = message.error()
                    if code not in _AGAIN:
                        raise _refusal("list connections", code)
                    return False

    def forget(self, entries: Iterable[Tracked]) -> int:
        """Delete entries and return how many were still there.

        The kernel compares ids, too: another entry for the same addresses stays, if
        it is not in the very same place of memory (nf_ct_get_id).
        """
        rest = iter(entries)
        deleted = 0
        while batch := list(islice(rest, _BATCH)):
            deleted += self._forget([forgetting(entry) for entry in batch])
        return deleted

    def forget_all(self) -> None:
        """Delete every entry of the namespace."""
        self._forget([FAMILY.pack(socket.AF_UNSPEC, 0, 0)])

    def _forget(self, bodies: Sequence[bytes]) -> int:
        """Send deletions: the last one is acknowledged, others only where refused."""
        self._send(CT_DELETE, REQUEST, bodies)
        codes = list(self._refusals())
        for code in codes:
            if code != errno.ENOENT:
                raise _refusal("forget a connection", code)
        return len(bodies) - len(codes)

    def _refusals(self) -> Iterator[int]:
        """Yield what was refused, up to the last request's acknowledgement."""
        while True:
            for message in envelopes(self._socket.recv(_DATAGRAM)):
                if message.type != ERROR:
                    continue
                if message.error():
                    yield message.error()
                if message.number == self._sequence:
                    return

    def _send(self, kind: int, flags: int, bodies: Sequence[bytes]) -> None:
        parts = []
        last = self._sequence + len(bodies)
        for number, body in enumerate(bodies, start=self._sequence + 1):
            asked = flags | (ACK if number == last else 0)
            parts.append(HEADER.pack(HEADER.size + len(body), kind, asked, number, 0))
            parts.append(body + b"\0" * (-len(body) % 4))
        self._sequence = last % 2**32
        self._socket.send(b"".join(parts))


def _refusal(what: str, code: int) -> KernelError:
    hint = " (CAP_NET_ADMIN is needed)" if code == errno.EPERM else ""
    return KernelError(f"the kernel refused to {what}: {os.strerror(code)}{hint}")
