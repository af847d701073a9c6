"""RFC 3339 timestamps as ``metav1.Time`` reads and writes them."""

from __future__ import annotations

import re

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


def _quote(text: str) -> str:
    """Return the text in double quotes as Go's time package writes it, by bytes."""
    shown = ""
    for byte in text.encode():
        char = chr(byte)
        plain = " " <= char <= "~"
        shown += ("\\" + char if char in '"\\' else char) if plain else f"\\x{byte:02x}"
    return f'"{shown}"'


def _complaint(text: str) -> str:
    """Say where Go's time.Parse would stop."""
    rest = text
    for pattern, name in _PARTS:
        found = re.match(pattern, rest)
        if not found:
            return (
                f"parsing time {_quote(text)} as {_quote(_LAYOUT)}: "
                f"cannot parse {_quote(rest)} as {_quote(name)}"
            )
        rest = rest[found.end() :]
    return f"parsing time {_quote(text)}: extra text: {_quote(rest)}"
