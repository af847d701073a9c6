"""What an audit finds, and what it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringfence.agent.enforcing.cut import Judge, Site
from ringfence.agent.inspection.audit import audit, contents, with_cuts
from ringfence.engine.compiler import compile_cluster
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import Final, Foreign, HashSet, NftRule, Table
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.lowering.owners import claims_of
from strategies import make_world, seeded

COMPILED = compile_cluster(make_world(seeded(4), decided=True).cluster)
TABLE = lower(COMPILED, "n1").table


def judge() -> Judge:
    pods = COMPILED.cluster.pods.values()
    local = frozenset(pod.key for pod in pods if pod.node == "n1")
    return Judge(COMPILED, claims_of(COMPILED.cluster), Site(local))


def begun_with(*rules: NftRule) -> Table:
    """Return the table with rules before all others of its base chains."""
    return replace(
        TABLE,
        chains=tuple(
            replace(chain, rules=(*rules, *chain.rules))
            if chain.priority is not None
            else chain
            for chain in TABLE.chains
        ),
    )


def test_a_table_as_it_should_be_is_clean() -> None:
    found = audit(TABLE, TABLE, judge())
    assert found.clean
    assert found.judged > 0
    assert [*found.lines()] == [
        "the kernel holds the desired table",
        f"{found.judged} flows judged twice, 0 differ",
    ]


def test_connections_that_the_agent_remembers_are_no_difference() -> None:
    cutting = Enforcement(cuts=True)
    desired = lower(COMPILED, "n1", enforcement=cutting).table
    rows = frozenset({(1, 2, 80, 40_000)})
    realised = replace(
        desired,
        sets=tuple(
            replace(of, elements=rows)
            if isinstance(of, HashSet) and of.name == "cut4"
            else of
            for of in desired.sets
        ),
    )
    assert not audit(realised, desired, judge()).clean
    assert audit(realised, with_cuts(desired, realised), judge()).clean
    assert with_cuts(desired, None) == desired
    assert with_cuts(TABLE, realised) == TABLE


def test_a_missing_table_is_found() -> None:
    found = audit(None, TABLE, judge())
    assert not found.clean
    assert found.document()["missing"]


@pytest.mark.parametrize("verdict", [Final.ACCEPT, Final.DROP])
def test_a_rule_too_many_is_found_and_what_it_means(verdict: Final) -> None:
    found = audit(begun_with(NftRule((), (verdict,))), TABLE, judge())
    assert found.differences
    assert found.disagreements
    assert any("by the rules it" in line for line in found.lines())


def test_rules_that_nobody_can_read_are_found_and_not_walked() -> None:
    found = audit(
        begun_with(NftRule((Foreign("meta mark 1"),), (Final.ACCEPT,))), TABLE, judge()
    )
    assert found.differences
    assert found.judged == 0


def test_contents_are_counted() -> None:
    counts = contents(TABLE)
    assert counts["chains"] == len(TABLE.chains)
    assert counts["sets"] == len(TABLE.sets) + len(TABLE.maps)
    assert counts["rules"] > counts["chains"] > 2
    assert counts["elements"] > 0
