"""The generated ruleset, walked rule by rule, answers what the engine answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count, islice, product
from random import Random

import pytest
from hypothesis import given

from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.cluster import Cluster
from ringfence.model.flow import PORT_PROTOCOLS, End, Flow, Protocol
from ringfence.model.verdict import Outcome
from ringfence.model.workload import Node
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.simulation.journey import Journey, Wire
from strategies import NUMBERS, World, make_world, randoms, seeded

EDGES = sorted({port + step for port in NUMBERS for step in (-1, 0, 1)} - {65536})
SERVICES = (
    *product(PORT_PROTOCOLS, EDGES),
    *product((Protocol.ICMP, Protocol.OTHER), (None,)),
)


def answers(
    cluster: Cluster, flows: Iterable[Flow]
) -> Iterator[tuple[Flow, Outcome, Journey]]:
    compiled = compile_cluster(cluster)
    tables = {node: lower(compiled, node).table for node in cluster.nodes}
    wire = Wire(tables, cluster)
    for flow in flows:
        yield flow, evaluate(compiled, flow).outcome, wire.carry(flow)


def every_flow(world: World) -> Iterator[Flow]:
    for (one, other), service in product(_pairs(world), SERVICES):
        yield Flow(one, other, *service)


def some_flows(world: World, random: Random) -> Iterator[Flow]:
    """Yield a few flows a pair, of other services each time."""
    turns = count(random.randrange(len(SERVICES)))
    for one, other in _pairs(world):
        for turn in islice(turns, 4):
            yield Flow(one, other, *SERVICES[turn * 7 % len(SERVICES)])


def _pairs(world: World) -> Iterator[tuple[End, End]]:
    ends = dict.fromkeys(world.ends)
    return product(ends, ends)


def on_one_node(world: World) -> World:
    """Return the world with every pod on one node: tables need to know where."""
    cluster = world.cluster
    pods = {key: replace(pod, node="n1") for key, pod in cluster.pods.items()}
    nodes = {"n1": Node("n1", {}), **cluster.nodes}
    return World(replace(cluster, pods=pods, nodes=nodes), world.ends)


def check_agreement(cluster: Cluster, flows: Iterable[Flow]) -> None:
    for flow, predicted, journey in answers(cluster, flows):
        assert journey.outcome is predicted, "\n".join((str(flow), *journey.story()))


@given(randoms())
def test_interpreter_agrees_with_engine(random: Random) -> None:
    world = make_world(random, decided=True)
    check_agreement(world.cluster, some_flows(world, random))


@given(randoms())
def test_ruleset_never_passes_what_the_engine_denies(random: Random) -> None:
    world = on_one_node(make_world(random))
    for flow, predicted, journey in answers(world.cluster, some_flows(world, random)):
        if predicted is Outcome.DENY:
            assert journey.outcome is not Outcome.ALLOW, "\n".join(
                (str(flow), *journey.story())
            )


@pytest.mark.property
@pytest.mark.parametrize("part", range(4))
def test_interpreter_agrees_with_engine_on_every_port_edge(part: int) -> None:
    for seed in range(part, 160, 4):
        world = make_world(seeded(seed), decided=True)
        check_agreement(world.cluster, every_flow(world))
