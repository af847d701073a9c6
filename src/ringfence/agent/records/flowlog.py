"""Where flow records go: a file, standard output, a socket; none is waited for."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from ringfence.agent.records.flowsocket import FlowSocket
from ringfence.errors import KernelError

STDOUT = "-"
_ATOMIC = 4096  # PIPE_BUF: a pipe that is writable takes this much at once
_LOOK_S = 1.0


class FlowLog:
    """Writes lines to what was configured; ``log`` and ``socket`` may be empty.

    ``log`` is a path, or ``-``. Raises KernelError where one cannot be opened.
    """

    def __init__(self, log: str, socket: str, node: str) -> None:
        self._file = _File(log) if log and log != STDOUT else None
        self._pipe = _Pipe() if log == STDOUT else None
        self._socket = FlowSocket(socket, node) if socket else None

    def write(self, lines: Iterable[str]) -> None:
        """Write lines, given without their ends."""
        ended = [line.encode() + b"\n" for line in lines]
        if self._file is not None:
            self._file.write(ended)
        for line in ended:
            if self._pipe is not None:
                self._pipe.write(line)
            if self._socket is not None:
                self._socket.write(line)

    @property
    def lost(self) -> dict[str, int]:
        """How many lines did not get where they should, by place."""
        sinks = {"file": self._file, "stdout": self._pipe, "socket": self._socket}
        return {name: sink.lost for name, sink in sinks.items() if sink is not None}

    def close(self) -> None:
        """Close the file and the socket."""
        if self._file is not None:
            self._file.close()
        if self._socket is not None:
            self._socket.close()


class _File:
    """A file that is appended to; renamed or removed, it is made anew."""

    def __init__(self, path: str) -> None:
        self.lost = 0
        self._path = Path(path)
        self._looked = time.monotonic()
        try:
            self._descriptor = self._open()
        except OSError as error:
            reason = error.strerror
            raise KernelError(f"cannot write flows to {path}: {reason}") from error

    def write(self, lines: list[bytes]) -> None:
        if time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            if self._moved():
                self._reopen()
        data = b"".join(lines)
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        if written < len(data):  # a full disk; the rest of a line would be no line
            self.lost += data[written:].count(b"\n")
            if written and data[written - 1 : written] != b"\n":
                self._end_line()

    def _end_line(self) -> None:
        try:
            os.write(self._descriptor, b"\n")
        except OSError:
            self.lost += 1

    def _reopen(self) -> None:
        try:
            fresh = self._open()
        except OSError:
            self.lost += 1  # the old file goes on
            return
        self.close()
        self._descriptor = fresh

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o640)

    def _moved(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return True
        here = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


class _Pipe:
    """Standard output; a line that its reader has no room for is lost."""

    def __init__(self) -> None:
        self.lost = 0
        self._descriptor = sys.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, line: bytes) -> None:
        if len(line) > _ATOMIC or not self._writable():
            self.lost += 1
            return
        try:
            os.write(self._descriptor, line)
        except OSError:
            self.lost += 1

    def _writable(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(0))
