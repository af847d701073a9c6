"""What the agent of this node says of itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ringfence.errors import InputError, Problem

_PATIENCE_S = 5.0


def ask_status(address: tuple[str, int]) -> dict[str, Any]:
    """Return an agent's /status document. Raises InputError where none answers."""
    connection = http.client.HTTPConnection(*address, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/status")
        document = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        place = f"{address[0]}:{address[1]}"
        hint = "is the agent running, and is this its --listen?"
        words = getattr(error, "strerror", None) or str(error)
        problem = Problem(place, f"no agent answers: {words}", "", hint)
        raise InputError([problem]) from None
    finally:
        connection.close()
    if not isinstance(document, dict):
        message = "what answers is no agent"
        raise InputError([Problem(f"{address[0]}:{address[1]}", message)])
    return document


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a status document as a person reads it, each reason once."""
    given = document.get("waiting")
    waiting = given if isinstance(given, dict) else {}
    for name, value in document.items():
        if name != "waiting" and value not in waiting.values():
            yield f"{name}: {str(value).lower() if value in (True, False) else value}"
    parts: dict[str, list[str]] = {}
    for part, reason in waiting.items():
        parts.setdefault(str(reason), []).append(part)
    for reason, of in parts.items():
        yield f"waiting for {', '.join(of)}: {reason}"
