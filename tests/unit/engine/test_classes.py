"""The outside is told in the fewest networks, as the library would find them."""

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address

from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.allpairs.classes import (
    Outside,
    joined,
    outside_classes,
    pod_classes,
)
from ringfence.engine.compiler import compile_cluster
from ringfence.model.flow import IPNetwork
from worlds import block, cluster, ingress, pod, rule

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


PODS = [pod(name, "", f"10.0.0.{n}") for n, name in enumerate("abcd", 1)]


def test_pods_in_holes_of_the_same_block_are_alike() -> None:
    cut = block("10.0.0.0/8", "10.0.0.1/32", "10.0.0.3/32")
    compiled = compile_cluster(cluster(*PODS, ingress("cut", "", rule([cut]))))
    names = [[key.name for key in alike] for alike in pod_classes(compiled)]
    assert names == [["a", "c"], ["b", "d"]]
    holes = [part for part in outside_classes(compiled) if len(part.networks) == 2]
    assert [*map(str, holes[0].networks)] == ["10.0.0.1/32", "10.0.0.3/32"]


def test_a_hole_that_another_block_has_too_parts_pods() -> None:
    cut = block("10.0.0.0/8", "10.0.0.1/32", "10.0.0.3/32")
    other = block("10.0.0.0/8", "10.0.0.3/32")
    policy = ingress("cut", "", rule([cut]), rule([other]))
    names = [
        [key.name for key in alike]
        for alike in pod_classes(compile_cluster(cluster(*PODS, policy)))
    ]
    assert names == [["a"], ["b", "d"], ["c"]]


def test_a_hole_that_another_peer_lets_in_parts_pods() -> None:
    cut = block("10.0.0.0/8", "10.0.0.1/32", "10.0.0.3/32")
    policy = ingress("cut", "", rule([cut, block("10.0.0.3/32")]))
    names = [
        [key.name for key in alike]
        for alike in pod_classes(compile_cluster(cluster(*PODS, policy)))
    ]
    assert names == [["a"], ["b", "d"], ["c"]]
