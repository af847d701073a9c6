from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.validation.rules.addresses import (
    block_warnings,
    check_block,
    parse_address,
    parse_block,
)
from ringfence.manifest.validation.rules.causes import Causes

V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(0, 2**128 - 1)


def complaints(text: str, *, strict: bool = True) -> list[str]:
    causes = Causes()
    check_block(causes, ("cidr",), text, strict=strict)
    return [
        cause.message.partition(": ")[2].partition(": ")[2] for cause in causes.found
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.1/8", "bits set beyond"),
        ("010.0.0.0/8", "leading 0s"),
        ("10.0.0.0/08", "leading 0s"),
        ("::ffff:10.0.0.0/104", "IPv4-mapped"),
        ("2001:0000db8::/32", "leading 0s"),
        ("10.0.0.0", "valid CIDR"),
        ("10.0.0.0/33", "valid CIDR"),
        ("1::2::/64", "valid CIDR"),
        ("fe80::1%eth0/64", "valid CIDR"),
    ],
)
def test_a_wrong_block_is_told_what_is_wrong(text: str, words: str) -> None:
    (complaint,) = complaints(text)
    assert words in complaint


@pytest.mark.parametrize("text", ["10.0.0.1/8", "010.0.0.0/8", "::ffff:1.0.0.0/104"])
def test_older_servers_only_warn_about_odd_blocks(text: str) -> None:
    assert not complaints(text, strict=False)
    assert block_warnings(("cidr",), text)


@given(V4, st.integers(0, 32))
def test_ipv4_blocks_mean_what_the_standard_library_says(
    number: int, size: int
) -> None:
    network = ip_network((number, size), strict=False)
    block = parse_block(str(network))
    assert block is not None
    assert str(block) == str(network)
    assert not complaints(str(network))
    assert not block_warnings(("cidr",), str(network))


@given(V6, st.integers(0, 128))
def test_ipv6_blocks_mean_what_the_standard_library_says(
    number: int, size: int
) -> None:
    network = ip_network((number, size), strict=False)
    written = network.network_address.exploded + f"/{size}"
    block = parse_block(written)
    assert block is not None
    assert block.length == size
    assert block.first.number == int(network.network_address)


@given(V4, st.integers(0, 32), V4)
def test_containment_is_the_networks(number: int, size: int, other: int) -> None:
    network = ip_network((number, size), strict=False)
    block = parse_block(str(network))
    address = parse_address(str(ip_network(other).network_address))
    assert block is not None
    assert address is not None
    assert block.contains(address) == ip_network(other).subnet_of(network)  # type: ignore[arg-type]  # both are IPv4


@given(st.text("0123456789abcdef:./% ", max_size=24))
def test_any_text_is_a_block_or_not(text: str) -> None:
    block = parse_block(text)
    assert (block is None) == bool(complaints(text, strict=False))
