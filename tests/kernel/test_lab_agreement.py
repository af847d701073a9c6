"""Prediction, ruleset and packets agree on random clusters, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, product

import pytest

from ringfence.lab.crosscheck import Crosscheck
from ringfence.lab.plan import OUTSIDE, Fate
from ringfence.lab.session import Lab
from ringfence.lab.topology import Topology, plan_topology
from ringfence.model.flow import (
    PORT_PROTOCOLS,
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.verdict import Outcome
from strategies import NUMBERS, make_world, seeded
from worlds import block, cluster, flow, ingress, pod, rule, tcp

pytestmark = pytest.mark.kernel

EDGES = sorted({port + step for port in NUMBERS for step in (-1, 0, 1)} - {0, 65536})
SERVICES = (*product(PORT_PROTOCOLS, EDGES), (Protocol.ICMP, None))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    running = Lab()
    yield running
    running.close()


def random_topology(seed: int) -> Topology:
    world = make_world(seeded(seed))
    outside = [end.address for end in world.ends if isinstance(end, AddressEnd)]
    return plan_topology(world.cluster, outside=outside, nodes=1 + seed % 2)


def ends(topology: Topology) -> Iterator[End]:
    """Yield every end of a lab: by name, and each address of those with several."""
    for key, live in topology.cluster.pods.items():
        if not live.finished:
            yield PodEnd(key)
            for address in live.addresses[1:]:
                yield PodEnd(key, address)
    yield from map(NodeEnd, topology.cluster.nodes)
    for address in topology.plan.sites[OUTSIDE]:
        if address not in topology.internet:
            yield AddressEnd(address)
    yield InternetEnd()


def flows(topology: Topology, a_pair: int) -> Iterator[Flow]:
    """Yield a few flows for each pair of ends, of other services each time."""
    turns = count()
    for source, destination in product(tuple(ends(topology)), repeat=2):
        for turn in islice(turns, a_pair):
            service = SERVICES[turn * 7 % len(SERVICES)]
            yield Flow(source, destination, *service)


def check_agreement(lab: Lab, topology: Topology, a_pair: int) -> None:
    crosscheck = Crosscheck(lab, topology)
    for check in crosscheck.check(list(flows(topology, a_pair))):
        assert check.agree, "\n".join(crosscheck.stories(check))


@pytest.mark.parametrize("seed", range(25))
def test_three_answers_agree_in_a_random_cluster(lab: Lab, seed: int) -> None:
    check_agreement(lab, random_topology(seed), 2)


@pytest.mark.property
@pytest.mark.parametrize("part", range(10))
def test_three_answers_agree_in_many_random_clusters(lab: Lab, part: int) -> None:
    for seed in range(1000 + part, 1100, 10):
        check_agreement(lab, random_topology(seed), 8)


def test_a_disagreement_is_told_three_times(lab: Lab) -> None:
    policy = ingress("p", "", rule([block("192.0.2.0/24")], [tcp(80)]))
    crosscheck = Crosscheck(
        lab, plan_topology(cluster(pod("a", "", "10.0.0.1"), pod("b"), policy))
    )
    lab.load({"node-1": ""})
    (check,) = crosscheck.check([flow("b", "a")])
    assert not check.agree
    assert (check.predicted, check.packet) == (Outcome.DENY, Fate.CONNECTED)
    story = list(crosscheck.stories(check))
    assert story[0] == "predicted: DENY  default/b -> default/a:80/TCP"
    assert "interpreted:" in story
    assert story[-1] == "  10.244.0.1 -> 10.0.0.1 :80/TCP: connected"
