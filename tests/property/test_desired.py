"""The desired table that follows changes against one lowered from scratch."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import strategies
from choices import some_enforcement
from churn import random_events
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.following.state import State
from ringfence.ruleset.changes.applied import applied
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.changes.desired import Desired
from ringfence.ruleset.changes.transaction import Transaction
from ringfence.ruleset.enforcement import ENFORCE
from ringfence.ruleset.lowering.lower import lower

NODE = "n1"
STEPS = 40
SHORT_RUN = range(60)
LONG_RUN = range(100, 3_000)


class Node:
    """A state, the desired table that follows it, and the table a kernel would have."""

    def __init__(self, random: Random) -> None:
        self.state = State(strategies.make_world(random).cluster)
        self.enforcement = ENFORCE
        self.desired = Desired(self.state, NODE)
        self.kernel = applied(None, load(self.desired.table()))

    def happen(self, random: Random) -> None:
        if random.random() < 0.1:
            self.enforcement = some_enforcement(random)
            self.check(self.desired.enforce(self.enforcement))
        events = random_events(random, self.state.cluster)
        self.check(self.desired.follow(self.state.apply(events)))

    def check(self, transaction: Transaction) -> None:
        self.kernel = applied(self.kernel, transaction)
        right = lower(
            compile_cluster(self.state.cluster), NODE, enforcement=self.enforcement
        )
        table = self.desired.table()
        assert table == right.table
        assert replace(self.kernel, index=table.index) == table
        assert self.desired.omissions == right.omissions
        assert Desired(self.state, NODE, self.enforcement).table() == table


class Churn(RuleBasedStateMachine):
    """Any events at all, one batch a step."""

    node: Node

    @initialize(random=strategies.randoms())
    def begin(self, random: Random) -> None:
        self.node = Node(random)

    @rule(random=strategies.randoms())
    def something_happens(self, random: Random) -> None:
        self.node.happen(random)


TestChurn = Churn.TestCase
TestChurn.settings = settings(max_examples=25, stateful_step_count=10)


def follow(seed: int) -> None:
    random = strategies.seeded(seed)
    node = Node(random)
    for _ in range(STEPS):
        node.happen(random)


def test_fixed_sequences_of_events_lead_where_lowering_from_scratch_does() -> None:
    for seed in SHORT_RUN:
        follow(seed)


@pytest.mark.property
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_fixed_sequences_lead_there_too(part: int) -> None:
    for seed in LONG_RUN[part::4]:
        follow(seed)
