"""Sets of integers as sorted, disjoint, non-adjacent inclusive intervals."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias


class Interval(NamedTuple):
    """The integers from ``low`` to ``high``, both included; never empty."""

    low: int
    high: int


Intervals: TypeAlias = tuple[Interval, ...]
"""A set in canonical form: equal sets are equal tuples."""


def union(intervals: Iterable[Interval]) -> Intervals:
    """Return the canonical form of any intervals, in any order, overlapping or not."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1].high + 1:
            merged[-1] = Interval(merged[-1].low, max(merged[-1].high, high))
        else:
            merged.append(Interval(low, high))
    return tuple(merged)


def minus(whole: Iterable[Interval], holes: Iterable[Interval]) -> Intervals:
    """Return what of ``whole`` lies in none of the ``holes``."""
    cuts = union(holes)
    rest: list[Interval] = []
    for low, high in union(whole):
        start = low
        for hole in cuts:
            if hole.high < start:
                continue
            if hole.low > high:
                break
            if hole.low > start:
                rest.append(Interval(start, hole.low - 1))
            start = hole.high + 1
        if start <= high:
            rest.append(Interval(start, high))
    return tuple(rest)


def contains(intervals: Intervals, value: int) -> bool:
    """Whether a canonical set holds the value."""
    index = bisect_right(intervals, (value, float("inf")))
    return index > 0 and value <= intervals[index - 1].high
