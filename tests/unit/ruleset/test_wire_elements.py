import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.ruleset.changes.transaction import SetType
from ringfence.ruleset.ir import Box, Datatype
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    LARGEST,
    attribute,
    nested,
    pairs,
    string,
    word,
)
from ringfence.ruleset.wire.elements import (
    Strange,
    boxes,
    packed,
    packed_values,
    packed_verdicts,
    rows,
    verdicts,
)
from ringfence.sets.interval import Interval, union

IPV4 = (Datatype.IPV4,)
PORTS = (Datatype.PROTOCOL, Datatype.PORT)
NUMBERS = st.integers(0, 2**32 - 1)


def of(key: tuple[Datatype, ...], *, interval: bool) -> SetType:
    return SetType("s", key, interval)


@given(st.frozensets(st.tuples(NUMBERS)))
def test_rows_are_read_back(found: frozenset[tuple[int, ...]]) -> None:
    assert rows(IPV4, packed(of(IPV4, interval=False), tuple(found))) == found


@given(st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted), max_size=20))
def test_ranges_are_read_back(ends: list[list[int]]) -> None:
    found = tuple((part,) for part in union(Interval(*pair) for pair in ends))
    assert boxes(IPV4, packed(of(IPV4, interval=True), found)) == found


def test_ranges_that_touch_stay_two() -> None:
    found: tuple[Box, ...] = ((Interval(1, 4),), (Interval(5, 9),))
    assert boxes(IPV4, packed(of(IPV4, interval=True), found)) == found


def test_ranges_of_two_fields_are_read_back() -> None:
    found = (
        (Interval(6, 6), Interval(80, 80)),
        (Interval(17, 17), Interval(53, 90)),
    )
    assert boxes(PORTS, packed(of(PORTS, interval=True), found)) == found


def test_the_end_of_nothing_is_nothing() -> None:
    flag = word(linux.ELEMENT_FLAGS, linux.INTERVAL_END)
    key = nested(linux.ELEMENT_KEY, attribute(linux.DATA_VALUE, bytes(4)))
    assert boxes(IPV4, [nested(linux.LIST_ELEMENT, flag, key)]) == ()


def test_verdicts_are_read_back() -> None:
    found = {1: "in/a", 2: "in/b", 3: "in/a"}
    assert verdicts(Datatype.IPV4, packed_verdicts(Datatype.IPV4, found)) == found


def test_a_verdict_that_is_no_goto_is_strange() -> None:
    verdict = word(linux.VERDICT_CODE, linux.ACCEPT)
    data = nested(linux.ELEMENT_DATA, nested(linux.DATA_VERDICT, verdict))
    key = nested(linux.ELEMENT_KEY, attribute(linux.DATA_VALUE, bytes(4)))
    with pytest.raises(Strange, match="no goto"):
        verdicts(Datatype.IPV4, [nested(linux.LIST_ELEMENT, key, data)])


@pytest.mark.parametrize("kind", [4, linux.ELEMENT_DATA])
def test_an_element_with_more_than_a_key_is_strange(kind: int) -> None:
    key = nested(linux.ELEMENT_KEY, attribute(linux.DATA_VALUE, bytes(4)))
    with pytest.raises(Strange, match="an element with attributes"):
        rows(IPV4, [nested(linux.LIST_ELEMENT, key, string(kind, "x"))])


def test_many_elements_are_several_lists_none_too_large_and_none_cut() -> None:
    many = tuple((number,) for number in range(10_000))
    lists = list(packed(of(IPV4, interval=False), many))
    assert len(lists) == 3
    assert all(len(data) + 4 <= LARGEST for data in lists)
    assert rows(IPV4, lists) == frozenset(many)


def test_a_value_is_deleted_without_saying_where_it_went() -> None:
    (listed,) = packed_values(Datatype.IPV4, [1, 2])
    assert rows(IPV4, [listed]) == {(1,), (2,)}
    assert len(pairs(listed)) == 2


def test_a_verdict_with_more_behind_it_is_strange() -> None:
    (listed,) = packed_verdicts(Datatype.IPV4, {1: "in/a"})
    ((_, element),) = pairs(listed)
    more = attribute(linux.LIST_ELEMENT, element + string(4, "x"))
    with pytest.raises(Strange, match="an element with attributes"):
        verdicts(Datatype.IPV4, [more])


def test_many_verdicts_are_several_lists() -> None:
    many = dict.fromkeys(range(1000), "in/" + "x" * 100)
    lists = list(packed_verdicts(Datatype.IPV4, many))
    assert len(lists) == 3
    assert verdicts(Datatype.IPV4, lists) == many
