import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.ruleset.ir import Datatype, Row
from ringfence.ruleset.wire.keys import (
    SIZES,
    datatypes,
    key_type,
    register,
    type_number,
)

KEYS = st.lists(st.sampled_from(Datatype), min_size=1, max_size=4).map(tuple)


@st.composite
def keyed(draw: st.DrawFn) -> tuple[tuple[Datatype, ...], Row]:
    key = draw(KEYS)
    row = tuple(draw(st.integers(0, (1 << 8 * SIZES[part]) - 1)) for part in key)
    return key, row


@given(keyed())
def test_a_row_is_read_back_from_its_bytes(
    case: tuple[tuple[Datatype, ...], Row],
) -> None:
    key, row = case
    layout = key_type(key)
    assert len(layout.pack(row)) == layout.size
    assert layout.unpack(layout.pack(row)) == row


@given(KEYS)
def test_a_type_is_read_back_from_its_number(key: tuple[Datatype, ...]) -> None:
    assert datatypes(type_number(key)) == key


def test_parts_of_a_concatenation_fill_whole_registers() -> None:
    key = (Datatype.IPV4, Datatype.PROTOCOL, Datatype.PORT)
    packed = key_type(key).pack((0x0A000001, 6, 80))
    assert packed == b"\x0a\0\0\1" + b"\6\0\0\0" + b"\0\x50\0\0"


def test_a_single_value_is_as_long_as_it_is() -> None:
    assert key_type((Datatype.PORT,)).pack((80,)) == b"\0\x50"
    assert key_type((Datatype.ICMPV6,)).size == 1


@pytest.mark.parametrize("number", [0, 6, 1 << 6 | 7])
def test_types_of_others_are_not_ours(number: int) -> None:
    assert datatypes(number) is None


def test_registers_are_named_in_quarters_of_the_first_four() -> None:
    assert [register(at) for at in (0, 1, 2, 4, 5, 8)] == [1, 9, 10, 2, 13, 3]
