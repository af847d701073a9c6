"""A kernel that takes each transaction of random events holds the desired table."""

from __future__ import annotations

import pytest
from test_nftables_netlink import _worker, isolated

from choices import some_enforcement
from churn import random_events
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.following.state import State
from ringfence.ruleset.changes.delta import delta, load
from ringfence.ruleset.changes.desired import Desired
from ringfence.ruleset.enforcement import ENFORCE
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.wire.normal import normal
from strategies import make_world, seeded

__all__ = ["_worker"]

pytestmark = pytest.mark.kernel

NODE = "n1"
STEPS = 40


def follow(seed: int) -> None:
    random = seeded(seed)
    state, enforcement = State(make_world(random).cluster), ENFORCE
    desired = Desired(state, NODE)
    with Nftables() as kernel:
        kernel.commit(load(desired.table()))
        for _ in range(STEPS):
            if random.random() < 0.1:
                enforcement = some_enforcement(random)
                kernel.commit(desired.enforce(enforcement))
            changes = state.apply(random_events(random, state.cluster))
            kernel.commit(desired.follow(changes))
            compiled = compile_cluster(state.cluster)
            right = lower(compiled, NODE, enforcement=enforcement).table
            assert kernel.table(right.name) == normal(right), seed
        kernel.drop(right.name)


@pytest.mark.parametrize("part", range(4))
@isolated
def test_kernel_holds_after_each_batch_what_is_lowered_from_scratch(part: int) -> None:
    for seed in range(part * 8, part * 8 + 8):
        follow(seed)


@isolated
def test_kernel_goes_from_any_choice_of_the_operator_to_any_other() -> None:
    with Nftables() as kernel:
        for seed in range(60):
            random = seeded(seed)
            compiled = compile_cluster(make_world(random).cluster)
            choice = some_enforcement(random)
            wanted = normal(lower(compiled, NODE, enforcement=choice).table)
            kernel.commit(delta(kernel.table(wanted.name), wanted))
            assert kernel.table(wanted.name) == wanted
