"""Real packets between real network namespaces meet what their rules say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import product

import pytest

from ringfence.errors import KernelError
from ringfence.lab.plan import Fate, Probe
from ringfence.lab.session import Lab
from ringfence.lab.topology import Topology, plan_topology
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    InternetEnd,
    IPAddress,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.workload import Node
from worlds import cluster, key, pod

pytestmark = pytest.mark.kernel

PORTS = ((Protocol.TCP, 80), (Protocol.UDP, 80), (Protocol.SCTP, 80))
EVERYTHING = (*PORTS, (Protocol.ICMP, None))
STRANGER = ip_address("198.51.100.7")


def dual_stack() -> Cluster:
    """Three pods on two nodes, one of them hostNetwork."""
    return cluster(
        pod("a", "", "10.0.0.1", "fd00::1", node="n1"),
        pod("b", "", "10.0.0.2", "fd00::2", node="n1"),
        pod("c", "", "10.0.0.3", "fd00::3", node="n2"),
        pod("host", "", host_network=True, node="n2"),
        Node("n1", {}, (ip_address("172.18.0.1"), ip_address("fd01::1"))),
        Node("n2", {}, (ip_address("172.18.0.2"), ip_address("fd01::2"))),
    )


TOPOLOGY = plan_topology(dual_stack(), outside=[STRANGER])
A, B, C, HOST = (PodEnd(key(name)) for name in ("a", "b", "c", "host"))
PODS = (A, B, C)
ENDS: tuple[End, ...] = (*PODS, HOST, NodeEnd("n1"), AddressEnd(STRANGER))


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture
def lab(running: Lab) -> Lab:
    """Return the lab of the dual stack cluster, open for everything."""
    running.build(TOPOLOGY.plan)
    running.load({"n1": "", "n2": ""})
    return running


def probes(
    source: End,
    destination: End,
    services: Iterable[tuple[Protocol, int | None]] = EVERYTHING,
) -> list[Probe]:
    pairs = product(TOPOLOGY.locate(source)[1], TOPOLOGY.locate(destination)[1])
    return [
        Probe(one, other, *service)
        for one, other in pairs
        for service in services
        if one.version == other.version
    ]


def forward(*rules: str) -> str:
    hook = "type filter hook forward priority filter; policy accept"
    replies = "ct state established,related accept"
    body = "\n".join((f"{hook};", replies, *rules))
    return f"table inet t {{\nchain forward {{\n{body}\n}}\n}}"


@pytest.mark.parametrize(
    ("source", "destination"), [(a, b) for a in ENDS for b in ENDS if a != b]
)
def test_every_end_reaches_every_other_by_every_protocol(
    lab: Lab, source: End, destination: End
) -> None:
    assert set(lab.probe(probes(source, destination))) == {Fate.CONNECTED}


def test_the_internet_reaches_pods_and_pods_reach_it(lab: Lab) -> None:
    there, back = probes(A, InternetEnd()), probes(InternetEnd(), C)
    assert {probe.source.version for probe in there} == {4, 6}
    assert set(lab.probe([*there, *back])) == {Fate.CONNECTED}


def test_a_pod_reaches_itself(lab: Lab) -> None:
    assert set(lab.probe(probes(A, A))) == {Fate.CONNECTED}


def test_what_a_table_drops_is_seen_as_dropped_and_nothing_else(lab: Lab) -> None:
    lab.load({"n1": forward("ip daddr 10.0.0.2 drop", "ip6 daddr fd00::2 drop")})
    assert set(lab.probe(probes(A, B))) == {Fate.DROPPED}
    assert set(lab.probe(probes(B, A))) == {Fate.CONNECTED}


@pytest.mark.parametrize("service", PORTS)
def test_one_port_and_protocol_is_dropped_alone(
    lab: Lab, service: tuple[Protocol, int]
) -> None:
    protocol, port = service
    lab.load({"n1": forward(f"{protocol.value.lower()} dport {port} drop")})
    asked = probes(A, B, [*EVERYTHING, (protocol, port + 1)])
    dropped = [
        probe
        for probe, fate in zip(asked, lab.probe(asked), strict=True)
        if fate is Fate.DROPPED
    ]
    assert dropped == [p for p in asked if (p.protocol, p.port) == service]


def test_a_rule_of_the_far_node_filters_too(lab: Lab) -> None:
    lab.load({"n2": forward("ip saddr 10.0.0.1 drop", "ip6 saddr fd00::1 drop")})
    assert set(lab.probe(probes(A, C))) == {Fate.DROPPED}
    assert set(lab.probe(probes(B, C))) == {Fate.CONNECTED}


def test_the_source_address_of_outside_hosts_is_visible(lab: Lab) -> None:
    lab.load({"n1": forward(f"ip saddr {STRANGER} drop")})
    assert set(lab.probe(probes(AddressEnd(STRANGER), A))) == {Fate.DROPPED}
    assert set(lab.probe(probes(InternetEnd(), A))) == {Fate.CONNECTED}


def test_a_reset_is_refused_and_not_dropped(lab: Lab) -> None:
    lab.load({"n1": forward("tcp dport 80 reject with tcp reset")})
    assert set(lab.probe(probes(A, B, [(Protocol.TCP, 80)]))) == {Fate.REFUSED}


def test_a_rejected_datagram_is_refused(lab: Lab) -> None:
    lab.load({"n1": forward("udp dport 80 reject")})
    assert set(lab.probe(probes(A, B, [(Protocol.UDP, 80)]))) == {Fate.REFUSED}


def test_a_flow_is_new_in_every_batch(lab: Lab) -> None:
    asked = probes(A, B)
    assert set(lab.probe(asked)) == {Fate.CONNECTED}
    lab.load({"n1": forward("drop")})
    assert set(lab.probe(asked)) == {Fate.DROPPED}
    lab.load({"n1": ""})
    assert set(lab.probe(asked)) == {Fate.CONNECTED}


def test_both_directions_at_once_do_not_answer_for_each_other(lab: Lab) -> None:
    lab.load({"n1": forward("ip daddr 10.0.0.2 drop")})
    high = [(Protocol.UDP, port) for port in (20000, 40000, 60000)]
    one, other = ip_address("10.0.0.1"), ip_address("10.0.0.2")
    there = [Probe(one, other, *service) for service in high]
    back = [Probe(other, one, *service) for service in high]
    fates = lab.probe([*there, *back])
    assert fates == [Fate.DROPPED] * 3 + [Fate.CONNECTED] * 3


def test_a_refused_ruleset_names_its_line_and_the_old_one_stays(lab: Lab) -> None:
    lab.load({"n1": forward("drop")})
    with pytest.raises(KernelError, match=r"of node n1: line 2: .*`nonsense`"):
        lab.load({"n1": "table inet t {\nnonsense\n}"})
    assert set(lab.probe(probes(A, B))) == {Fate.DROPPED}


def test_one_lab_becomes_another(lab: Lab) -> None:
    topology = plan_topology(cluster(pod("x", "", "10.9.0.1"), pod("y")), nodes=2)
    lab.build(topology.plan)
    one, other = addresses(topology, "x"), addresses(topology, "y")
    assert lab.probe([Probe(one, other, Protocol.TCP, 80)]) == [Fate.CONNECTED]


def addresses(topology: Topology, name: str) -> IPAddress:
    return topology.locate(PodEnd(key(name)))[1][0]


def test_thousands_of_probes_are_sorted_without_a_mistake(lab: Lab) -> None:
    lab.load({"n1": forward("th dport 1000-1399 drop")})
    services = [(p, port) for p, _ in PORTS for port in range(1000, 1800)]
    asked = [
        Probe(ip_address("10.0.0.1"), ip_address("10.0.0.2"), *s) for s in services
    ]
    wanted = [Fate.DROPPED if s[1] < 1400 else Fate.CONNECTED for s in services]
    assert lab.probe(asked) == wanted


def test_probes_that_have_no_time_are_an_error_and_no_silence(lab: Lab) -> None:
    asked = probes(A, B) * 20
    with pytest.raises(KernelError, match="in time"):
        lab.probe(asked, deadline_s=0.0)
    assert set(lab.probe(asked)) == {Fate.CONNECTED}
