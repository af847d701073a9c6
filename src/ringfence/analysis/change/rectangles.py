"""Many pairs in few words: sets of sources times sets of destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ringfence.engine.allpairs.masks import chosen, mask_of


class Rectangle(NamedTuple):
    """Every source with every destination; ``pairs`` leaves out the void ones."""

    sources: tuple[int, ...]
    destinations: tuple[int, ...]
    pairs: int


def rectangles(rows: Mapping[int, int], void: Sequence[int]) -> list[Rectangle]:
    """Return rectangles that hold every pair once, few of them, largest rows first.

    ``rows`` has, for each source, its destinations as a mask; ``void``, for each
    end, those ends it makes no pair with, either way: they are neither there nor
    missing, so they may stand inside a rectangle.
    """
    by_row = _cover(rows, void)
    by_column = _cover(_turned(rows), void)
    if len(by_row) <= len(by_column):
        return by_row
    return [Rectangle(one.destinations, one.sources, one.pairs) for one in by_column]


def _cover(rows: Mapping[int, int], void: Sequence[int]) -> list[Rectangle]:
    left = {source: mask for source, mask in rows.items() if mask}
    found: list[Rectangle] = []
    for start in sorted(left, key=lambda source: (-left[source].bit_count(), source)):
        if start not in left:
            continue
        candidates = (left[start], left[start] | void[start])
        best = max((_widest(left, void, wide) for wide in candidates), key=_pairs)
        taken = mask_of(best.destinations, best.destinations[-1] + 1)
        for source in best.sources:
            left[source] &= ~taken
            if not left[source]:
                del left[source]
        found.append(best)
    return found


def _pairs(rectangle: Rectangle) -> int:
    return rectangle.pairs


def _widest(left: Mapping[int, int], void: Sequence[int], wide: int) -> Rectangle:
    """Return the rectangle of all rows that have these destinations."""
    sources = [
        source
        for source, mask in left.items()
        if mask & wide and not wide & ~(mask | void[source])
    ]
    inside = pairs = 0
    for source in sources:
        taken = left[source] & wide
        inside |= taken
        pairs += taken.bit_count()
    return Rectangle(tuple(sorted(sources)), tuple(bits(inside)), pairs)


def _turned(rows: Mapping[int, int]) -> dict[int, int]:
    turned: dict[int, int] = {}
    for source, mask in rows.items():
        own = 1 << source
        for destination in bits(mask):
            turned[destination] = turned.get(destination, 0) | own
    return turned


def bits(mask: int) -> Iterator[int]:
    """Return the numbers of the bits that are set, ascending."""
    return chosen(range(mask.bit_length()), mask)
