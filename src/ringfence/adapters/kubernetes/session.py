"""Requests to one API server from several threads, with credentials kept fresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final

import httpx2

from ringfence.adapters.kubernetes.connection import Connection
from ringfence.adapters.kubernetes.credentials import files_stamp, with_credentials
from ringfence.adapters.kubernetes.kubeconfig import Access
from ringfence.adapters.kubernetes.refusals import Asked
from ringfence.errors import InputError

CONNECT_S: Final = 10.0
MOST_LINE_BYTES: Final = 32 * 1024 * 1024
"""No object is larger: etcd takes requests of 1.5 MiB."""
_OK, _UNAUTHORIZED = 200, 401


class StoppedError(InputError):
    """Nothing is asked any more."""


class Answer:
    """An answer as it comes in."""

    def __init__(self, connection: Connection, response: httpx2.Response) -> None:
        self.connection = connection
        self._response = response

    def body(self) -> bytes:
        """Return all of it; raises UnreachableError."""
        return self.connection.read(self._response)

    @property
    def has_more(self) -> bool:
        """Whether bytes wait to be read, of whatever."""
        stream = self._response.extensions["network_stream"]
        return bool(stream.get_extra_info("is_readable"))

    def lines(self, pause: Callable[[], None]) -> Iterator[tuple[bytes, float]]:
        """Yield each line as soon as it is there, and when its end came.

        ``pause`` is called after lines, before more is read. Raises UnreachableError
        where the stream breaks off, is silent for too long, or a line has more than
        MOST_LINE_BYTES.
        """
        parts: list[bytes] = []
        size = 0
        try:
            for chunk in self._response.iter_raw():
                received_at = monotonic()
                first, *others = chunk.split(b"\n")
                parts.append(first)
                size += len(first)
                for part in others:
                    yield b"".join(parts), received_at
                    parts, size = [part], len(part)
                if size > MOST_LINE_BYTES:
                    raise httpx2.RemoteProtocolError("a line never ends")
                if others:
                    pause()
        except httpx2.HTTPError as error:
            raise self.connection.unreachable(error) from None


class Session:
    """What threads that ask the same server share: a connection.

    It is another one once the server refused its credentials (401), or once a file
    was replaced that they came from.
    """

    def __init__(self, access: Access, *, silence_s: float) -> None:
        """Keep how to connect; ``silence_s``: how long an answer may take."""
        self.place = f"live:{access.context}"
        self._access = access
        self._timeout = httpx2.Timeout(silence_s, connect=min(CONNECT_S, silence_s))
        self._lock = Lock()
        self._login = Lock()
        self._newest: Connection | None = None
        self._stamp = files_stamp(access)
        self._uses: dict[Connection, int] = {}
        self._ended = False

    @contextmanager
    def asking(
        self,
        asked: Asked,
        query: Mapping[str, str],
        *,
        read_timeout_s: float | None = None,
        plain: bool = False,
    ) -> Iterator[Answer]:
        """Yield the answer to a request for a resource's list or watch.

        ``read_timeout_s`` and ``plain`` are those of ``Connection.open``. Expired
        credentials are read or asked for again, once. Raises RefusedError,
        UnreachableError, or InputError where there are no credentials.
        """
        expired: Connection | None = None
        while True:
            with self._connected(expired) as connection:
                response = connection.open(
                    asked.resource.path,
                    query,
                    read_timeout_s=read_timeout_s,
                    plain=plain,
                )
                try:
                    if response.status_code == _OK:
                        yield Answer(connection, response)
                        return
                    body = connection.read(response)
                finally:
                    response.close()
                refusal = connection.refusal(asked, response, body)
                if refusal.code != _UNAUTHORIZED or expired is not None:
                    raise refusal
                expired = connection

    def end(self) -> None:
        """End every answer that some thread reads, and let none begin."""
        with self._lock:
            self._ended = True
            for connection in self._uses:
                connection.cut()
            self._sweep()

    @contextmanager
    def _connected(self, expired: Connection | None) -> Iterator[Connection]:
        """Yield the connection, a new one where this is the one that expired."""
        with self._login:  # it may take minutes: whoever ends it all does not wait
            newest, stamp = self._newest, files_stamp(self._access)
            if newest is None or newest is expired or stamp != self._stamp:
                self._stamp = stamp
                newest = Connection(with_credentials(self._access), self._timeout)
            with self._lock:
                self._newest = newest
                self._uses[newest] = self._uses.get(newest, 0) + 1
                self._sweep()
        try:
            if self._ended:
                raise StoppedError([])
            yield newest
        finally:
            with self._lock:
                self._uses[newest] -= 1
                self._sweep()

    def _sweep(self) -> None:
        """Close the connections that nobody uses or will use."""
        for connection, uses in list(self._uses.items()):
            if not uses and (self._ended or connection is not self._newest):
                connection.close()
                del self._uses[connection]
