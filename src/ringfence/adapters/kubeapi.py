"""Lists of an API server, page by page, and its refusals in one sentence each.

Connection, TLS and credentials are lightkube's; only ``list`` is ever asked.
Source: Kubernetes API concepts (chunks, 410 Expired), client-go tools/pager.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from ipaddress import ip_address
from socket import gaierror
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx2
import msgspec
from lightkube.config import models
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig

from ringfence import __version__
from ringfence.adapters.kubeconfig import Access, Server, User
from ringfence.errors import InputError, Problem

PAGE = 500
_MOST_TRIES = 4
_LONGEST_WAIT_S = 10.0
_BUSY = frozenset({429, 503})
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _EXPIRED = 401, 403, 404, 410
_OK = 200
_QUOTED_USER = re.compile(r'User "([^"]*)"')


class Resource(NamedTuple):
    """A resource of the API; ``group`` empty: the core. ``purpose``: why we read it."""

    group: str
    version: str
    plural: str
    kind: str
    purpose: str

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The resource as ``plural`` or ``plural.group``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def path(self) -> str:
        """The path of its list in all namespaces."""
        root = f"apis/{self.group}" if self.group else "api"
        return f"/{root}/{self.version}/{self.plural}"


class ForbiddenError(InputError):
    """The cluster knows the user and refuses this list."""


class NotServedError(InputError):
    """The cluster does not know this resource, or not in this version."""


class ApiServer:
    """A connection to an API server that lists; a context manager."""

    def __init__(self, access: Access, *, timeout_s: float | None) -> None:
        """Prepare the connection; raises InputError where certificates are wrong."""
        self.place = f"live:{access.context}"
        self._access = access
        self._extensions = (
            {"sni_hostname": access.server.tls_name} if access.server.tls_name else {}
        )
        parameters = ConnectionParams(
            timeout=httpx2.Timeout(timeout_s),
            proxy=access.server.proxy or None,
            trust_env=not _on_this_machine(access.server.url),
        )
        try:
            self._client = Client(_config(access), parameters)
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors
            raise self._problem(
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
        self._client.close()

    def list_all(self, resource: Resource) -> list[dict[str, Any]]:
        """Return every object of a resource, those of one moment.

        Where pages take so long that the moment is gone (410), the list begins
        anew. Raises InputError, of ForbiddenError where the user may not list.
        """
        for _ in range(_MOST_TRIES):
            try:
                return [entry for page in self._pages(resource) for entry in page]
            except _ExpiredError:
                continue
        raise self._problem(
            f"the list of {resource.plural} expired {_MOST_TRIES} times"
        )

    def _pages(self, resource: Resource) -> Iterator[list[dict[str, Any]]]:
        following = ""
        while True:
            query = {"limit": str(PAGE)}
            if following:
                query["continue"] = following
            answer = self._get(resource, query)
            yield answer.get("items") or []
            following = answer.get("metadata", {}).get("continue", "")
            if not following:
                return

    def _get(self, resource: Resource, query: dict[str, str]) -> dict[str, Any]:
        """Return the list's next page; a server that is busy is asked again."""
        for attempt in range(_MOST_TRIES):
            try:
                response = self._client.get(
                    resource.path, params=query, extensions=self._extensions
                )
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from None
            if response.status_code not in _BUSY or attempt == _MOST_TRIES - 1:
                break
            time.sleep(_wait_s(response.headers.get("Retry-After", "1")))
        if response.status_code == _NOT_FOUND:  # of an unknown group it is no JSON
            message = (
                f"the cluster does not serve {resource.plural} of "
                f"{resource.api_version}: it is too old, or no cluster"
            )
            raise NotServedError([Problem(self.place, message)])
        document = self._document(response)
        if response.status_code == _OK:
            return document
        if response.status_code == _EXPIRED and "continue" in query:
            raise _ExpiredError
        raise self._refusal(response.status_code, document, resource)

    def _document(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            document = msgspec.json.decode(response.content)
        except ValueError:
            document = None
        if isinstance(document, dict) and "kind" in document:
            return document
        raise self._problem(
            f"{self._access.server.url} does not answer as a Kubernetes API server "
            f"(HTTP {response.status_code})"
        )

    def _refusal(
        self, code: int, status: dict[str, Any], resource: Resource
    ) -> InputError:
        said = str(status.get("message", "")) or f"HTTP {code}"
        name = self._access.user.name
        if code == _UNAUTHORIZED:
            who = f'of user "{name}"' if name else "(there are none)"
            return self._problem(
                f"the cluster does not accept the credentials {who}: {said}",
                "log in again: a token or certificate may have expired",
            )
        if code == _FORBIDDEN and "impersonate" in said:
            hint = '--as and --as-group need the verb "impersonate"'
            return self._problem(said, hint)
        if code == _FORBIDDEN:
            who = next(iter(_QUOTED_USER.findall(said)), name)
            message = (
                f'user "{who}" lacks the verb "list" on {resource.qualified}, '
                f"cluster-wide: {resource.purpose}"
            )
            return ForbiddenError([Problem(self.place, message)])
        return self._problem(f"the list of {resource.plural} failed: {said}")

    def _unreachable(self, error: httpx2.HTTPError) -> InputError:
        url = self._access.server.url
        cause = _root(error)
        match cause:
            case ssl.SSLCertVerificationError():
                return self._problem(
                    f"the certificate of {url} is not trusted: {cause.verify_message}",
                    "certificate-authority-data of the kubeconfig says whom to trust",
                )
            case gaierror():
                return self._problem(f"{url} cannot be reached: no such host")
            case ConnectionRefusedError():
                return self._problem(
                    f"{url} cannot be reached: connection refused",
                    "does the cluster run, and is the context the right one?",
                )
            case _ if isinstance(error, httpx2.TimeoutException):
                hint = "--request-timeout 2m waits longer"
                return self._problem(f"{url} does not answer in time", hint)
            case _:
                return self._problem(f"{url} cannot be reached: {cause}")

    def _problem(self, message: str, hint: str = "") -> InputError:
        return InputError([Problem(self.place, message, "", hint)])


class _ExpiredError(Exception):
    """The next page belongs to a moment that the server has forgotten."""


def _root(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _wait_s(retry_after: str) -> float:
    seconds = float(retry_after) if retry_after.isdecimal() else 1.0
    return min(seconds, _LONGEST_WAIT_S)


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
