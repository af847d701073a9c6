"""Sets of numbered things as integers, one bit a thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import TypeVar

T = TypeVar("T")

_DIGITS = bytes.maketrans(b"01", b"\x00\x01")
_SOME = re.compile(rb"[^\0]", re.DOTALL)
_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]
_FEW = 1 / 32


def mask_of(numbers: Iterable[int], width: int) -> int:
    """Return the mask of some numbers below ``width``."""
    data = bytearray(width // 8 + 1)
    for number in numbers:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")


def chosen(things: Sequence[T], mask: int) -> Iterator[T]:
    """Yield the things whose bits are set, in their order.

    Of many the digits of the mask select them, so that the loop runs in C.
    """
    if mask.bit_count() > mask.bit_length() * _FEW:
        return compress(things, f"{mask:b}"[::-1].encode().translate(_DIGITS))
    return map(things.__getitem__, few(mask))


def few(mask: int) -> Iterator[int]:
    """Yield the numbers in a mask, quickly where they are few."""
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    for found in _SOME.finditer(data):
        at = found.start()
        for bit in _BITS[data[at]]:
            yield at * 8 + bit
