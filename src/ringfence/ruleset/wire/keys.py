"""Keys of sets: rows of integers as the bytes that the kernel compares, and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from ringfence.ruleset.ir import Datatype, Row

SIZES = {
    Datatype.IPV4: 4,
    Datatype.IPV6: 16,
    Datatype.PROTOCOL: 1,
    Datatype.PORT: 2,
    Datatype.ICMPV6: 1,
}
"""Bytes of a value; in a concatenation each part is padded to a register's four."""

NUMBERS = {
    Datatype.IPV4: 7,
    Datatype.IPV6: 8,
    Datatype.PROTOCOL: 12,
    Datatype.PORT: 13,
    Datatype.ICMPV6: 29,
}
"""What nft(8) calls the types in NFTA_SET_KEY_TYPE; the kernel only keeps them."""

_DATATYPES = {number: datatype for datatype, number in NUMBERS.items()}
_TYPE_BITS = 6
_FORMATS = {1: "B", 2: "H", 4: "I", 16: "16s"}


class KeyType(NamedTuple):
    """A key's layout: bytes in all, and rows to and from them."""

    size: int
    pack: Callable[[Row], bytes]
    unpack: Callable[[bytes], Row]


def padded(size: int) -> int:
    """Return a size in whole words."""
    return (size + 3) & ~3


def register(at: int) -> int:
    """Return the register that starts so many words behind the first.

    NFT_REG_1 to NFT_REG_4 are 16 bytes, NFT_REG32_00 to _15 the words in them.
    """
    return 8 + at if at % 4 else 1 + at // 4


def type_number(key: tuple[Datatype, ...]) -> int:
    """Return nft's number of a type or a concatenation of types."""
    number = 0
    for part in key:
        number = number << _TYPE_BITS | NUMBERS[part]
    return number


def datatypes(number: int) -> tuple[Datatype, ...] | None:
    """Return what ``type_number`` was made of, None where a part is foreign."""
    parts: list[Datatype] = []
    while number:
        part = _DATATYPES.get(number & ((1 << _TYPE_BITS) - 1))
        if part is None:
            return None
        parts.insert(0, part)
        number >>= _TYPE_BITS
    return tuple(parts) or None


@lru_cache(maxsize=64)  # of types, of which there are a dozen
def key_type(key: tuple[Datatype, ...]) -> KeyType:
    """Return the layout of a key."""
    pads = [padded(SIZES[part]) - SIZES[part] if key[1:] else 0 for part in key]
    struct = Struct(
        ">"
        + "".join(
            f"{_FORMATS[SIZES[part]]}{pad}x"
            for part, pad in zip(key, pads, strict=True)
        )
    )
    if Datatype.IPV6 not in key:
        return KeyType(struct.size, lambda row: struct.pack(*row), struct.unpack)
    wide = tuple(part is Datatype.IPV6 for part in key)

    def pack(row: Row) -> bytes:
        values = zip(wide, row, strict=True)
        return struct.pack(*(v.to_bytes(16, "big") if w else v for w, v in values))

    def unpack(data: bytes) -> Row:
        values = zip(wide, struct.unpack(data), strict=True)
        return tuple(int.from_bytes(v, "big") if w else v for w, v in values)

    return KeyType(struct.size, pack, unpack)
