from dataclasses import replace
from ipaddress import ip_address

from tables import (
    NODE,
    chain,
    elements,
    lines,
    lowered,
    placed,
    set_names,
    table_of,
    the_map,
    the_set,
)

from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import PolicyPort
from ringfence.model.workload import ContainerPort, Namespace, Node
from ringfence.ruleset.ir import HashSet, IntervalSet
from ringfence.ruleset.naming import ContestedId, PolicySetId
from ringfence.ruleset.render import render
from worlds import block, cluster, egress, ingress, key, peer, pod, rule, tcp

ANYONE = ingress("any", "", rule())


def v4(text: str) -> int:
    return int(ip_address(text))


def guarded(*rules: object) -> Cluster:
    """Return web and client on one node, web with one ingress policy."""
    return placed(
        cluster(
            pod("web", "app=web", "10.0.0.1", ports=[ContainerPort(8080, name="http")]),
            pod("client", "app=client", "10.0.0.2"),
            ingress("in", "app=web", *rules),  # type: ignore[arg-type]  # rules
        )
    )


def allows(*rules: object) -> list[str]:
    """Return what the policy's chain allows, without counters and comments."""
    listed = lines(table_of(guarded(*rules)), "in/default/in")
    return [line.split(" counter ")[0] for line in listed if " accept " in line]


def test_isolated_pod_is_sent_to_its_policy_sets_chain() -> None:
    table = table_of(guarded(rule([peer("app=client")])))
    assert the_map(table, "in4").elements == {v4("10.0.0.1"): "in/default/in"}
    assert the_map(table, "out4").elements == {}


def test_replicas_share_one_chain() -> None:
    world = placed(
        cluster(
            pod("a", "app=web", "10.0.0.1"), pod("b", "app=web", "10.0.0.2"), ANYONE
        )
    )
    assert set(the_map(table_of(world), "in4").elements.values()) == {"in/default/any"}


def test_pod_of_another_node_is_a_peer_and_not_isolated_here() -> None:
    world = guarded(rule([peer("app=client")]))
    web = replace(world.pods[key("web")], node="n2")
    table = table_of(replace(world, pods={**world.pods, web.key: web}))
    assert the_map(table, "in4").elements == {}
    assert set_names(table) == ["self4"]


def test_unrestricted_rule_is_a_plain_accept() -> None:
    table = table_of(guarded(rule([peer("app=client")], [tcp(80)]), rule()))
    assert lines(table, "in/default/in") == [
        'counter name allow/in/default/in accept comment "ingress[1]"'
    ]


def test_no_rules_leave_only_the_denial() -> None:
    assert lines(table_of(guarded()), "in/default/in") == [
        (
            "tcp flags & (fin|syn|rst|ack) != syn ct state invalid,new "
            "counter name cut/in/default/in reject with tcp reset "
            'comment "mid-stream: a flow that was cut"'
        ),
        "counter name deny/in/default/in",
        (
            "limit rate 10/second burst 20 packets "
            'log prefix "rf:D:in:default/in" group 100 snaplen 64'
        ),
        "drop",
    ]


def test_single_port_needs_no_set() -> None:
    assert allows(rule(ports=[tcp(80)])) == ["tcp dport 80"]
    assert allows(rule(ports=[tcp(80, 90)])) == ["tcp dport 80-90"]


def test_port_entry_without_number_is_the_whole_protocol() -> None:
    assert allows(rule(ports=[PolicyPort(Protocol.SCTP)])) == ["meta l4proto sctp"]


def test_many_ports_are_one_shared_set_of_merged_ranges() -> None:
    ports = [tcp(81), tcp(80), tcp(90, 95), PolicyPort(Protocol.UDP, 53)]
    name = "t/tcp/80-81_and_tcp/90-95_and_udp/53"
    assert allows(rule(ports=ports)) == [f"meta l4proto . th dport @{name}"]
    table = table_of(guarded(rule(ports=ports)))
    assert isinstance(the_set(table, name), IntervalSet)


def test_single_numbers_are_a_hash_set() -> None:
    table = table_of(guarded(rule(ports=[tcp(80), tcp(443)])))
    assert the_set(table, "t/tcp/80_and_tcp/443") == HashSet(
        "t/tcp/80_and_tcp/443",
        the_set(table, "t/tcp/80_and_tcp/443").key,
        frozenset({(6, 80), (6, 443)}),
        "tcp/80,tcp/443",
    )


def test_named_port_is_looked_up_at_the_destination() -> None:
    world = guarded(rule(ports=[tcp("http")]))
    assert allows(rule(ports=[tcp("http")])) == [
        "ip daddr . meta l4proto . th dport @n4/in/tcp/http"
    ]
    assert elements(table_of(world), "n4/in/tcp/http") == {(v4("10.0.0.1"), 6, 8080)}


def test_named_port_of_another_protocol_is_not_meant() -> None:
    world = guarded(rule(ports=[PolicyPort(Protocol.UDP, "http")]))
    assert elements(table_of(world), "n4/in/udp/http") == set()


def test_named_port_of_an_egress_rule_is_known_of_every_pod() -> None:
    ports = [ContainerPort(8080, name="http")]
    world = cluster(
        pod("web", "app=web", "10.0.0.1", ports=ports, node="n2"),
        pod("client", "app=client", "10.0.0.2", node=NODE),
        egress("out", "app=client", rule(ports=[tcp("http")])),
    )
    rows = elements(table_of(world), "n4/out/tcp/http")
    assert rows == {(v4("10.0.0.1"), 6, 8080)}


def test_numbers_and_names_of_one_rule_are_two_alternatives() -> None:
    listed = allows(rule([peer("app=client")], [tcp("http"), tcp(80), tcp(81)]))
    assert listed == [
        "ip saddr @p4/default/app_is_client tcp dport 80-81",
        (
            "ip saddr @p4/default/app_is_client "
            "ip daddr . meta l4proto . th dport @n4/in/tcp/http"
        ),
    ]


def test_all_pod_peers_of_a_rule_are_one_set() -> None:
    world = guarded(rule([peer("app=client"), peer("app=web")]))
    (of,) = (s for s in table_of(world).sets if s.name.startswith("p4/"))
    assert set(of.elements) == {(v4("10.0.0.1"),), (v4("10.0.0.2"),)}
    assert of.comment == "default/app=client|default/app=web"


def test_excepts_are_subtracted_and_never_deny() -> None:
    narrow = block("192.0.2.0/24", "192.0.2.0/25")
    table = table_of(guarded(rule([narrow, block("192.0.2.0/28")])))
    (of,) = (s for s in table.sets if s.name.startswith("b4/"))
    assert of.elements == (
        ((v4("192.0.2.0"), v4("192.0.2.15")),),
        ((v4("192.0.2.128"), v4("192.0.2.255")),),
    )


def test_block_of_every_address_is_its_family() -> None:
    assert allows(rule([block("0.0.0.0/0")])) == ["meta nfproto ipv4"]


def test_block_wholly_excepted_makes_no_rule() -> None:
    assert allows(rule([block("192.0.2.0/24", "192.0.2.0/24")])) == []


def test_both_families_have_sets_of_their_own() -> None:
    world = placed(
        cluster(
            pod("web", "app=web", "10.0.0.1", "fd00::1"),
            pod("client", "app=client", "10.0.0.2", "fd00::2"),
            ingress("in", "app=web", rule([peer("app=client")])),
        )
    )
    table = table_of(world)
    assert set_names(table) == [
        "nd",
        "self4",
        "self6",
        "p4/default/app_is_client",
        "p6/default/app_is_client",
    ]
    assert elements(table, "p6/default/app_is_client") == {
        (v4("fd00::2"),),
    }


def test_pod_reaches_itself_across_all_its_own_addresses() -> None:
    one, other = v4("10.0.0.1"), v4("10.0.0.9")
    world = placed(cluster(pod("web", "", "10.0.0.1", "10.0.0.9"), ANYONE))
    assert elements(table_of(world), "self4") == {
        (one, one),
        (one, other),
        (other, one),
        (other, other),
    }


def test_host_network_pods_are_in_no_set_and_no_map() -> None:
    world = guarded(rule([peer("app=client")]))
    host = replace(world.pods[key("client")], host_network=True)
    table = table_of(replace(world, pods={**world.pods, host.key: host}))
    assert elements(table, "p4/default/app_is_client") == set()


def test_reused_address_belongs_to_the_live_pod() -> None:
    gone = pod("gone", "app=client", "10.0.0.1", node=NODE, phase="Succeeded")
    world = guarded(rule([peer("app=client")]))
    table = table_of(replace(world, pods={**world.pods, gone.key: gone}))
    assert elements(table, "p4/default/app_is_client") == {
        (v4("10.0.0.2"),),
    }
    assert v4("10.0.0.1") in the_map(table, "in4").elements


def test_address_of_two_differently_isolated_pods_is_cut_off_and_told() -> None:
    twin = pod("twin", "", "10.0.0.1", node=NODE)
    world = guarded(rule([peer("app=client")]))
    table, omissions = lowered(replace(world, pods={**world.pods, twin.key: twin}))
    assert the_map(table, "in4").elements == {v4("10.0.0.1"): "in/contested"}
    assert lines(table, "in/contested")[-1] == "drop"
    assert table.index["in/contested"] == ContestedId(Direction.INGRESS)
    assert [omission.subject for omission in omissions] == ["address 10.0.0.1"]


def test_address_of_two_pods_is_a_peer_only_if_both_are() -> None:
    twin = pod("twin", "", "10.0.0.2", node=NODE)
    world = guarded(rule([peer("app=client")]))
    table = table_of(replace(world, pods={**world.pods, twin.key: twin}))
    assert elements(table, "p4/default/app_is_client") == set()


def test_address_of_a_pod_and_a_node_is_no_peer() -> None:
    world = guarded(rule([peer("app=client")]))
    nodes = {NODE: Node(NODE, {}, (ip_address("10.0.0.2"),))}
    table = table_of(replace(world, nodes=nodes))
    assert elements(table, "p4/default/app_is_client") == set()


def test_missing_facts_are_told() -> None:
    world = cluster(
        pod("web", "app=web", node=NODE, ports=None),
        pod("lost", "app=web", "10.0.0.7"),
        pod("far/x", "app=client", "10.0.0.8"),
        Namespace("far", {}, declared=False),
        ingress("in", "app=web", rule([peer("app=client", "env=prod")], [tcp("http")])),
    )
    told = {(omission.subject, omission.reason) for omission in lowered(world)[1]}
    assert told == {
        ("pod default/web", "no address is known, so it is in no map and set"),
        (
            "pod default/web",
            "no container ports are known, so no name resolves there",
        ),
        ("pod default/lost", "no node is named, so no node isolates it"),
        (
            "pod far/x",
            (
                "the labels of namespace far are not declared, "
                "so it is no peer of env=prod"
            ),
        ),
    }


def test_pods_come_and_go_without_touching_a_rule() -> None:
    small = guarded(rule([peer("app=client")], [tcp("http")]))
    more = pod("more", "app=client", "10.0.0.3", node=NODE)
    large = replace(small, pods={**small.pods, more.key: more})
    assert table_of(small).chains == table_of(large).chains
    assert set_names(table_of(small)) == set_names(table_of(large))


def test_unrelated_policy_renames_nothing() -> None:
    small = guarded(rule([peer("app=client")], [tcp("http")]))
    extra = egress("out", "app=client", rule([block("192.0.2.0/24")]))
    large = replace(small, policies={extra.key: extra, **small.policies})
    before, after = table_of(small), table_of(large)
    assert before.index.items() <= after.index.items()
    assert chain(before, "in/default/in") == chain(after, "in/default/in")


def test_order_of_policies_changes_no_byte() -> None:
    world = guarded(rule([peer("app=client")]))
    extra = ingress("b", "app=web", rule([block("192.0.2.0/24")]))
    one = replace(world, policies={extra.key: extra, **world.policies})
    other = replace(world, policies={**world.policies, extra.key: extra})
    assert render(table_of(one)) == render(table_of(other))


def test_log_prefix_leads_back_to_the_policies() -> None:
    table = table_of(guarded())
    assert table.index["rf:D:in:default/in"] == PolicySetId(
        Direction.INGRESS, (ObjectKey("default", "in"),)
    )
