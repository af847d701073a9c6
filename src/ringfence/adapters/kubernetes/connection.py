"""A connection to an API server, which can be cut from another thread.

TLS, proxies and credentials are lightkube's; what is asked is for others to say.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx2
import msgspec
from lightkube.config import models
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from ringfence import __version__
from ringfence.adapters.kubernetes.kubeconfig import Access, Server, User
from ringfence.adapters.kubernetes.refusals import (
    Asked,
    RefusedError,
    UnreachableError,
    refused,
    unreachable,
)
from ringfence.errors import InputError, Problem

_UNAUTHORIZED, _NOT_FOUND = 401, 404
_ESTABLISHED = frozenset(
    {"connection.connect_tcp.complete", "connection.start_tls.complete"}
)
_KEEP_ALIVE = {
    socket.TCP_KEEPIDLE: 15,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 30_000,
}
"""Seconds, and milliseconds of the last one (tcp(7))."""


class Connection:
    """An HTTP client of one API server, of one set of credentials; thread-safe."""

    def __init__(
        self, access: Access, timeout: httpx2.Timeout, *, patience: str = ""
    ) -> None:
        """Prepare the connection; raises InputError where certificates are wrong.

        ``patience`` is the hint where the server does not answer in time.
        """
        self.place = f"live:{access.context}"
        self._access = access
        self._patience = patience
        self._lock = Lock()
        self._streams: WeakSet[Any] = WeakSet()
        self._cut = False
        self._extensions: dict[str, Any] = {"trace": self._note}
        if access.server.tls_name:
            self._extensions["sni_hostname"] = access.server.tls_name
        parameters = ConnectionParams(
            timeout=timeout,
            proxy=access.server.proxy or None,
            trust_env=not _on_this_machine(access.server.url),
        )
        try:
            self._client = Client(_config(access), parameters)
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors
            raise self.problem(
                f"the certificates or the address cannot be used: {error}",
                "certificate-authority, client-certificate, client-key, proxy-url",
            ) from None
        agent = [("User-Agent", f"ringfence/{__version__}")]
        self._client.headers.update(agent + _impersonation(access.user))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; nobody may be reading an answer."""
        self._client.close()

    def open(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        read_timeout_s: float | None = None,
        plain: bool = False,
    ) -> httpx2.Response:
        """Return an answer whose head is read; who asks reads and closes it.

        ``read_timeout_s``: for how long there may be silence, as the client has it
        if None; ``plain``: without compression. Raises UnreachableError.
        """
        extensions = dict(self._extensions)
        if read_timeout_s is not None:
            timeout = {**self._client.timeout.as_dict(), "read": read_timeout_s}
            extensions["timeout"] = timeout
        request = self._client.build_request(
            "GET",
            path,
            params=dict(query),
            headers={"Accept-Encoding": "identity"} if plain else None,
            extensions=extensions,
        )
        try:
            return self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise self.unreachable(error) from None
        except ConfigError as error:
            raise RefusedError(
                [Problem(self.place, str(error))], _UNAUTHORIZED
            ) from None

    def read(self, response: httpx2.Response) -> bytes:
        """Return the rest of an answer, uncompressed; raises UnreachableError."""
        try:
            return response.read()
        except httpx2.HTTPError as error:
            raise self.unreachable(error) from None
        finally:
            response.close()

    def cut(self) -> None:
        """End whatever is being read, in whichever thread, and all that would be."""
        with self._lock:
            self._cut = True
            streams = list(self._streams)
        for stream in streams:
            _shut(stream)

    def _note(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep hold of a stream that httpcore made, to be able to cut it."""
        if event in _ESTABLISHED:
            stream = info["return_value"]
            _keep_alive(stream)
            with self._lock:
                self._streams.add(stream)
                late = self._cut
            if late:
                _shut(stream)

    def refusal(
        self, asked: Asked, response: httpx2.Response, body: bytes
    ) -> RefusedError:
        """Return what an answer other than 200 says, as far as it is a Status."""
        code, after = response.status_code, response.headers.get("Retry-After", "")
        if code == _NOT_FOUND:  # of an unknown group it is no JSON
            return self.refused(asked, code, "")
        status = self.document(response, body)
        return self.refused(asked, code, str(status.get("message", "")), after)

    def refused(
        self, asked: Asked, code: int, said: str, retry_after: str = ""
    ) -> RefusedError:
        """Return what a Status of this code and message says."""
        return refused(
            self.place, self._access.user.name, asked, code, said, retry_after
        )

    def document(self, response: httpx2.Response, body: bytes) -> dict[str, Any]:
        """Return the object that an answer is; raises InputError where it is none."""
        try:
            document = msgspec.json.decode(body)
        except ValueError:
            document = None
        if isinstance(document, dict) and "kind" in document:
            return document
        raise self.problem(
            f"{self._access.server.url} does not answer as a Kubernetes API server "
            f"(HTTP {response.status_code})"
        )

    def unreachable(self, error: httpx2.HTTPError) -> UnreachableError:
        """Return why there was no answer."""
        return unreachable(self.place, self._access.server.url, error, self._patience)

    def problem(self, message: str, hint: str = "") -> InputError:
        """Return an error of this connection."""
        return InputError([Problem(self.place, message, "", hint)])


def _keep_alive(stream: Any) -> None:
    """Have the kernel notice within half a minute that the other side is gone."""
    found = stream.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        found.setsockopt(socket.IPPROTO_TCP, option, value)


def _shut(stream: Any) -> None:
    """End a stream of httpcore's; a thread that waits for its bytes wakes up."""
    with suppress(OSError):
        # SSLSocket's own shutdown would forget the TLS state that the thread uses.
        socket.socket.shutdown(stream.get_extra_info("socket"), socket.SHUT_RDWR)


def _on_this_machine(url: str) -> bool:
    """Whether no proxy of the environment is asked, as Go has it (net/http)."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _config(access: Access) -> SingleConfig:
    return SingleConfig(
        context_name=access.context,
        context=models.Context(cluster=access.context),
        cluster=_cluster(access.server),
        user=_user(access.user),
    )


def _cluster(server: Server) -> models.Cluster:
    return models.Cluster(
        server=server.url,
        certificate_auth=None if server.ca_data else server.ca_file or None,
        certificate_auth_data=server.ca_data or None,
        insecure=server.insecure,
    )


def _user(user: User) -> models.User:
    """Return the credentials for lightkube; data wins over a file, as in client-go."""
    return models.User(
        username=user.username or None,
        password=user.password or None,
        token=user.token or None,
        token_file=user.token_file or None,
        client_cert=user.cert_file or None,
        client_cert_data=user.cert_data or None,
        client_key=user.key_file or None,
        client_key_data=user.key_data or None,
    )


def _impersonation(user: User) -> list[tuple[str, str]]:
    headers = [("Impersonate-User", user.as_user), ("Impersonate-Uid", user.as_uid)]
    headers += [("Impersonate-Group", group) for group in user.as_groups]
    return [(name, value) for name, value in headers if value]
