"""A unix socket that flow records are read from, by several readers at once.

A reader gets the last records, then each new one. One that will not have more says
so by closing its sending side (shutdown(2)), and gets an end instead. A reader that
is too slow loses lines and is told how many; nobody waits for it.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from threading import Lock, Thread

from ringfence.errors import KernelError
from ringfence.observe.hubble import LOST_BY_READER, lost_line

HISTORY = 1_000
"""Lines that a new reader gets; about as many KiB."""

READERS = 16
WAITING = 2 * HISTORY
"""Lines that may wait for one reader."""

_PIECE = 1 << 16


@dataclass(slots=True, eq=False)
class _Reader:
    """One reader: the lines it has not got, and what of the first was sent."""

    socket: socket.socket
    waiting: deque[bytes] = field(default_factory=deque)
    sent: int = 0
    missed: int = 0
    ending: bool = False


class FlowSocket:
    """Serves lines at a path in a thread of its own; ``write`` never waits.

    ``lost`` counts the lines that readers did not get. Raises KernelError where the
    path cannot be had.
    """

    def __init__(self, path: str, node: str) -> None:
        self.lost = 0
        self._path = Path(path)
        self._node = node
        self._lock = Lock()
        self._history: deque[bytes] = deque(maxlen=HISTORY)
        self._readers: set[_Reader] = set()
        self._listener = _listen(self._path)
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector = DefaultSelector()
        self._selector.register(self._listener, EVENT_READ, self._accept)
        self._selector.register(self._woken, EVENT_READ, self._wake)
        self._thread = Thread(target=self._serve, name="flow-socket", daemon=True)
        self._open = True
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Give every reader a line, which has to have its end."""
        with self._lock:
            self._history.append(line)
            for reader in self._readers:
                self._queue(reader, line)
        self._call()

    def close(self) -> None:
        """Stop serving; readers get an end."""
        self._open = False
        self._call()
        self._thread.join()
        # Not before: whoever calls the thread writes to one of them.
        for of in (self._selector, self._listener, self._woken, self._waker):
            of.close()
        self._path.unlink(missing_ok=True)

    def _call(self) -> None:
        with suppress(BlockingIOError):  # it has been called already
            self._waker.send(b"\0")

    def _queue(self, reader: _Reader, line: bytes) -> None:
        if len(reader.waiting) >= WAITING:
            reader.missed += 1
            self.lost += 1
            return
        if reader.missed:
            told = lost_line(reader.missed, LOST_BY_READER, self._node, time.time_ns())
            reader.waiting.append(told.encode() + b"\n")
            reader.missed = 0
        reader.waiting.append(line)

    def _serve(self) -> None:
        while self._open:
            for key, events in self._selector.select():
                if isinstance(key.data, _Reader):
                    self._attend(key.data, events)
                else:
                    key.data()
        for reader in list(self._readers):
            self._dismiss(reader)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(_PIECE)
        for reader in list(self._readers):
            self._send(reader)

    def _accept(self) -> None:
        with suppress(OSError):  # gone again, or no descriptor left for it
            accepted, _ = self._listener.accept()
            if len(self._readers) >= READERS:
                accepted.close()
                return
            accepted.setblocking(False)
            with self._lock:
                reader = _Reader(accepted, deque(self._history))
                self._readers.add(reader)
            self._selector.register(accepted, EVENT_READ | EVENT_WRITE, reader)

    def _attend(self, reader: _Reader, events: int) -> None:
        if reader not in self._readers:
            return  # dismissed since the selector saw it
        if events & EVENT_READ and not reader.ending:
            try:
                reader.ending = not reader.socket.recv(_PIECE)
            except BlockingIOError:
                pass
            except OSError:
                self._dismiss(reader)
                return
        self._send(reader)

    def _send(self, reader: _Reader) -> None:
        """Send what waits, as far as the reader takes it."""
        try:
            while line := self._first(reader):
                reader.sent += reader.socket.send(memoryview(line)[reader.sent :])
                self._settle(reader, line)
        except BlockingIOError:
            self._watch(reader, EVENT_WRITE)
            return
        except OSError:
            self._dismiss(reader)
            return
        if reader.ending:
            self._dismiss(reader)
        else:
            self._watch(reader, 0)

    def _first(self, reader: _Reader) -> bytes:
        with self._lock:
            return reader.waiting[0] if reader.waiting else b""

    def _settle(self, reader: _Reader, line: bytes) -> None:
        if reader.sent == len(line):
            with self._lock:
                reader.waiting.popleft()
            reader.sent = 0

    def _watch(self, reader: _Reader, writing: int) -> None:
        # One that ends is always readable: it is waited for by writing only.
        events = (0 if reader.ending else EVENT_READ) | writing
        self._selector.modify(reader.socket, events, reader)

    def _dismiss(self, reader: _Reader) -> None:
        with self._lock:
            self._readers.discard(reader)
        self._selector.unregister(reader.socket)
        reader.socket.close()


def _listen(path: Path) -> socket.socket:
    """Listen at a path for its owner alone, in place of what is left of an earlier."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(READERS)
    except OSError as error:
        listener.close()
        raise KernelError(f"cannot serve flows at {path}: {error.strerror}") from error
    listener.setblocking(False)
    return listener
