from dataclasses import replace
from ipaddress import ip_address

import pytest
from tables import table_of

from ringfence.errors import RingfenceBug
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.verdict import Outcome
from ringfence.model.workload import Node
from ringfence.ruleset.simulation.journey import Journey, Wire
from worlds import block, cluster, egress, flow, ingress, key, peer, pod, rule, tcp

WEB, CLIENT, FAR = (PodEnd(key(name)) for name in ("web", "client", "far"))
N1, N2 = NodeEnd("n1"), NodeEnd("n2")
OUTSIDE = AddressEnd(ip_address("192.0.2.7"))


def world(*policies: object) -> Cluster:
    """Return web and client on n1, far on n2, and these policies."""
    return cluster(
        pod("web", "app=web", "10.0.0.1", node="n1"),
        pod("client", "app=client", "10.0.0.2", node="n1"),
        pod("far", "app=far", "10.0.0.3", node="n2"),
        Node("n1", {}, (ip_address("10.9.0.1"),)),
        Node("n2", {}, (ip_address("10.9.0.2"),)),
        *policies,  # type: ignore[arg-type]  # policies
    )


CLOSED = world(ingress("in", ""), egress("out", ""))
ENDS: list[End] = [WEB, CLIENT, FAR, N1, N2, OUTSIDE]


def wire(of: Cluster) -> Wire:
    return Wire({node: table_of(of, node) for node in of.nodes}, of)


def carried(of: Cluster, source: End, destination: End, port: int = 80) -> Journey:
    return wire(of).carry(Flow(source, destination, Protocol.TCP, port))


@pytest.mark.parametrize(
    ("source", "destination", "nodes"),
    [
        (WEB, CLIENT, ["n1"]),
        (WEB, WEB, ["n1"]),
        (WEB, FAR, ["n1", "n2"]),
        (FAR, WEB, ["n2", "n1"]),
        (WEB, N1, []),
        (N1, WEB, []),
        (WEB, N2, ["n1"]),
        (N2, WEB, ["n1"]),
        (N1, N2, []),
        (OUTSIDE, WEB, ["n1"]),
        (WEB, OUTSIDE, ["n1"]),
        (OUTSIDE, N1, []),
    ],
)
def test_packet_is_forwarded_where_a_cluster_forwards_it(
    source: End, destination: End, nodes: list[str]
) -> None:
    assert [hop.node for hop in carried(world(), source, destination).hops] == nodes


def test_closed_cluster_keeps_what_no_policy_overrides() -> None:
    passing = {
        (source, destination)
        for source in ENDS
        for destination in ENDS
        if carried(CLOSED, source, destination).outcome is Outcome.ALLOW
    }
    own = {(end, end) for end in (WEB, CLIENT, FAR)}
    own_node = {(WEB, N1), (N1, WEB), (CLIENT, N1), (N1, CLIENT), (FAR, N2), (N2, FAR)}
    no_pod = {(a, b) for a in (N1, N2, OUTSIDE) for b in (N1, N2, OUTSIDE)}
    assert passing == own | own_node | no_pod


def test_denial_at_the_source_never_reaches_the_other_node() -> None:
    journey = carried(world(egress("out", "app=web")), WEB, FAR)
    assert [hop.node for hop in journey.hops] == ["n1"]
    assert journey.outcome is Outcome.DENY


def test_denial_at_the_destination_is_the_second_hop() -> None:
    journey = carried(world(ingress("in", "app=far")), WEB, FAR)
    assert [hop.node for hop in journey.hops] == ["n1", "n2"]
    assert journey.outcome is Outcome.DENY


def test_host_network_pod_goes_as_its_node() -> None:
    of = world(ingress("in", "app=web"))
    host = replace(of.pods[key("client")], host_network=True, addresses=())
    of = replace(of, pods={**of.pods, host.key: host})
    assert carried(of, CLIENT, WEB).outcome is Outcome.ALLOW
    moved = replace(host, node="n2")
    of = replace(of, pods={**of.pods, host.key: moved})
    assert carried(of, CLIENT, WEB).outcome is Outcome.DENY


def test_internet_is_in_no_narrow_block() -> None:
    narrow = world(ingress("in", "app=web", rule([block("203.0.113.0/24")])))
    assert carried(narrow, InternetEnd(), WEB).outcome is Outcome.DENY
    wide = world(ingress("in", "app=web", rule([block("0.0.0.0/0", "203.0.113.0/24")])))
    assert carried(wide, InternetEnd(), WEB).outcome is Outcome.ALLOW


def test_one_passing_pair_of_addresses_is_enough() -> None:
    dual = pod("web", "app=web", "10.0.0.1", "fd00::1", node="n1")
    client = pod("client", "", "10.0.0.2", "fd00::2", node="n1")
    of = world(ingress("in", "app=web", rule([block("fd00::/64")])))
    of = replace(of, pods={dual.key: dual, client.key: client})
    journey = carried(of, CLIENT, WEB)
    assert journey.outcome is Outcome.ALLOW
    assert journey.packet is not None
    assert journey.packet.source.version == 6


def test_ends_without_a_common_family_never_meet() -> None:
    of = world()
    six = pod("web", "", "fd00::1", node="n1")
    of = replace(of, pods={**of.pods, six.key: six})
    journey = carried(of, CLIENT, WEB)
    assert journey.outcome is Outcome.DENY
    assert journey.story() == ("DENY: the ends have no address of the same family",)


def test_unknown_address_is_undecided() -> None:
    of = world()
    bare = pod("web", "", node="n1")
    of = replace(of, pods={**of.pods, bare.key: bare})
    assert carried(of, CLIENT, WEB).outcome is Outcome.UNDECIDED


def test_story_tells_nodes_chains_and_rules() -> None:
    of = world(ingress("in", "app=far", rule([peer("app=web")], [tcp(80)])))
    assert carried(of, WEB, FAR).story() == (
        "10.0.0.1 -> 10.0.0.3 TCP/80",
        "  node n1: accept",
        "  node n2: accept",
        "    ingress: ip daddr vmap @in4",
        (
            "    in/default/in: ip saddr @p4/default/app_is_web tcp dport 80 "
            'counter name allow/in/default/in accept comment "ingress[0]"'
        ),
        "ALLOW",
    )


def test_story_of_an_own_node_says_that_nothing_filters() -> None:
    assert "nothing filters it" in carried(CLOSED, N1, WEB).story()[1]


def test_pod_without_a_node_is_on_the_only_one() -> None:
    of = cluster(pod("web", "", "10.0.0.1"), pod("db", "", "10.0.0.2"))
    journey = Wire({"n1": table_of(of)}, of).carry(flow("web", "db"))
    assert [hop.node for hop in journey.hops] == ["n1"]


@pytest.mark.parametrize(
    "wrong",
    [
        flow("web", "nobody"),
        flow("web", "client", None),
    ],
)
def test_flow_that_is_no_packet_is_a_bug(wrong: Flow) -> None:
    with pytest.raises(RingfenceBug):
        wire(world()).carry(wrong)


def test_node_without_a_table_is_a_bug() -> None:
    of = world()
    with pytest.raises(RingfenceBug):
        Wire({"n2": table_of(of, "n2")}, of).carry(flow("web", "client"))
