"""A cluster's open facts are decided once, without touching those that are given."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.errors import InputError
from ringfence.lab.plan import OUTSIDE, Cni, Site, SiteKind
from ringfence.lab.topology import plan_topology
from ringfence.model.cluster import Cluster
from ringfence.model.flow import InternetEnd, IPAddress, NodeEnd, PodEnd
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import METADATA_NAME, Namespace, Node, Owner
from worlds import block, cluster, ingress, pod, rule


def blocked(*cidrs: str) -> NetworkPolicy:
    return ingress("p", "", rule([block(cidr) for cidr in cidrs]))


def addresses(of: Cluster) -> dict[str, list[str]]:
    return {key.name: list(map(str, pod.addresses)) for key, pod in of.pods.items()}


def test_without_nodes_every_pod_is_on_node_1() -> None:
    found = plan_topology(cluster(pod("a"), pod("b"))).cluster
    assert list(found.nodes) == ["node-1"]
    assert {pod.node for pod in found.pods.values()} == {"node-1"}


def test_pods_are_spread_over_the_nodes_and_given_nodes_are_kept() -> None:
    given_pods = (pod("a"), pod("b"), pod("c", node="far"))
    found = plan_topology(cluster(*given_pods), nodes=2).cluster
    nodes = {key.name: pod.node for key, pod in found.pods.items()}
    assert nodes["c"] == "far"
    assert {nodes["a"], nodes["b"]} == {"far", "node-1"}


def test_a_daemonset_has_its_pods_on_different_nodes() -> None:
    owner = Owner("DaemonSet", "agent")
    nodes = (Node("n1", {}), Node("n2", {}))
    pods = (pod("agent-0", owner=owner), pod("agent-1", owner=owner))
    found = plan_topology(cluster(*pods, *nodes)).cluster
    assert sorted(p.node or "" for p in found.pods.values()) == ["n1", "n2"]


def test_given_addresses_are_kept_and_never_handed_out_twice() -> None:
    found = plan_topology(cluster(pod("a"), pod("b", "", "10.244.0.1"))).cluster
    assert addresses(found) == {"a": ["10.244.0.2"], "b": ["10.244.0.1"]}


def test_a_lab_is_ipv4_unless_something_shows_ipv6() -> None:
    assert addresses(plan_topology(cluster(pod("a"))).cluster) == {"a": ["10.244.0.1"]}


def test_an_ipv6_block_makes_the_lab_dual_stack() -> None:
    found = plan_topology(cluster(pod("a"), blocked("2001:db8::/32")))
    assert addresses(found.cluster) == {"a": ["10.244.0.1", "fd00:10:244::1"]}
    assert {a.version for a in found.internet} == {4, 6}


def test_given_addresses_say_which_families_there_are() -> None:
    found = plan_topology(cluster(pod("a", "", "10.0.0.1"), pod("b"), blocked("::/0")))
    assert addresses(found.cluster)["b"] == ["10.244.0.1"]


def test_a_handed_out_address_is_one_that_no_block_judges() -> None:
    found = plan_topology(cluster(pod("a"), blocked("10.0.0.0/8", "0.0.0.0/0")))
    assert addresses(found.cluster) == {"a": ["172.29.0.1"]}


def test_a_host_network_pod_is_at_its_node() -> None:
    given_pod = pod("a", host_network=True, node="n1")
    found = plan_topology(cluster(given_pod))
    site, held = found.locate(PodEnd(given_pod.key))
    assert site == Site(SiteKind.NODE, "n1")
    assert held == found.cluster.nodes["n1"].addresses
    assert found.cluster.pods[given_pod.key].addresses == held


def test_a_host_network_pods_address_is_its_nodes() -> None:
    node = Node("n1", {}, (ip_address("192.0.2.7"),))
    there = pod("a", "", "192.0.2.7", host_network=True)
    found = plan_topology(cluster(there, node, Node("n2", {})))
    assert found.cluster.pods[there.key].node == "n1"
    alone = plan_topology(cluster(pod("a", "", "192.0.2.7", host_network=True)))
    assert alone.locate(NodeEnd("node-1"))[1] == (ip_address("192.0.2.7"),)


def test_a_finished_pod_has_no_namespace_and_its_address_is_free() -> None:
    done = pod("done", "", "10.0.0.1", phase="Succeeded")
    live = pod("live", "", "10.0.0.1")
    plan = plan_topology(cluster(done, live)).plan
    pods = [site.name for site in plan.sites if site.kind is SiteKind.POD]
    assert pods == ["default/live"]


def test_namespaces_become_declared_with_the_labels_that_are_known() -> None:
    used = Namespace("default", {}, declared=False)
    found = plan_topology(cluster(pod("a"), used)).cluster.namespaces["default"]
    assert found.declared
    assert found.labels == {METADATA_NAME: "default"}


def test_outside_addresses_that_pods_have_stay_the_pods() -> None:
    outside = [ip_address("10.0.0.1"), ip_address("192.0.2.1")]
    plan = plan_topology(
        cluster(pod("a", "", "10.0.0.1")), outside=outside, internet=False
    ).plan
    assert plan.sites[OUTSIDE] == (ip_address("192.0.2.1"),)


def test_the_internet_is_an_address_that_only_slash_0_covers() -> None:
    blocks = ("0.0.0.0/0", "203.0.113.0/24", "198.51.100.1/32", "128.0.0.0/2")
    found = plan_topology(cluster(pod("a"), blocked(*blocks)))
    (address,) = found.locate(InternetEnd())[1]
    covering = [block for block in blocks if address in ip_network(block)]
    assert covering == ["0.0.0.0/0"]


def test_where_blocks_cover_everything_there_is_no_internet() -> None:
    blocks = ("0.0.0.0/1", "128.0.0.0/1")
    assert plan_topology(cluster(pod("a"), blocked(*blocks))).internet == ()


def test_an_address_of_two_live_pods_is_a_problem() -> None:
    with pytest.raises(InputError, match=r"10\.0\.0\.1 also belongs to pod default/a"):
        plan_topology(cluster(pod("a", "", "10.0.0.1"), pod("b", "", "10.0.0.1")))


@pytest.mark.parametrize("bad", ["127.0.0.1", "224.0.0.1", "0.0.0.1", "fe80::1", "::"])
def test_an_address_that_no_host_can_have_is_a_problem(bad: str) -> None:
    with pytest.raises(InputError, match="no host can have address"):
        plan_topology(cluster(pod("a")), outside=[ip_address(bad)])


def test_a_gateway_is_no_address_that_somebody_asks_for() -> None:
    asked: IPAddress = ip_address("169.254.1.1")
    plan = plan_topology(cluster(pod("a")), outside=[asked]).plan
    assert asked not in plan.gateways
    assert plan.families == {4}


def test_on_a_bridge_are_just_the_addresses_of_its_nodes_pods() -> None:
    pods = [pod(f"p{n}", "", f"10.0.0.{n}", node="n1") for n in range(4, 8)]
    far = pod("far", "", "10.0.0.8", node="n2")
    plan = plan_topology(cluster(*pods, far), cni=Cni.BRIDGE).plan
    assert plan.bridges["n1"].networks == (ip_network("10.0.0.4/30"),)
    assert plan.bridges["n2"].networks == (ip_network("10.0.0.8/32"),)


def test_a_bridges_gateway_is_no_address_of_anybody_else() -> None:
    taken = ip_address("169.254.1.2")
    plan = plan_topology(cluster(pod("a")), outside=[taken], cni=Cni.BRIDGE).plan
    (gateway,) = plan.bridges["node-1"].gateways
    assert gateway not in (taken, *plan.gateways)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=8))
def test_completing_a_completed_cluster_changes_nothing(
    nodes: int, hosts: list[bool]
) -> None:
    pods = [pod(f"p{n}", host_network=host) for n, host in enumerate(hosts)]
    once = plan_topology(cluster(*pods), nodes=nodes)
    assert plan_topology(once.cluster, nodes=nodes) == once
