"""Entry points: where they lead, and whom policies let follow."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from ringfence.analysis.entries import Entry, entries
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.entry import EntryPoint, Listener, Parent, Way
from ringfence.model.flow import Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.verdict import Outcome
from ringfence.model.workload import ContainerPort, Pod, Service, ServicePort
from worlds import block, cluster, egress, ingress, key, labels, peer, pod, rule, tcp

HTTP = ContainerPort(8080, name="http")
WEB = pod("web-0", "app=web", "10.0.0.1", ports=[HTTP])
GATEWAY = key("gw")
LISTENERS = (
    Listener("plain", "", 80, "HTTP"),
    Listener("tls", "*.example.com", 443, "HTTPS"),
    Listener("raw", "", 5432, "TCP"),
)
ANY_POD = rule([peer(None, "")], [tcp(8080)])


def service(name: str = "web", kind: str = "ClusterIP", **fields: object) -> Service:
    ports = (ServicePort(80, "http", name="http", node_port=30080),)
    given = {"selector": labels("app=web"), "ports": ports, **fields}
    return Service(key(name), kind, **given)  # type: ignore[arg-type]  # Service's fields


def point(kind: str, *ways: Way, gateway: str = "gw") -> EntryPoint:
    parents = () if kind == "Ingress" else (Parent(key(gateway)),)
    return EntryPoint(kind, key("in"), ways, parents)


def found(
    *things: Pod | Service | NetworkPolicy, points: tuple[EntryPoint, ...] = ()
) -> list[Entry]:
    world: Cluster = cluster(*things)
    gateway = EntryPoint("Gateway", GATEWAY, listeners=LISTENERS)
    named = any(one.parents for one in points)
    every = (*points, gateway) if named else points
    there = {(one.kind, one.key): one for one in every}
    return entries(compile_cluster(replace(world, entries=there)))


def one_way(*things: Pod | Service | NetworkPolicy, port: int | str = 80) -> Entry:
    way = Way("shop.example.com", "/", key("web"), port)
    (entry,) = found(*things, points=(point("Ingress", way),))
    return entry


def test_an_ingress_leads_to_the_pods_and_target_ports_of_its_service() -> None:
    entry = one_way(WEB, service())
    (landing,) = entry.landings
    assert (entry.door.host, entry.door.path) == ("shop.example.com", "/")
    assert landing.pods == (WEB.key,)
    assert (landing.protocol, landing.port) == (Protocol.TCP, 8080)
    assert entry.notes == ()


def test_a_port_of_a_service_may_be_called_by_name() -> None:
    assert one_way(WEB, service(), port="http").landings[0].port == 8080


def test_a_pod_that_nothing_isolates_lets_everyone_in() -> None:
    audience = one_way(WEB, service()).landings[0].audience
    assert audience.any_pod is Outcome.ALLOW
    assert audience.cidrs == (ip_network("0.0.0.0/0"),)


def test_policies_may_let_pods_in_and_keep_the_outside_out() -> None:
    policy = ingress("in", "app=web", ANY_POD)
    audience = one_way(WEB, service(), policy).landings[0].audience
    assert audience == (Outcome.ALLOW, Outcome.ALLOW, (), ())


def test_what_is_open_on_another_port_is_closed() -> None:
    policy = ingress("in", "app=web", rule([peer(None, "")], [tcp(80)]))
    audience = one_way(WEB, service(), policy).landings[0].audience
    assert audience == (Outcome.DENY, Outcome.DENY, (), ())


def test_a_policy_may_let_in_the_pods_of_the_namespace_alone() -> None:
    policy = ingress("in", "app=web", rule([peer("")], [tcp(8080)]))
    audience = one_way(WEB, service(), policy).landings[0].audience
    assert audience[:2] == (Outcome.DENY, Outcome.ALLOW)


def test_a_block_lets_its_addresses_in_and_leaves_pods_undecided() -> None:
    policy = ingress("in", "app=web", rule([block("203.0.113.0/24")]))
    audience = one_way(WEB, service(), policy).landings[0].audience
    assert audience.cidrs == (ip_network("203.0.113.0/24"),)
    assert audience.any_pod is Outcome.UNDECIDED


def test_one_pod_that_is_kept_out_means_that_not_any_pod_is_let_in() -> None:
    policies = (
        ingress("in", "app=web", rule([block("203.0.113.0/24")])),
        egress("e", ""),
    )
    audience = one_way(WEB, service(), *policies).landings[0].audience
    assert audience.any_pod is Outcome.DENY


def test_pods_behind_one_service_are_told_apart_by_who_is_let_in() -> None:
    other = pod("web-1", "app=web,old=1", "10.0.0.2", ports=[HTTP])
    twin = pod("web-2", "app=web", "10.0.0.3", ports=[HTTP])
    policy = ingress("in", "old=1")
    landings = one_way(WEB, other, twin, service(), policy).landings
    assert {one.pods: one.audience.any_pod for one in landings} == {
        (WEB.key, twin.key): Outcome.ALLOW,
        (other.key,): Outcome.DENY,
    }


def test_a_way_that_leads_nowhere_says_why() -> None:
    assert one_way(WEB).notes == ("there is no Service default/web",)
    assert one_way(service()).notes == ("Service default/web selects no pod",)
    (note,) = one_way(WEB, service(), port=81).notes
    assert note.startswith("Service default/web has no port 81/TCP")
    (note,) = one_way(WEB, service(selector=None)).notes
    assert note.startswith("Service default/web has no selector")
    (entry,) = found(points=(point("Ingress", Way("", "", None)),))
    assert entry.notes == ("its backend is no Service",)
    (entry,) = found(points=(point("Ingress"),))
    assert entry.notes == ("it names no backend",)


def test_services_for_the_outside_are_entry_points_themselves() -> None:
    balancer, node = service("lb", "LoadBalancer"), service("np", "NodePort")
    entry, other = found(WEB, service(), balancer, node)
    assert (entry.door.key, entry.door.ports) == (key("lb"), (80, 30080))
    assert (other.door.key, other.door.ports) == (key("np"), (30080,))
    assert entry.landings[0].port == 8080


def doors_of(kind: str, host: str, gateway: str = "gw") -> dict[str, tuple[int, ...]]:
    """Return the hosts and ports where a route to the web Service is offered."""
    way = Way(host, "", key("web"), 80)
    route = point(kind, way, gateway=gateway)
    return {
        one.door.host: one.door.ports
        for one in found(WEB, service(), points=(route,))
        if one.door.kind == kind
    }


def test_a_route_is_offered_where_listeners_share_its_host() -> None:
    assert doors_of("HTTPRoute", "a.example.com") == {"a.example.com": (80, 443)}
    assert doors_of("HTTPRoute", "example.com") == {"example.com": (80,)}
    assert doors_of("HTTPRoute", "") == {"": (80,), "*.example.com": (443,)}


def test_a_route_is_offered_where_listeners_take_its_protocol() -> None:
    assert doors_of("TCPRoute", "") == {"": (5432,)}


def test_a_route_of_udp_leads_to_a_port_of_udp() -> None:
    dns = service(ports=(ServicePort(53, 5353, Protocol.UDP), ServicePort(53, 53)))
    route = point("UDPRoute", Way("", "", key("web"), 53))
    landings = [one.landings for one in found(WEB, dns, points=(route,))]
    assert [(one.protocol, one.port) for (one,) in landings] == [(Protocol.UDP, 5353)]


def test_a_route_without_a_listener_says_so() -> None:
    way = Way("", "", key("web"), 80)
    route = point("UDPRoute", way)
    entry = found(WEB, service(), points=(route,))[0]
    assert entry.notes[0] == "no listener of Gateway default/gw takes it"
    route = point("HTTPRoute", way, gateway="other")
    notes = [one.notes for one in found(WEB, service(), points=(route,))]
    assert notes == [
        ("no route names this Gateway",),
        ("there is no Gateway default/other",),
    ]
    (entry,) = found(WEB, service(), points=(replace(route, parents=()),))
    assert entry.notes == ("it names no Gateway",)


def test_a_listener_may_be_asked_for_by_name_and_by_port() -> None:
    way = Way("", "", key("web"), 80)
    for parent in (Parent(GATEWAY, "plain"), Parent(GATEWAY, port=80)):
        route = replace(point("HTTPRoute", way), parents=(parent,))
        (entry,) = found(WEB, service(), points=(route,))
        assert entry.door.ports == (80,)


def test_a_pod_in_its_nodes_network_is_open_whatever_the_policies() -> None:
    host = replace(WEB, host_network=True, node="n1")
    policy = ingress("in", "app=web")
    assert one_way(host, service(), policy).landings[0].audience.cidrs


def test_entry_points_change_no_namespace() -> None:
    far = EntryPoint("Ingress", ObjectKey("far", "in"), (Way("", "", key("web"), 80),))
    (entry,) = found(WEB, service(), points=(far,))
    assert entry.door.key.namespace == "far"
