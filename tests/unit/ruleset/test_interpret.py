from ipaddress import ip_address

import pytest
from tables import placed, table_of

from ringfence.model.flow import Protocol
from ringfence.model.netpol import PolicyPort
from ringfence.ruleset.ir import Final, State
from ringfence.ruleset.simulation.interpret import Machine, Packet
from worlds import block, cluster, ingress, peer, pod, rule, tcp

WEB = "10.0.0.1"


@pytest.fixture
def machine() -> Machine:
    world = cluster(
        pod("web", "app=web", WEB, "fd00::1"),
        pod("client", "app=client", "10.0.0.2", "fd00::2"),
        ingress("in", "app=web", rule([peer("app=client")], [tcp(80), tcp(90, 95)])),
        ingress("outside", "app=web", rule([block("192.0.2.0/24", "192.0.2.9/32")])),
        ingress("six", "app=web", rule([block("::/0")], [PolicyPort(Protocol.SCTP)])),
    )
    return Machine(table_of(placed(world)))


def packet(
    source: str, port: int | None = 80, protocol: Protocol = Protocol.TCP
) -> Packet:
    web = "fd00::1" if ":" in source else WEB
    return Packet(ip_address(source), ip_address(web), protocol, port)


@pytest.mark.parametrize(
    ("source", "port", "verdict"),
    [
        ("10.0.0.2", 80, Final.ACCEPT),
        ("fd00::2", 80, Final.ACCEPT),
        ("10.0.0.2", 89, Final.DROP),
        ("10.0.0.2", 90, Final.ACCEPT),
        ("10.0.0.2", 95, Final.ACCEPT),
        ("10.0.0.2", 96, Final.DROP),
        ("10.0.0.3", 80, Final.DROP),
        ("192.0.2.8", 1, Final.ACCEPT),
        ("192.0.2.9", 1, Final.DROP),
        ("10.0.0.1", 1, Final.ACCEPT),
    ],
)
def test_first_packet_meets_the_rules(
    machine: Machine, source: str, port: int, verdict: Final
) -> None:
    assert machine.walk(packet(source, port)).verdict is verdict


def test_protocol_without_ports_passes_only_rules_without_ports(
    machine: Machine,
) -> None:
    ping = packet("192.0.2.8", None, Protocol.ICMP)
    assert machine.walk(ping).verdict is Final.ACCEPT
    ping = packet("10.0.0.2", None, Protocol.ICMP)
    assert machine.walk(ping).verdict is Final.DROP


def test_whole_protocol_of_a_whole_family_passes(machine: Machine) -> None:
    assert machine.walk(packet("2001:db8::1", 9, Protocol.SCTP)).verdict is Final.ACCEPT
    assert machine.walk(packet("2001:db8::1", 9, Protocol.UDP)).verdict is Final.DROP
    assert machine.walk(packet("10.0.0.2", 9, Protocol.SCTP)).verdict is Final.DROP


def test_reply_passes_whatever_the_rules(machine: Machine) -> None:
    answer = Packet(
        ip_address("10.0.0.3"),
        ip_address(WEB),
        Protocol.TCP,
        40000,
        State.ESTABLISHED,
        opening=False,
    )
    assert machine.walk(answer).verdict is Final.ACCEPT


def test_packet_in_the_middle_of_a_cut_flow_is_reset(machine: Machine) -> None:
    stray = Packet(
        ip_address("10.0.0.3"), ip_address(WEB), Protocol.TCP, 80, opening=False
    )
    assert machine.walk(stray).verdict is Final.RESET


def test_neighbour_solicitation_passes_and_ping_does_not(machine: Machine) -> None:
    def icmp(kind: int) -> Packet:
        ends = (ip_address("fd00::3"), ip_address("fd00::1"))
        return Packet(*ends, Protocol.ICMP, icmpv6_type=kind)

    assert machine.walk(icmp(135)).verdict is Final.ACCEPT
    assert machine.walk(icmp(128)).verdict is Final.DROP


def test_trace_names_the_chains_and_the_rules(machine: Machine) -> None:
    walk = machine.walk(packet("10.0.0.2"))
    assert [step.chain for step in walk.steps] == [
        "ingress",
        "in/default/in_plus_outside_plus_six",
    ]
    assert walk.steps[-1].rule.comment == "ingress[0]"


def test_traffic_of_pods_that_no_policy_isolates_meets_no_rule(
    machine: Machine,
) -> None:
    away = Packet(ip_address(WEB), ip_address("10.0.0.2"), Protocol.TCP, 1)
    assert machine.walk(away).steps == ()
    assert machine.walk(away).verdict is Final.ACCEPT
