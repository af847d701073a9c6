"""Engine, ruleset and real packets agree on random worlds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

import strategies
from ringfence.lab.crosscheck import Crosscheck
from ringfence.lab.session import Lab
from ringfence.lab.topology import Topology, plan_topology
from ringfence.model.flow import (
    PORT_PROTOCOLS,
    AddressEnd,
    Flow,
    InternetEnd,
    PodEnd,
    Protocol,
)
from strategies import World

pytestmark = [pytest.mark.kernel, pytest.mark.property]

FLOWS_A_WORLD = 120
WORLDS = 100


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


def flows(random: Random, world: World, topology: Topology) -> Iterator[Flow]:
    """Yield flows that a lab can try: a policy may have a say, the port is not 0."""
    for _ in range(FLOWS_A_WORLD):
        flow = strategies.make_flow(random, world)
        ends = (flow.source, flow.destination)
        inside = any(isinstance(end, PodEnd) for end in ends)
        nowhere = not topology.internet and any(
            isinstance(end, InternetEnd) for end in ends
        )
        if not inside or nowhere:
            continue
        if flow.protocol is Protocol.OTHER:
            flow = replace(flow, protocol=random.choice(PORT_PROTOCOLS))
        if flow.protocol.has_ports and not flow.port:
            flow = replace(flow, port=random.choice(strategies.NUMBERS))
        yield flow


@pytest.mark.parametrize("seed", range(WORLDS))
def test_packets_do_what_the_engine_says_of_a_random_world(seed: int, lab: Lab) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random, decided=True)
    outside = [end.address for end in world.ends if isinstance(end, AddressEnd)]
    topology = plan_topology(world.cluster, outside=outside)
    crosscheck = Crosscheck(lab, topology)
    checks = crosscheck.check([*flows(random, world, topology)])
    wrong = [check for check in checks if not check.agree]
    assert not wrong, "\n".join(crosscheck.stories(wrong[0]))
