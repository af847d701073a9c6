"""What the kernel's table differs in is said in words."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings

from ringfence.agent.inspection.differences import differences
from ringfence.engine.compiler import compile_cluster
from ringfence.ruleset.changes.delta import delta
from ringfence.ruleset.ir import HashSet, NftSet, Row, Table
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.wire.normal import normal
from strategies import make_world, randoms
from worlds import cluster, ingress, peer, pod, rule, tcp

WEB = pod("web", "app=web", "10.0.0.1", node="n1")
DB = pod("db", "app=db", "10.0.0.2", node="n1")
OPEN_TO_WEB = ingress("web", "app=db", rule([peer("app=web")], [tcp(80), tcp(443)]))


def table() -> Table:
    return normal(lower(compile_cluster(cluster(WEB, DB, OPEN_TO_WEB)), "n1").table)


def with_peers(elements: frozenset[Row]) -> Table:
    """Return the table whose sets of peers hold just these."""

    def changed(each: NftSet) -> NftSet:
        if isinstance(each, HashSet) and each.name.startswith("p4/"):
            return replace(each, elements=elements)
        return each

    return replace(table(), sets=tuple(map(changed, table().sets)))


def told(realised: Table | None) -> list[str]:
    return list(differences(delta(realised, table()).operations))


def test_an_element_that_is_missing_is_named_with_its_set() -> None:
    (line,) = told(with_peers(frozenset()))
    assert line == "set p4/default/app_is_web lacks 10.0.0.1"


def test_an_address_that_is_sent_nowhere_is_named_with_its_chain() -> None:
    maps = tuple(replace(each, elements={}) for each in table().maps)
    (line,) = told(replace(table(), maps=maps))
    assert line == "map in4 lacks 10.0.0.2 -> in/default/web"


def test_a_chain_with_other_rules_is_told_once() -> None:
    chains = tuple(
        replace(each, rules=each.rules[1:]) if each.name == "in/default/web" else each
        for each in table().chains
    )
    assert told(replace(table(), chains=chains)) == [
        "chain in/default/web has other rules"
    ]


def test_what_is_too_much_should_not_be_there() -> None:
    more = replace(table(), counters=(*table().counters, "mine"))
    assert told(more) == ["counter mine should not be there"]


def test_many_elements_are_cut_short() -> None:
    lines = told(with_peers(frozenset((number,) for number in range(1, 10))))
    extra = "0.0.0.1, 0.0.0.2, 0.0.0.3, 0.0.0.4, 0.0.0.5 and 4 more"
    assert f"set p4/default/app_is_web should not hold {extra}" in lines


@given(randoms())
@settings(max_examples=25)
def test_every_difference_has_words(random: Random) -> None:
    one, other = (
        normal(lower(compile_cluster(make_world(random).cluster), "n1").table)
        for _ in range(2)
    )
    for line in differences(delta(one, other).operations):
        assert line
        assert "(" not in line
