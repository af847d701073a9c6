"""A node's kernel holds the desired table, whatever happens and whoever meddles."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from test_nftables_netlink import _worker, isolated
from test_realise import Choosy

from choices import some_enforcement
from churn import random_events
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.agent.enforcing.degrade import expendable, names_of
from ringfence.agent.inspection.audit import audit
from ringfence.agent.metrics import Metrics
from ringfence.agent.node import Node
from ringfence.engine.compiler import compile_cluster, selectable
from ringfence.engine.following.state import State
from ringfence.errors import KernelError
from ringfence.model.cluster import Cluster
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import TABLE_COMMENT, TABLE_NAME, lower
from ringfence.ruleset.wire.normal import normal
from strategies import make_world, randoms, seeded

__all__ = ["_worker"]

pytestmark = pytest.mark.kernel

NAME = "n1"
STEPS = 12
LONG_RUN = range(1_000)
OTHER_COMMENT = "owner=ringfence schema=0"
MEDDLINGS = (
    "add rule inet ringfence {chain} counter accept",
    "insert rule inet ringfence {chain} ip saddr 192.0.2.1 drop",
    "flush chain inet ringfence {chain}",
    "flush set inet ringfence {set}",
    "flush map inet ringfence {map}",
    "add counter inet ringfence stranger",
    "add chain inet ringfence stranger {{ type filter hook input priority 0; }}",
    "add set inet ringfence stranger {{ type mark; }}",
    "delete table inet ringfence",
    "flush ruleset",
)
"""What others do to the table; each goes through nft."""


class World:
    """A node, its kernel, and what ought to be there."""

    def __init__(self, random: Random) -> None:
        self.kernel = Choosy()
        self.kernel.drop(TABLE_NAME)
        self.begin(make_world(random).cluster, ENFORCE)

    def close(self) -> None:
        self.kernel.drop(TABLE_NAME)
        self.kernel.close()

    def begin(self, cluster: Cluster, enforcement: Enforcement) -> None:
        """Start an agent anew, on what is there."""
        self.enforcement = enforcement
        self.node = Node(NAME, (cluster, enforcement), self.kernel, Metrics())
        self.node.take_over()

    def happen(self, random: Random) -> None:
        if random.random() < 0.2:
            self.enforcement = some_enforcement(random)
        events = random_events(random, self.node.state.cluster)
        self.node.follow(events, self.enforcement)

    def restart(self, random: Random) -> None:
        """Start anew, maybe after changes that nobody saw."""
        state, enforcement = State(self.node.state.cluster), self.enforcement
        if random.random() < 0.5:
            state.apply(random_events(random, state.cluster))
            enforcement = some_enforcement(random)
        self.begin(state.cluster, enforcement)

    def meddle(self, random: Random) -> None:
        """Have somebody change the table, then maybe something happen, then an audit.

        A change that builds on what is no longer there heals the table by itself.
        """
        before = self.listing()
        names = {
            "chain": random.choice(before.chains).name,
            "set": random.choice(before.sets).name if before.sets else "",
            "map": random.choice(before.maps).name if before.maps else "",
        }
        said = random.choice(MEDDLINGS)
        if any(f"{{{kind}}}" in said and not name for kind, name in names.items()):
            return
        nft(said.format(**names))
        if random.random() < 0.5:
            self.happen(random)
        there, wanted = self.kernel.table(TABLE_NAME), normal(self.node.desired.table())
        found = self.node.realiser.drift(there)
        assert (found > 0) == (there != wanted)

    def refuse(self, random: Random) -> None:
        """Have the kernel refuse some parts, for as long as a few things happen."""
        there, realiser = self.listing(), self.node.realiser
        names = [name for name in sorted(names_of(there)) if expendable(there, name)]
        self.kernel.refuses = frozenset(random.sample(names, min(2, len(names))))
        for _ in range(3):
            self.happen(random)
            assert not realiser.complaint
            assert self.listing() == realiser.attainable()
        self.kernel.refuses = frozenset()
        assert realiser.retry_in_s is None or realiser.retry()

    def migrate(self, _: Random) -> None:
        """Start anew on what another version left."""
        old = replace(self.node.desired.table(), comment=OTHER_COMMENT)
        self.kernel.commit(load(old))
        before = self.kernel.generation()
        self.begin(self.node.state.cluster, self.enforcement)
        assert self.kernel.generation() == before + 1
        assert self.listing().comment == TABLE_COMMENT

    def listing(self) -> Table:
        found = self.kernel.table(TABLE_NAME)
        assert found is not None
        return found

    def check(self) -> None:
        compiled = compile_cluster(self.node.state.cluster)
        right = lower(compiled, NAME, enforcement=self.enforcement).table
        assert self.listing() == normal(self.node.desired.table()) == normal(right)
        assert self.node.realiser.retry_in_s is None
        pods = compiled.cluster.pods.values()
        mine = {pod.key for pod in pods if pod.node == NAME and selectable(pod)}
        assert self.node.local == mine

    def check_meaning(self) -> None:
        """Ask the engine and the kernel's rules the same questions."""
        wanted = normal(self.node.desired.table())
        found = audit(self.listing(), wanted, self.node.judge())
        assert found.clean, [*found.lines()]


def nft(command: str) -> None:
    subprocess.run(("nft", command), check=True, capture_output=True, text=True)


class Life(RuleBasedStateMachine):
    """A node's life, step by step."""

    world: World

    @initialize(random=randoms())
    def begin(self, random: Random) -> None:
        self.world = World(random)
        self.world.check()

    @rule(random=randoms())
    def something_happens(self, random: Random) -> None:
        self.world.happen(random)
        self.world.check()

    @rule(random=randoms())
    def the_agent_restarts(self, random: Random) -> None:
        self.world.restart(random)
        self.world.check()

    @rule(random=randoms())
    def somebody_meddles(self, random: Random) -> None:
        self.world.meddle(random)
        self.world.check()

    @rule(random=randoms())
    def the_kernel_refuses(self, random: Random) -> None:
        self.world.refuse(random)
        self.world.check()

    @rule(random=randoms())
    def the_agent_is_upgraded(self, random: Random) -> None:
        self.world.migrate(random)
        self.world.check()

    def teardown(self) -> None:
        self.world.check_meaning()
        self.world.close()


def live(seed: int) -> None:
    """Live one fixed life."""
    random = seeded(seed)
    world = World(random)
    steps = (
        *(world.happen, world.happen, world.restart),
        *(world.meddle, world.refuse, world.migrate),
    )
    for _ in range(STEPS):
        random.choice(steps)(random)
        world.check()
    world.check_meaning()
    world.close()


@isolated
def test_kernel_holds_what_is_desired_through_any_life() -> None:
    short = settings(
        max_examples=12,
        stateful_step_count=8,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[*HealthCheck],
    )
    run_state_machine_as_test(Life, settings=short)


@isolated
def test_fixed_lives_end_with_what_is_desired() -> None:
    for seed in range(6):
        live(seed)


@pytest.mark.property
@pytest.mark.parametrize("part", range(20))
@isolated
def test_many_fixed_lives_do_too(part: int) -> None:
    for seed in LONG_RUN[part::20]:
        live(seed)


@isolated
def test_a_table_of_somebody_else_is_not_taken_over() -> None:
    nft("add table inet ringfence; add chain inet ringfence theirs")
    before = nft_listing()
    with Nftables() as kernel:
        first = make_world(seeded(1)).cluster, ENFORCE
        node = Node(NAME, first, kernel, Metrics())
        node.take_over()
        assert "is somebody else's" in node.realiser.complaint
        assert nft_listing() == before
        with pytest.raises(KernelError, match="somebody else's"):
            kernel.table(TABLE_NAME)
        nft("delete table inet ringfence")
        assert node.realiser.retry()
        assert kernel.table(TABLE_NAME) == normal(node.desired.table())


def nft_listing() -> str:
    return subprocess.run(
        ("nft", "list", "ruleset"), check=True, capture_output=True, text=True
    ).stdout


def test_a_node_keeps_nothing_of_what_is_gone() -> None:
    root = Path(__file__).parents[2]
    become = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
    ended = subprocess.run(
        (*become, sys.executable, "-m", "bench.soak", "3000"),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
