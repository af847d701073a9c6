"""Lists of an API server, page by page; only ``list`` is ever asked.

Source: Kubernetes API concepts (chunks, 410 Expired), client-go tools/pager.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx2

from ringfence.adapters.kubernetes.connection import Connection
from ringfence.adapters.kubernetes.kubeconfig import Access
from ringfence.adapters.kubernetes.refusals import (
    Asked,
    ForbiddenError,
    NotServedError,
)
from ringfence.adapters.kubernetes.resources import Resource

__all__ = ["PAGE", "ApiServer", "ForbiddenError", "NotServedError"]

PAGE = 500
_MOST_TRIES = 4
_LONGEST_WAIT_S = 10.0
_BUSY = frozenset({429, 503})
_OK, _EXPIRED = 200, 410


class ApiServer:
    """An API server that lists; a context manager."""

    def __init__(self, access: Access, *, timeout_s: float | None) -> None:
        """Prepare the connection; raises InputError where certificates are wrong."""
        self._connection = Connection(
            access,
            httpx2.Timeout(timeout_s),
            patience="--request-timeout 2m waits longer",
        )
        self.place = self._connection.place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.__exit__(kind, error, trace)

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
        raise self._connection.problem(
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
            response = self._connection.open(resource.path, query)
            body = self._connection.read(response)
            if response.status_code not in _BUSY or attempt == _MOST_TRIES - 1:
                break
            time.sleep(_wait_s(response.headers.get("Retry-After", "1")))
        if response.status_code == _OK:
            return self._connection.document(response, body)
        if response.status_code == _EXPIRED and "continue" in query:
            raise _ExpiredError
        raise self._connection.refusal(Asked("list", resource), response, body)


class _ExpiredError(Exception):
    """The next page belongs to a moment that the server has forgotten."""


def _wait_s(retry_after: str) -> float:
    seconds = float(retry_after) if retry_after.isdecimal() else 1.0
    return min(seconds, _LONGEST_WAIT_S)
