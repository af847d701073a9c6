"""RFC 3339 timestamps as ``metav1.Time`` reads and writes them."""

from __future__ import annotations

import re

from ringfence.manifest.gotext import quote

_LAYOUT = "2006-01-02T15:04:05Z07:00"
_PARTS: tuple[tuple[str, str], ...] = (
    (r"[0-9]{4}", "2006"),
    (r"-", "-"),
    (r"[0-9]{2}", "01"),
    (r"-", "-"),
    (r"[0-9]{2}", "02"),
    (r"T", "T"),
    (r"[0-9]{2}", "15"),
    (r":", ":"),
    (r"[0-9]{2}", "04"),
    (r":", ":"),
    (r"[0-9]{2}(?:\.[0-9]+)?", "05"),
    (r"Z|[-+][0-9]{2}:[0-9]{2}", "Z07:00"),
)
_WHOLE = re.compile("".join(f"(?:{pattern})" for pattern, _ in _PARTS))
_FRACTION = re.compile(r"\.[0-9]+")


class TimestampError(ValueError):
    """The text is no RFC 3339 time; the message is Go's."""


def canonical_time(text: str, digits: int) -> str:
    """Return the time with this many digits of a second; raises TimestampError."""
    if not _WHOLE.fullmatch(text):
        raise TimestampError(_complaint(text))
    if digits:
        return text
    return _FRACTION.sub("", text)


def _complaint(text: str) -> str:
    """Say where Go's time.Parse would stop."""
    rest = text
    for pattern, name in _PARTS:
        found = re.match(pattern, rest)
        if not found:
            return (
                f"parsing time {quote(text)} as {quote(_LAYOUT)}: "
                f"cannot parse {quote(rest)} as {quote(name)}"
            )
        rest = rest[found.end() :]
    return f"parsing time {quote(text)}: extra text: {quote(rest)}"
