"""The engine against the naive reading of the API text, on random worlds."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
import strategies
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.flow import PORT_PROTOCOLS
from ringfence.model.verdict import Outcome

FLOWS_A_WORLD = 30
SHORT_RUN = range(500)
LONG_RUN = range(500, 12_000)


def disagreements(random: Random, *, decided: bool = False) -> list[str]:
    """Say on which flows of one random world the engine and the oracle differ."""
    world = strategies.make_world(random, decided=decided)
    compiled = compile_cluster(world.cluster)
    flows = [strategies.make_flow(random, world) for _ in range(FLOWS_A_WORLD)]
    answers = [
        (flow, evaluate(compiled, flow).outcome, oracle.verdict(world.cluster, flow))
        for flow in flows
    ]
    return [
        f"{flow}: engine {mine}, oracle {its}"
        for flow, mine, its in answers
        if mine is not its
    ]


@given(strategies.randoms(), st.booleans())
def test_engine_answers_what_the_api_text_says(random: Random, decided: bool) -> None:
    assert disagreements(random, decided=decided) == []


def test_engine_and_oracle_agree_on_fixed_worlds() -> None:
    for seed in SHORT_RUN:
        random, decided = strategies.seeded(seed), seed % 3 == 0
        assert disagreements(random, decided=decided) == [], seed


@given(strategies.randoms())
def test_nothing_is_undecided_where_every_fact_is_known(random: Random) -> None:
    world = strategies.make_world(random, decided=True)
    compiled = compile_cluster(world.cluster)
    flow = strategies.make_flow(random, world)
    assert evaluate(compiled, flow).outcome is not Outcome.UNDECIDED


@pytest.mark.property
@pytest.mark.parametrize("part", range(4))
def test_engine_and_oracle_agree_on_thousands_of_fixed_worlds(part: int) -> None:
    for seed in LONG_RUN[part::4]:
        random, decided = strategies.seeded(seed), seed % 3 == 0
        assert disagreements(random, decided=decided) == [], seed


@pytest.mark.property
@pytest.mark.parametrize("seed", range(6))
def test_between_the_numbers_that_manifests_mention_no_answer_changes(
    seed: int,
) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    flow = replace(
        strategies.make_flow(random, world),
        protocol=random.choice(PORT_PROTOCOLS),
        port=None,
    )
    each = (oracle.at_port(world.cluster, flow, port) for port in range(65536))
    assert oracle.verdict(world.cluster, flow) is oracle.OUTCOMES[min(each)]


def test_oracle_shares_no_code_with_the_engine() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith("ringfence")}
    assert all(name.startswith("ringfence.model.") for name in ours)
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
