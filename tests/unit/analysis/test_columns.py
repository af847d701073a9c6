"""Which columns of a matrix have any of some classes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.analysis.columns import Columns
from ringfence.engine.allpairs.masks import mask_of

PODS, OUTSIDE = range(12), range(12, 16)
of_pods = st.sets(st.sampled_from(PODS), min_size=1)
of_addresses = st.sets(st.sampled_from(OUTSIDE), min_size=1)


@given(st.lists(of_pods | of_addresses, max_size=8), st.sets(st.integers(0, 15)))
def test_columns_are_met_that_have_any_of_the_classes(
    columns: list[set[int]], classes: set[int]
) -> None:
    found = Columns([*map(sorted, columns)], 16, [PODS, OUTSIDE])
    met = found.listed(found.met(mask_of(classes, 16)))
    assert met == [n for n, members in enumerate(columns) if members & classes]


@given(st.lists(of_pods, max_size=8), st.sets(st.integers(0, 15)))
def test_a_column_is_listed_once_for_each_of_its_classes(
    columns: list[set[int]], classes: set[int]
) -> None:
    found = Columns([*map(sorted, columns)], 16, [PODS, OUTSIDE])
    assert sorted(found.of(mask_of(classes, 16))) == sorted(
        n for n, members in enumerate(columns) for _ in members & classes
    )
