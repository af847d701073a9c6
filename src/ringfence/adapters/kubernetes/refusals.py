"""What is asked of an API server, and its refusals in one sentence each."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from typing import NamedTuple

import httpx2

from ringfence.adapters.kubernetes.resources import Resource
from ringfence.errors import InputError, Problem

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_QUOTED_USER = re.compile(r'User "([^"]*)"')


class Asked(NamedTuple):
    """What is asked of the server: a verb (as RBAC has it) on a resource."""

    verb: str
    resource: Resource


class UnreachableError(InputError):
    """There was no answer, or only a part of it."""


class RefusedError(InputError):
    """The server answered something else than what was asked.

    ``code`` is the HTTP status of its answer; ``retry_after`` its header, seconds as
    text, empty where it has none.
    """

    def __init__(
        self, problems: Iterable[Problem], code: int = 0, retry_after: str = ""
    ) -> None:
        super().__init__(problems)
        self.code = code
        self.retry_after = retry_after


class ForbiddenError(RefusedError):
    """The cluster knows the user and refuses this."""


class NotServedError(RefusedError):
    """The cluster does not know this resource, or not in this version."""


def refused(
    place: str, user: str, asked: Asked, code: int, said: str, retry_after: str = ""
) -> RefusedError:
    """Return what a Status of this code and message says to what was asked.

    ``user`` is the name in the kubeconfig, empty where there is none.
    """
    said, hint = said or f"HTTP {code}", ""
    kind: type[RefusedError] = RefusedError
    verb, resource = asked
    if code == _UNAUTHORIZED:
        who = f'of user "{user}"' if user else "(there are none)"
        message = f"the cluster does not accept the credentials {who}: {said}"
        hint = "log in again: a token or certificate may have expired"
    elif code == _FORBIDDEN and "impersonate" in said:
        message, hint = said, '--as and --as-group need the verb "impersonate"'
    elif code == _FORBIDDEN:
        kind = ForbiddenError
        who = next(iter(_QUOTED_USER.findall(said)), user)
        message = (
            f'user "{who}" lacks the verb "{verb}" on {resource.qualified}, '
            f"cluster-wide: {resource.purpose}"
        )
    elif code == _NOT_FOUND:
        kind = NotServedError
        message = (
            f"the cluster does not serve {resource.plural} of "
            f"{resource.api_version}: it is too old, or no cluster"
        )
    else:
        message = f"the {verb} of {resource.plural} failed: {said}"
    return kind([Problem(place, message, "", hint)], code, retry_after)


def unreachable(
    place: str, url: str, error: httpx2.HTTPError, patience: str
) -> UnreachableError:
    """Return why there was no answer; ``patience`` hints at what waits longer."""
    message, hint = _reason(error, url, patience)
    return UnreachableError([Problem(place, message, "", hint)])


def _reason(error: httpx2.HTTPError, url: str, patience: str) -> tuple[str, str]:
    cause = _root(error)
    match cause:
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {url} is not trusted: {cause.verify_message}",
                "certificate-authority-data of the kubeconfig says whom to trust",
            )
        case socket.gaierror():
            return f"{url} cannot be reached: no such host", ""
        case ConnectionRefusedError():
            return (
                f"{url} cannot be reached: connection refused",
                "does the cluster run, and is the context the right one?",
            )
        case _ if isinstance(error, httpx2.TimeoutException):
            return f"{url} does not answer in time", patience
        case _:
            return f"{url} cannot be reached: {cause}", ""


def _root(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error
