"""nf_tables of a network namespace, without a program between: one batch, one answer.

Adding an element takes tens of microseconds here and tens of milliseconds as a start
of nft(8). Bytes are made and read by ``ruleset.wire``.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator

from ringfence.adapters.kernel.netlinksocket import NETLINK_NETFILTER, NetlinkSocket
from ringfence.errors import KernelError
from ringfence.ruleset.changes.transaction import (
    AddTable,
    DeleteTable,
    Operation,
    Transaction,
)
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import TABLE_COMMENT
from ringfence.ruleset.wire import requests
from ringfence.ruleset.wire.decode import Dumps, decode_table, table_comment
from ringfence.ruleset.wire.encode import encode
from ringfence.ruleset.wire.envelopes import DONE, ERROR, INTERRUPTED
from ringfence.ruleset.wire.linux import Message
from ringfence.ruleset.wire.requests import Answer

OWNER = TABLE_COMMENT.split(" ", maxsplit=1)[0]
"""How the comment of a table of ours begins, whatever its schema."""

_SEND_OVERHEAD = 4096  # what the kernel wants free besides the message
_RECEIVE_BUFFER = 1 << 21  # the refusals of some thousand operations at once
_DATAGRAM = 1 << 17  # a dump fills at most 32 KiB (NLMSG_GOODSIZE), an answer less
_PAUSE_S = 0.005  # a hash table of 100,000 grows in a few of these
_RESTLESS = "nf_tables changes faster than it can be listed"
_TRIES = 100  # of a dump that other writers interrupt; each takes milliseconds


_HINTS = {
    errno.EPERM: "it takes CAP_NET_ADMIN, and a table that no other process owns",
    errno.EMLINK: "rules and maps lead in a circle, or too deep",
    errno.EBUSY: "something still refers to it",
}


def _reason(code: int, words: str) -> str:
    """Return what is said of a failure, by the kernel or else by us."""
    hint = words or _HINTS.get(code, "")
    return os.strerror(code) + (f" ({hint})" if hint else "")


class Refused(KernelError):  # noqa: N818 - what the kernel did; agents act on it
    """The kernel took nothing of a transaction, because of one operation.

    ``index`` and ``operation`` say which; None: the whole, when it was to take effect.
    ``words`` are the kernel's, empty where it has none.
    """

    def __init__(self, at: tuple[int, Operation] | None, code: int, words: str) -> None:
        self.index = at[0] if at else None
        self.operation = at[1] if at else None
        self.errno = code
        self.words = words
        what = "the transaction" if at is None else f"operation {at[0]}, {_name(at[1])}"
        super().__init__(f"the kernel refused {what}: {_reason(code, words)}")


def _name(operation: Operation) -> str:
    """Return an operation's kind and the name of what it is about."""
    subject = operation[0] if operation else ""
    return f"{type(operation).__name__} {getattr(subject, 'name', subject)}".strip()


class Nftables(NetlinkSocket):
    """A socket to the nf_tables of the network namespace that the thread is in.

    Of one thread at a time. Raises KernelError where the kernel does not let it, as
    without CAP_NET_ADMIN.
    """

    __slots__ = ("_send_buffer",)

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER)
        self._prepare()

    def commit(self, transaction: Transaction) -> None:
        """Make the changes, all at once; raises Refused and changes nothing.

        Raises KernelError where a transaction that adds the table meets one of
        somebody else.
        """
        if not transaction:
            return
        if any(isinstance(operation, AddTable) for operation in transaction.operations):
            self._owned(transaction.table)
        self._send(encode(transaction))
        code, number, words = self._outcome(len(transaction.operations) - 1)
        if code:
            operations = transaction.operations
            known = number < len(operations)
            at = (number, operations[number]) if known else None
            raise Refused(at, code, words)

    def table(self, name: str) -> Table | None:
        """Return what the kernel holds in ``table inet <name>``, None: there is none.

        In ``wire.normal`` form, so without the index of names. Raises KernelError
        where the table is somebody else's.
        """
        head = self._owned(name)
        if head is None:
            return None
        sets = self._dump(requests.dump(Message.GETSET, name))
        return decode_table(
            name,
            Dumps(
                head,
                tuple(self._dump(requests.dump(Message.GETCHAIN, name))),
                tuple(self._dump(requests.dump(Message.GETRULE, name))),
                tuple(sets),
                {requests.set_name(of): self._elements(name, of) for of in sets},
                tuple(self._dump(requests.dump(Message.GETOBJ, name))),
                tuple(self._dump(requests.dump(Message.GETFLOWTABLE, name))),
            ),
        )

    def counters(self, name: str) -> dict[str, tuple[int, int]]:
        """Return packets and bytes of each counter of a table, none where it is not."""
        return dict(map(requests.counts, self._dump(requests.dump_counters(name))))

    def generation(self) -> int:
        """Return a number that every change to any table makes another one.

        Raises KernelError where the kernel has no nf_tables, or not for us.
        """
        (answer,) = self._ask(requests.get_generation())
        if answer.errno == errno.EINVAL:  # nfnetlink knows no such subsystem
            raise KernelError("this kernel has no nf_tables (CONFIG_NF_TABLES)")
        _check(answer)
        return requests.generation(answer.body)

    def handle(self, name: str) -> int | None:
        """Return the number of a table, whoever made it, None: there is none.

        A table that is made anew has another one. Takes microseconds.
        """
        (answer,) = self._ask(requests.get_table(name))
        if answer.errno == errno.ENOENT:
            return None
        _check(answer)
        return requests.table_handle(answer.body)

    def drop(self, name: str) -> None:
        """Remove our table with all that is in it, if it is there."""
        if self._owned(name) is not None:
            self.commit(Transaction(name, (DeleteTable(),)))

    def _owned(self, name: str) -> bytes | None:
        """Return the head of our table, None where there is none of the name."""
        (answer,) = self._ask(requests.get_table(name))
        if answer.errno == errno.ENOENT:
            return None
        _check(answer)
        comment = table_comment(answer.body)
        if comment.split(" ")[0] != OWNER:
            said = f"its comment is {comment!r}" if comment else "it has no comment"
            raise KernelError(
                f"table inet {name} is somebody else's: {said}, ours begins with "
                f"{OWNER!r}; if nothing needs it: nft delete table inet {name}"
            )
        return answer.body

    def _prepare(self) -> None:
        self._enlarge(socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._send_buffer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    def _broken(self, error: OSError, hint: str = "") -> KernelError:
        """Return what went wrong, and go on with another socket if it was not closed.

        What is left unread of an answer would be taken for that of the next request,
        and a listing that broke off has the kernel refuse each later one (EBUSY).
        """
        left = self._socket
        if left.fileno() >= 0:
            super().__init__(NETLINK_NETFILTER)
            left.close()
            self._prepare()
        return KernelError(f"nf_tables: {error.strerror}{hint}")

    def _send(self, data: bytes) -> None:
        if len(data) + _SEND_OVERHEAD > self._send_buffer // 2:
            wanted = len(data) + _SEND_OVERHEAD
            self._enlarge(socket.SO_SNDBUF, wanted)
            self._send_buffer = self._socket.getsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF
            )
        try:
            self._socket.send(data)
        except OSError as error:
            hint = (
                f"; {len(data)} bytes do not fit, allow more with sysctl "
                "net.core.wmem_max or run as root of the host"
                if error.errno == errno.EMSGSIZE
                else ""
            )
            raise self._broken(error, hint) from error

    def _outcome(self, last: int) -> tuple[int, int, str]:
        """Return errno (0: done), number and words of the first failure of a batch.

        Everything has been answered when send(2) returns. Failures come first, then
        the acknowledgement of the last operation; a batch that fails as a whole may
        have no more than the failure.
        """
        found: tuple[int, int, str] | None = None
        while True:
            try:
                data = self._socket.recv(_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if found is None:
                    raise KernelError(
                        "nf_tables did not say how a batch ended"
                    ) from None
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise self._broken(error) from error
                continue  # more failures than fit; the first ones are still there
            for answer in requests.answers(data):
                if answer.type == ERROR and (answer.errno or answer.number == last):
                    if answer.errno and (found is None or not found[0]):
                        found = answer.errno, answer.number, requests.complaint(answer)
                    elif found is None:
                        return 0, last, ""

    def _elements(self, table: str, of: bytes) -> list[bytes]:
        """Return the messages with a set's elements.

        Raises KernelError where they do not come to rest.
        """
        request = requests.dump_elements(table, requests.set_name(of))
        for _ in range(_TRIES):
            bodies = self._dump(request)
            if requests.is_whole(of, bodies):
                return bodies
            time.sleep(_PAUSE_S)
        raise KernelError(_RESTLESS)

    def _ask(self, request: bytes) -> list[Answer]:
        self._send(request)
        return list(self._answers())

    def _answers(self) -> Iterator[Answer]:
        """Wait for a datagram and return its messages."""
        try:
            data = self._socket.recv(_DATAGRAM)
        except OSError as error:
            raise self._broken(error) from error
        return requests.answers(data)

    def _dump(self, request: bytes) -> list[bytes]:
        """Return the bodies of a dump that nothing changed meanwhile."""
        for _ in range(_TRIES):
            bodies = self._dump_once(request)
            if bodies is not None:
                return bodies
            time.sleep(_PAUSE_S)
        raise KernelError(_RESTLESS)

    def _dump_once(self, request: bytes) -> list[bytes] | None:
        """Return the bodies of a dump, None where it may not be of one moment."""
        self._send(request)
        bodies: list[bytes] = []
        interrupted = False
        while True:
            for answer in self._answers():
                interrupted |= bool(answer.flags & INTERRUPTED)
                if answer.type in (ERROR, DONE):
                    if interrupted or answer.errno in (errno.EINTR, errno.EAGAIN):
                        return None
                    if answer.errno != errno.ENOENT:
                        _check(answer)
                    return bodies
                bodies.append(answer.body)


def _check(answer: Answer) -> None:
    if answer.type == ERROR and answer.errno:
        reason = _reason(answer.errno, requests.complaint(answer))
        raise KernelError(f"nf_tables refused to answer: {reason}")
