"""What two sets of connections share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.sets.conns import ConnSet, conn_set

PORT = st.integers(0, 12)
RANGES = st.lists(st.tuples(PORT, PORT).map(lambda pair: (min(pair), max(pair))))
SETS = st.builds(
    lambda ranges, other: conn_set(ranges, other=other),
    st.dictionaries(st.sampled_from(["TCP", "UDP"]), RANGES),
    st.booleans(),
)


@given(SETS, SETS)
def test_the_intersection_holds_what_both_hold(one: ConnSet, other: ConnSet) -> None:
    both = one & other
    for protocol in ("TCP", "UDP"):
        for port in range(14):
            held = one.holds(protocol, port) and other.holds(protocol, port)
            assert both.holds(protocol, port) == held
    assert both.other == (one.other and other.other)


@given(SETS, SETS)
def test_the_intersection_is_canonical(one: ConnSet, other: ConnSet) -> None:
    assert one & other == conn_set(dict((one & other).ports), other=(one & other).other)
    assert (one & other) | one == one
