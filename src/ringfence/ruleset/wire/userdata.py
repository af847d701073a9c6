"""What nft(8) leaves with things for its own listing; to the kernel it is opaque.

Type, length, value, a byte each for the first two (libnftnl, udata.h). Numbers are in
the machine's byte order.
"""

from __future__ import annotations

from struct import Struct

from ringfence.ruleset.ir import Datatype

COMMENT = 0
"""Of tables, chains and rules."""

_SET_KEY_ORDER, _SET_DATA_ORDER, _SET_TYPEOF, _SET_MERGE, _SET_COMMENT = 0, 1, 3, 6, 7
_BIG_ENDIAN = 2
_CONCATENATION = 13  # nft's own number of that kind of expression
_NUMBER = Struct("=I")

OPEN_ENDED = bytes((1, 4)) + _NUMBER.pack(1)
"""Of an element: its interval goes to the last value, so no end element follows."""


def _field(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value))) + value


def comment(text: str, kind: int = COMMENT) -> bytes:
    """Return a comment; at most 128 bytes, the ending zero included."""
    return _field(kind, text.encode() + b"\0")


def of_set(key: tuple[Datatype, ...], text: str) -> bytes:
    """Return how nft reads a set's elements, and the comment if there is any."""
    order = 0 if key[1:] else _BIG_ENDIAN
    found = _field(_SET_KEY_ORDER, _NUMBER.pack(order))
    if key[1:]:
        kind = _field(0, _NUMBER.pack(_CONCATENATION)) + _field(1, b"")
        found += _field(_SET_TYPEOF, kind)
    return found + (comment(text, _SET_COMMENT) if text else b"")


def of_map(key: tuple[Datatype, ...]) -> bytes:
    """Return how nft reads a verdict map's elements."""
    nothing = _NUMBER.pack(0)
    return (
        of_set(key, "") + _field(_SET_DATA_ORDER, nothing) + _field(_SET_MERGE, nothing)
    )


def comment_in(data: bytes | None) -> str:
    """Return the comment of a table, a chain or a rule; empty: there is none."""
    return _text(data, COMMENT)


def set_comment_in(data: bytes | None) -> str:
    """Return the comment of a set; empty: there is none."""
    return _text(data, _SET_COMMENT)


def _text(data: bytes | None, wanted: int) -> str:
    rest = data or b""
    while len(rest) > 1:
        kind, size = rest[0], rest[1]
        if kind == wanted:
            return rest[2 : 2 + size].rstrip(b"\0").decode(errors="replace")
        rest = rest[2 + size :]
    return ""
