"""The agent's own log: one JSON object a line on stderr."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")

_LOGGER = logging.getLogger("ringfence.agent")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return ``time``, ``level``, ``msg`` and the fields of a record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def open_journal(level: str, stream: TextIO = sys.stderr) -> None:
    """Write from now on what is of this level (of LEVELS) or worse."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines())
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def note(level: int, message: str, **fields: Any) -> None:
    """Write one line; ``fields`` stand beside the message."""
    _LOGGER.log(level, message, extra={"fields": fields})


def debug(message: str, **fields: Any) -> None:
    """Write what only somebody who looks for a fault wants to see."""
    note(logging.DEBUG, message, **fields)


def info(message: str, **fields: Any) -> None:
    """Write what happens now and then, as it should."""
    note(logging.INFO, message, **fields)


def warning(message: str, **fields: Any) -> None:
    """Write what somebody should look into."""
    note(logging.WARNING, message, **fields)


def error(message: str, **fields: Any) -> None:
    """Write what keeps the node from being enforced as it should be."""
    note(logging.ERROR, message, **fields)


def failure(message: str, fault: BaseException | None, **fields: Any) -> None:
    """Write what should never happen, with where it did."""
    _LOGGER.error(message, exc_info=fault, extra={"fields": fields})
