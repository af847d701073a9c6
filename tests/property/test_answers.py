"""A question about many ends says what each of its flows says."""

from __future__ import annotations

from itertools import product

import pytest

import strategies
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.flow import End, Flow, PodEnd, Protocol
from ringfence.model.verdict import Outcome
from ringfence.questions.answer import answer
from ringfence.questions.resolve import Question


@pytest.mark.parametrize("seed", range(60))
def test_a_question_about_many_counts_what_each_flow_says(seed: int) -> None:
    world = strategies.make_world(strategies.seeded(seed))
    compiled = compile_cluster(world.cluster)
    live = [p.key for p in world.cluster.pods.values() if not p.finished]
    every: dict[End, None] = dict.fromkeys((*map(PodEnd, live), *world.ends))
    pairs = product(every, every)
    flows = tuple(Flow(one, other, Protocol.TCP, 80) for one, other in pairs)
    single = [evaluate(compiled, flow).outcome for flow in flows]
    found = answer(compiled, Question(flows))
    assert (found.allowed, found.of) == (single.count(Outcome.ALLOW), len(flows))
    assert found.flow == flows[single.index(found.outcome)]
