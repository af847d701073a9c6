"""Pods on a bridge, and pods that come and go, are reached and filtered alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from ringfence.lab.plan import Cni, Fate, Probe
from ringfence.lab.session import Lab
from ringfence.lab.topology import Topology, plan_topology
from ringfence.model.flow import Protocol
from ringfence.model.workload import Pod
from worlds import cluster, pod

pytestmark = pytest.mark.kernel

SERVICES = ((Protocol.TCP, 80), (Protocol.UDP, 80), (Protocol.ICMP, None))
A = pod("a", "", "10.0.1.1", "fd00:1::1", node="n1")
B = pod("b", "", "10.0.1.2", "fd00:1::2", node="n1")
C = pod("c", "", "10.0.2.1", "fd00:2::1", node="n2")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


def topology(cni: Cni, *pods: Pod) -> Topology:
    return plan_topology(cluster(*pods), nodes=2, cni=cni)


def started(lab: Lab, cni: Cni, *pods: Pod) -> None:
    lab.build(topology(cni, *pods).plan)
    lab.load({"n1": "", "n2": ""})


def probes(source: Pod, destination: Pod) -> list[Probe]:
    pairs = product(source.addresses, destination.addresses)
    return [
        Probe(one, other, *service)
        for one, other in pairs
        for service in SERVICES
        if one.version == other.version
    ]


def dropping(*rules: str) -> str:
    hook = "type filter hook forward priority filter; policy accept;"
    return f"table inet t {{\nchain c {{\n{hook}\n{chr(10).join(rules)}\n}}\n}}"


def test_pods_on_bridges_reach_each_other_by_every_protocol(lab: Lab) -> None:
    started(lab, Cni.BRIDGE, A, B, C)
    pairs = [(one, other) for one in (A, B, C) for other in (A, B, C) if one != other]
    asked = [probe for pair in pairs for probe in probes(*pair)]
    assert set(lab.probe(asked)) == {Fate.CONNECTED}


def test_rules_of_a_node_see_what_its_bridge_passes(lab: Lab) -> None:
    started(lab, Cni.BRIDGE, A, B, C)
    lab.load({"n1": dropping("ip daddr 10.0.1.2 drop", "ip6 daddr fd00:1::2 drop")})
    assert set(lab.probe(probes(A, B))) == {Fate.DROPPED}
    assert set(lab.probe(probes(C, A))) == {Fate.CONNECTED}


@pytest.mark.parametrize("cni", Cni)
def test_a_pod_that_goes_and_comes_back_elsewhere_is_found_there(
    lab: Lab, cni: Cni
) -> None:
    started(lab, cni, A, B, C)
    assert set(lab.probe(probes(A, C))) == {Fate.CONNECTED}
    lab.build(topology(cni, A, B).plan)
    moved = pod("d", "", "10.0.2.1", "fd00:2::1", node="n1")
    lab.build(topology(cni, A, moved).plan)
    assert set(lab.probe(probes(A, moved))) == {Fate.CONNECTED}
    assert set(lab.probe(probes(moved, A))) == {Fate.CONNECTED}


def test_nodes_keep_their_rules_when_only_pods_change(lab: Lab) -> None:
    started(lab, Cni.ROUTED, A, B, C)
    nodes = topology(Cni.ROUTED, A, B, C).cluster.nodes.values()
    lab.load({"n1": dropping("ip daddr 10.0.1.2 drop", "ip6 daddr fd00:1::2 drop")})
    lab.build(plan_topology(cluster(A, C, *nodes)).plan)
    lab.build(plan_topology(cluster(A, B, C, *nodes)).plan)
    assert set(lab.probe(probes(A, B))) == {Fate.DROPPED}
    assert set(lab.probe(probes(A, C))) == {Fate.CONNECTED}
