"""One epoll for all sockets of a lab, and the proof that everything has arrived.

Nothing here sleeps or guesses how long silence must last. A packet that crosses
a veth pair or ``lo`` waits in its processor's backlog queue, which is first in,
first out. So, on one processor, a datagram sent to oneself over ``lo`` comes
back only after everything sent before has moved one link on: a *fence*. As many
fences as the longest way there and back has links, without any socket having
something to tell, mean that nothing is under way any more.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from ringfence.errors import KernelError

_LONGEST_WAY = 4  # links: pod, node, spine, node, pod
_QUESTION = 4  # links: from port to port of a bridge and back, asking for a neighbour
_FENCES = 3 * _LONGEST_WAY + _QUESTION  # a handshake's three packets

_FENCE_TIMEOUT_S = 30.0


class Reactor:
    """Sockets and what to do when they have something to tell."""

    __slots__ = ("_epoll", "_fence", "_handlers")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._fence = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._fence.bind(("127.0.0.1", 0))
        self._fence.connect(self._fence.getsockname())
        self._fence.settimeout(_FENCE_TIMEOUT_S)

    def close(self) -> None:
        """Close the epoll and the fence; watched sockets are their owners'."""
        self._epoll.close()
        self._fence.close()

    def watch(
        self, sock: socket.socket, handler: Callable[[], None], *, writing: bool = False
    ) -> None:
        """Call a handler whenever a socket is readable (or writable)."""
        self._handlers[sock.fileno()] = handler
        events = select.EPOLLOUT if writing else select.EPOLLIN
        self._epoll.register(sock, events)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching a socket, before it is closed."""
        if self._handlers.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock)

    def turn(self) -> bool:
        """Let packets move one link and handle what is ready; whether anything was."""
        self._pass_fence(1)
        return self._dispatch()

    def settle(self, deadline: float) -> None:
        """Handle events until nothing is under way.

        ``deadline`` is a time of ``time.monotonic``. Raises KernelError past it:
        what has not come to its end must not be taken for silence.
        """
        while True:
            self._pass_fence(_FENCES)
            if not self._dispatch():
                return
            if time.monotonic() > deadline:
                raise KernelError("the probes did not come to an end in time")

    def _dispatch(self) -> bool:
        ready = self._epoll.poll(0)
        for number, _ in ready:
            handler = self._handlers.get(number)
            if handler is not None:  # an earlier handler may have closed it
                handler()
        return bool(ready)

    def _pass_fence(self, times: int) -> None:
        try:
            for _ in range(times):
                self._fence.send(b"f")
                self._fence.recv(1)
        except TimeoutError as error:
            raise KernelError("the kernel delivers no packets over lo") from error
