"""Which flows a run tries, and which questions it refuses."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from ringfence.errors import InputError
from ringfence.lab.plan import OUTSIDE
from ringfence.lab.scope import Asked, batch, every_pair
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Protocol
from ringfence.model.workload import ContainerPort
from ringfence.questions.batch import parse_batch
from worlds import block, cluster, egress, ingress, pod, rule, tcp

WEB = pod("web", "", ports=[ContainerPort(80), ContainerPort(53, Protocol.UDP)])
DB = pod("db")


def ask(of: Cluster, *lines: str) -> list[Asked]:
    return batch(of, parse_batch(lines, "b.jsonl", "default"), 1)[1]


def line(source: str, destination: str, port: str = "80", protocol: str = "TCP") -> str:
    return (
        f'{{"from": "{source}", "to": "{destination}", '
        f'"port": {port}, "protocol": "{protocol}"}}'
    )


def test_every_pair_is_tried_on_each_declared_port_and_one_undeclared() -> None:
    _, asked = every_pair(cluster(WEB, DB), 1)
    tried = {(a.source, a.destination, a.protocol.value, a.port) for a in asked}
    assert {t for t in tried if t[:2] == ("default/db", "default/web")} == {
        ("default/db", "default/web", "TCP", 80),
        ("default/db", "default/web", "TCP", 9999),
        ("default/db", "default/web", "UDP", 53),
    }
    ends = {t[0] for t in tried}
    assert ends == {"default/db", "default/web", "internet"}
    assert not any(t[0] == t[1] for t in tried)


def test_the_undeclared_port_is_one_that_no_policy_names() -> None:
    policy = ingress("p", "", rule(ports=[tcp(9000, 9999)]))
    _, asked = every_pair(cluster(DB, WEB, policy), 1)
    assert {a.port for a in asked if a.destination == "default/db"} == {8999}


def test_each_part_of_the_outside_has_a_host() -> None:
    policy = ingress("p", "", rule([block("192.0.2.0/24", "192.0.2.128/25")]))
    topology, asked = every_pair(cluster(DB, policy), 1)
    samples = [ip_address("192.0.2.1"), ip_address("192.0.2.129")]
    assert list(topology.plan.sites[OUTSIDE][:2]) == samples
    sources = {a.source for a in asked if a.destination == "default/db"}
    assert sources == {"192.0.2.1", "192.0.2.129", "internet"}


def test_outside_hosts_are_tried_on_the_ports_that_egress_names() -> None:
    policy = egress("p", "", rule(ports=[tcp(443), tcp(8000, 8010)]))
    _, asked = every_pair(cluster(DB, policy), 1)
    ports = {a.port for a in asked if a.destination == "internet"}
    assert ports == {443, 8000, 8010, 9999}


def test_a_batch_has_the_addresses_that_it_names() -> None:
    found = parse_batch([line("192.0.2.9", "db")], "b", "default")
    topology, (asked,) = batch(cluster(DB), found, 1)
    assert topology.plan.sites[OUTSIDE][0] == ip_address("192.0.2.9")
    assert len(asked.flows) == 1


def test_a_question_about_every_port_is_tried_where_policies_differ() -> None:
    policy = ingress("p", "", rule(ports=[tcp(80, 90)]))
    (asked,) = ask(cluster(DB, WEB, policy), line("db", "web", "null"))
    assert [flow.port for flow in asked.flows] == [1, 80, 91]


def test_a_group_stands_for_its_pairs() -> None:
    (asked,) = ask(cluster(DB, WEB, pod("other")), line("ns:default", "web"))
    assert len(asked.flows) == 2


def test_an_address_that_nobody_can_have_is_left_out_of_a_cidr() -> None:
    (asked,) = ask(cluster(pod("db", "", "10.0.0.1")), line("0.0.0.0/0", "db"))
    assert asked.flows


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        (line("db", "nobody"), "b.jsonl:1: no pod nobody in default"),
        (line("db", "web", "0"), "nobody can listen on port 0"),
        (line("db", "web", "null", "OTHER"), "a lab tries TCP, UDP, SCTP and ICMP"),
        (line("db", "app=none"), "the destination stands for no pod"),
        (line("app=none", "db"), "stands for no pod"),
    ],
)
def test_a_question_that_cannot_be_tried_is_a_problem(
    question: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        ask(cluster(DB, WEB), question)


def test_the_internet_is_refused_where_there_is_none() -> None:
    policy = ingress("p", "", rule([block("0.0.0.0/1"), block("128.0.0.0/1")]))
    with pytest.raises(InputError, match="nothing is the internet"):
        ask(cluster(DB, policy), line("internet", "db"))
