"""What the doctor says of one matter: how it stands, why that matters, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from textwrap import wrap
from typing import Any

SCHEMA = "ringfence/doctor/v1"
_INDENT = " " * 13
_NARROWEST = 50
WIDTH = 88
"""Of a line, where nothing narrower is asked for."""


class Status(Enum):
    """How a matter stands; ``UNKNOWN`` where the facts do not say."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement.

    ``said`` what was found, ``why`` what follows for enforcement, ``remedy`` what to
    do; the last two are empty where nothing is wrong.
    """

    check: str
    status: Status
    said: str
    why: str = ""
    remedy: str = ""


def lines(findings: Sequence[Finding], width: int = WIDTH) -> Iterator[str]:
    """Yield the findings for a terminal so wide, then their count."""
    width = max(_NARROWEST, min(width, WIDTH))
    for one in findings:
        head = f"{one.status.value:<12} {one.check}: {one.said}"
        yield from _wrapped(head, "", width)
        for text in filter(None, (one.why, one.remedy and f"To do: {one.remedy}")):
            yield from _wrapped(text, _INDENT, width)
    yield ""
    yield _summary(findings)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(findings: Sequence[Finding]) -> str:
    counts = {
        status: sum(one.status is status for one in findings) for status in Status
    }
    problems, warnings = counts[Status.PROBLEM], counts[Status.WARNING]
    return (
        f"{problems or 'no'} problem{'s' * (problems != 1)}, "
        f"{warnings or 'no'} warning{'s' * (warnings != 1)}, "
        f"{counts[Status.UNKNOWN] or 'none'} that cannot be told, "
        f"{counts[Status.OK] or 'none'} in order"
    )


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as one JSON document."""
    return {
        "schema": SCHEMA,
        "problems": sum(one.status is Status.PROBLEM for one in findings),
        "findings": [
            {
                "check": one.check,
                "status": one.status.name.lower(),
                "said": one.said,
                "why": one.why,
                "remedy": one.remedy,
            }
            for one in findings
        ],
    }
