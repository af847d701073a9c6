from ipaddress import ip_address, ip_network

import pytest

from ringfence.sets.cidr import address, carve, cover, everything, prefixes, span
from ringfence.sets.interval import Interval


def test_carve_takes_the_excepts_out() -> None:
    whole = ip_network("192.0.2.0/24")
    parts = carve(whole, [ip_network("192.0.2.48/28")])
    assert [str(network) for network in prefixes(parts, 4)] == [
        "192.0.2.0/27",
        "192.0.2.32/28",
        "192.0.2.64/26",
        "192.0.2.128/25",
    ]


def test_except_of_the_whole_cidr_leaves_nothing() -> None:
    whole = ip_network("192.0.2.0/24")
    assert carve(whole, [whole]) == ()


@pytest.mark.parametrize(
    ("given", "covered_by"),
    [
        ("10.0.0.0/16 10.2.0.0/15 10.128.0.0/9", "10.0.0.0/8"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.7/32 10.0.0.8/32", "10.0.0.0/28"),
        ("0.0.0.0/32 255.255.255.255/32", "0.0.0.0/0"),
        ("fd00::/65 fd00:0:0:0:8000::1/128", "fd00::/64"),
    ],
)
def test_the_smallest_block_that_holds_all(given: str, covered_by: str) -> None:
    assert str(cover(map(ip_network, given.split()))) == covered_by


def test_hole_of_the_other_family_takes_nothing() -> None:
    whole = ip_network("::/120")
    assert carve(whole, [ip_network("0.0.0.0/0")]) == (span(whole),)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_whole_family_is_one_interval(text: str) -> None:
    network = ip_network(text)
    assert everything(network.version) == span(network)


@pytest.mark.parametrize("text", ["10.0.0.7", "fd00::7"])
def test_number_of_an_address_leads_back(text: str) -> None:
    given = ip_address(text)
    assert address(int(given), given.version) == given


def test_single_address_is_a_host_prefix() -> None:
    one = int(ip_address("fd00::1"))
    assert [str(n) for n in prefixes((Interval(one, one),), 6)] == ["fd00::1/128"]
