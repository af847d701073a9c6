"""Sets of connections against plain sets of (protocol, port)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.sets.conns import ConnSet, conn_set

PORTS = range(8)
PROTOCOLS = ("TCP", "UDP")
ranges = st.lists(
    st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(
        lambda pair: (min(pair), max(pair))
    ),
    max_size=4,
)
sets = st.builds(
    lambda tcp, udp, other: conn_set({"TCP": tcp, "UDP": udp}, other=other),
    ranges,
    ranges,
    st.booleans(),
)


def members(conns: ConnSet) -> set[tuple[str, int | None]]:
    found: set[tuple[str, int | None]] = {
        (protocol, port)
        for protocol in PROTOCOLS
        for port in PORTS
        if conns.holds(protocol, port)
    }
    return found | ({("OTHER", None)} if conns.other else set())


@given(sets, sets)
def test_union_and_difference_are_those_of_plain_sets(
    one: ConnSet, other: ConnSet
) -> None:
    assert members(one | other) == members(one) | members(other)
    assert members(one - other) == members(one) - members(other)


@given(sets, sets)
def test_equal_members_are_an_equal_value(one: ConnSet, other: ConnSet) -> None:
    assert (members(one) == members(other)) == (one == other)


@given(sets)
def test_a_set_is_true_where_it_holds_anything(one: ConnSet) -> None:
    assert bool(one) == bool(members(one))
