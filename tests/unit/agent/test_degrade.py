"""What the kernel refuses is left out, and what is left lets less through."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings

from ringfence.agent.enforcing.degrade import expendable, subject, without
from ringfence.engine.compiler import compile_cluster
from ringfence.errors import RingfenceBug
from ringfence.model.flow import Protocol
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import Final, Table
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.simulation.interpret import Machine, Packet
from strategies import make_world, randoms, seeded

CLOSED = Enforcement(guarded=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


def table(random: Random) -> Table:
    return lower(compile_cluster(make_world(random).cluster), "n1").table


@given(randoms())
def test_whatever_is_left_out_lets_no_more_through(random: Random) -> None:
    world = make_world(random)
    choice = random.choice((ENFORCE, CLOSED))
    whole = lower(compile_cluster(world.cluster), "n1", enforcement=choice).table
    names = [
        *whole.counters,
        *(each.name for each in (*whole.sets, *whole.chains) if each.name),
    ]
    spare = [name for name in names if expendable(whole, name)]
    refused = frozenset(random.sample(spare, random.randint(0, min(3, len(spare)))))
    before, after = Machine(whole), Machine(without(whole, refused))
    addresses = [a for pod in world.cluster.pods.values() for a in pod.addresses]
    for source, destination in product(addresses, repeat=2):
        if source.version == destination.version and random.random() < 0.3:
            packet = Packet(source, destination, Protocol.TCP, 80)
            if after.walk(packet).verdict is Final.ACCEPT:
                assert before.walk(packet).verdict is Final.ACCEPT, refused


@given(randoms())
@settings(max_examples=25)
def test_nothing_that_is_left_mentions_what_was_refused(random: Random) -> None:
    whole = table(random)
    names = [each.name for each in whole.sets] + list(whole.counters)
    spare = [name for name in names if expendable(whole, name)]
    for name in spare[:5]:
        assert f"'{name}'" not in repr(
            replace(without(whole, frozenset({name})), index={})
        )


@given(randoms())
@settings(max_examples=25)
def test_every_operation_has_a_subject_or_the_table_cannot_do_without(
    random: Random,
) -> None:
    whole = table(random)
    for operation in load(whole).operations:
        name = subject(operation)
        kind = type(operation).__name__
        assert (name is None) == (
            kind in {"AddTable", "DeleteTable", "AddMap", "AddVerdicts"}
        )


def test_base_chains_and_maps_are_not_expendable() -> None:
    whole = table(seeded(1))
    for name in ("egress", "ingress", "in4", "out4"):
        assert not expendable(whole, name)
        with pytest.raises(RingfenceBug):
            without(whole, frozenset({name}))
