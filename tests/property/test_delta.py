"""From any table to any other one, as a kernel takes it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given

from choices import some_enforcement
from ringfence.engine.compiler import compile_cluster
from ringfence.ruleset.changes.applied import applied
from ringfence.ruleset.changes.delta import delta, load
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import lower
from strategies import make_world, randoms, seeded


def some_table(random: Random) -> Table:
    compiled = compile_cluster(make_world(random).cluster)
    return lower(compiled, "n1", enforcement=some_enforcement(random)).table


def check_way(old: Table, new: Table) -> None:
    after = applied(old, delta(old, new))
    assert after == replace(new, index=old.index)
    assert not delta(after, new)
    assert applied(old, load(new)) == after
    assert applied(None, delta(None, new)) == replace(new, index={})


@given(randoms())
def test_delta_leads_from_any_table_to_any_other(random: Random) -> None:
    check_way(some_table(random), some_table(random))


def test_delta_leads_there_for_many_fixed_tables() -> None:
    for seed in range(60):
        random = seeded(seed)
        check_way(some_table(random), some_table(random))


@pytest.mark.property
def test_delta_leads_there_for_thousands_of_fixed_tables() -> None:
    for seed in range(60, 3_000):
        random = seeded(seed)
        check_way(some_table(random), some_table(random))
