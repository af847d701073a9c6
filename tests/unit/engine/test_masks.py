"""Masks and what sources may bring: the quick ways against the plain ones."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.allpairs.incoming import Incoming
from ringfence.engine.allpairs.masks import chosen, few, mask_of

WIDTH = 400
numbers = st.sets(st.integers(0, WIDTH - 1), max_size=60)
runs = st.builds(
    lambda low, size: set(range(low, min(low + size, WIDTH))),
    st.integers(0, WIDTH - 1),
    st.integers(1, WIDTH),
)


@given(numbers | runs)
def test_a_mask_holds_its_numbers_few_or_many(some: set[int]) -> None:
    mask = mask_of(some, WIDTH)
    assert mask == sum(1 << number for number in some)
    assert list(few(mask)) == list(chosen(range(WIDTH), mask)) == sorted(some)


@given(st.lists(st.tuples(st.integers(1, 3), numbers | runs), max_size=60))
def test_every_source_brings_what_the_entries_say(
    entries: list[tuple[int, set[int]]],
) -> None:
    # Each entry has a destination of its own, as entries of one source must.
    given_: dict[tuple[int, int], int] = defaultdict(int)
    for destination, (conns, sources) in enumerate(entries):
        if sources:
            given_[conns, mask_of(sources, WIDTH)] |= 1 << destination
    incoming = Incoming(given_, WIDTH)
    for source in range(WIDTH):
        expected: dict[int, int] = defaultdict(int)
        for destination, (conns, sources) in enumerate(entries):
            if source in sources:
                expected[conns] |= 1 << destination
        assert incoming.of(source) == expected
