"""The incremental state against compilation from scratch, after every step."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import strategies
from churn import Followed, random_events
from ringfence.engine.following.state import State

STEPS = 60
SHORT_RUN = range(100)
LONG_RUN = range(100, 3_000)


class Churn(RuleBasedStateMachine):
    """Any events at all, one batch a step."""

    followed: Followed

    @initialize(random=strategies.randoms())
    def begin(self, random: Random) -> None:
        self.followed = Followed(strategies.make_world(random).cluster)
        assert self.followed.differences() == []

    @rule(random=strategies.randoms())
    def something_happens(self, random: Random) -> None:
        events = random_events(random, self.followed.cluster())
        assert self.followed.step(events) == []


TestChurn = Churn.TestCase
TestChurn.settings = settings(max_examples=40, stateful_step_count=15)


def follow(seed: int) -> None:
    random = strategies.seeded(seed)
    followed = Followed(strategies.make_world(random).cluster)
    for step in range(STEPS):
        events = random_events(random, followed.cluster())
        assert followed.step(events) == [], (seed, step, events)


def test_fixed_sequences_of_events_end_where_compilation_from_scratch_does() -> None:
    for seed in SHORT_RUN:
        follow(seed)


@pytest.mark.property
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_fixed_sequences_end_there_too(part: int) -> None:
    for seed in LONG_RUN[part::4]:
        follow(seed)


def test_equal_events_give_equal_change_sets_in_equal_order() -> None:
    for seed in range(20):
        random = strategies.seeded(seed)
        world = strategies.make_world(random)
        one, other = State(world.cluster), State(world.cluster)
        for _ in range(STEPS):
            events = random_events(random, one.cluster)
            assert one.apply(events) == other.apply(events)
