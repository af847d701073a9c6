"""The outside is told in the fewest networks, as the library would find them."""

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address

from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.classes import Outside, joined
from ringfence.model.flow import IPNetwork

NOBODY = ip_address("192.0.2.1")

four = st.builds(
    lambda number, length: IPv4Network((number << 20, length), strict=False),
    st.integers(0, 15) | st.integers(4080, 4095),
    st.sampled_from([0, 8, 10, 11, 12, 24, 32]),
)
six = st.builds(
    lambda number, length: IPv6Network((number << 120, length), strict=False),
    st.integers(0, 255),
    st.sampled_from([0, 4, 6, 7, 8, 64, 128]),
)


@given(st.lists(st.lists(four | six, max_size=4), max_size=4))
def test_parts_of_the_outside_join_to_the_fewest_networks(
    parts: list[list[IPNetwork]],
) -> None:
    networks = [network for part in parts for network in part]
    fewest = (
        *collapse_addresses(n for n in networks if isinstance(n, IPv4Network)),
        *collapse_addresses(n for n in networks if isinstance(n, IPv6Network)),
    )
    assert joined(Outside(tuple(part), NOBODY) for part in parts) == fewest
