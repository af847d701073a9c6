from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ringfence.sets.interval import Interval, contains, minus, union

intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 9)).map(
        lambda pair: Interval(pair[0], pair[0] + pair[1])
    ),
    max_size=6,
)


def members(parts: Iterable[Interval]) -> set[int]:
    return {value for low, high in parts for value in range(low, high + 1)}


def test_adjacent_intervals_become_one() -> None:
    assert union([Interval(5, 9), Interval(1, 4)]) == (Interval(1, 9),)


def test_hole_in_the_middle_leaves_both_sides() -> None:
    assert minus([Interval(0, 9)], [Interval(3, 5)]) == (Interval(0, 2), Interval(6, 9))


@given(intervals)
def test_union_keeps_members_and_is_canonical(parts: list[Interval]) -> None:
    merged = union(parts)
    assert members(merged) == members(parts)
    assert all(one.high + 1 < other.low for one, other in pairwise(merged))


@given(intervals, intervals)
def test_minus_is_set_difference(whole: list[Interval], holes: list[Interval]) -> None:
    rest = minus(whole, holes)
    assert members(rest) == members(whole) - members(holes)
    assert rest == union(rest)


@given(intervals, st.integers(-1, 60))
def test_contains_agrees_with_membership(parts: list[Interval], value: int) -> None:
    assert contains(union(parts), value) == (value in members(parts))
