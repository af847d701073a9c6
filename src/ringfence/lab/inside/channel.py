"""Values between a lab's process and whoever started it."""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

from ringfence.errors import KernelError

_LENGTH = struct.Struct("!I")


class Channel:
    """One end of a socket pair that carries whole values."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def close(self) -> None:
        """Close this end; the other reads its end of file."""
        self._socket.close()

    def send(self, value: object) -> None:
        """Send a value; raises EOFError when nobody is there any more.

        Of a KernelError of any kind its words arrive, as a plain one: a kind of its own
        may hold what can't be sent.
        """
        if isinstance(value, KernelError):
            value = KernelError(str(value))
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        try:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)
        except ConnectionError as error:
            raise EOFError from error

    def receive(self) -> Any:
        """Wait for a value; raises EOFError when the other end is closed."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return pickle.loads(self._exactly(length))  # noqa: S301 - both ends are ours

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            try:
                part = self._socket.recv(min(length - len(data), 1 << 20))
            except ConnectionError as error:
                raise EOFError from error
            if not part:
                raise EOFError
            data += part
        return bytes(data)
