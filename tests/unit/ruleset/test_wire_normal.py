from dataclasses import replace

import pytest
from tables import placed, table_of

from ringfence.model.flow import Protocol
from ringfence.ruleset.ir import (
    Count,
    Dispatch,
    FamilyIs,
    Field,
    Final,
    Lookup,
    Match,
    NftRule,
    NotOpening,
    PortIs,
    ProtocolIs,
    State,
    StateIs,
    Statement,
)
from ringfence.ruleset.wire.normal import normal, normal_rule, same
from ringfence.sets.interval import Interval
from worlds import block, cluster, ingress, pod, rule, tcp

TABLE = table_of(
    placed(
        cluster(
            pod("web", "app=web", "10.0.0.1"),
            ingress("in", "app=web", rule([block("192.0.2.0/24")], [tcp(80)])),
        )
    )
)
HTTP = PortIs(Protocol.TCP, Interval(80, 80))


@pytest.mark.parametrize(
    ("matches", "statement", "rest"),
    [
        ((FamilyIs(4), Lookup((Field.SOURCE4,), "s")), Final.DROP, 1),
        ((FamilyIs(6), Lookup((Field.SOURCE4,), "s")), Final.DROP, 2),
        ((FamilyIs(6), Lookup((Field.ICMPV6,), "s")), Final.DROP, 1),
        ((FamilyIs(4),), Dispatch(Field.SOURCE4, "m"), 0),
        ((ProtocolIs(Protocol.TCP), HTTP), Final.DROP, 1),
        ((ProtocolIs(Protocol.UDP), HTTP), Final.DROP, 2),
        ((ProtocolIs(Protocol.TCP), NotOpening()), Final.DROP, 1),
        ((ProtocolIs(Protocol.TCP),), Final.RESET, 0),
        ((ProtocolIs(Protocol.TCP), FamilyIs(4)), Final.DROP, 2),
    ],
)
def test_what_a_rule_checks_anyhow_is_left_out(
    matches: tuple[Match, ...], statement: Statement, rest: int
) -> None:
    assert len(normal_rule(NftRule(matches, (statement,))).matches) == rest


def test_states_stand_in_their_order() -> None:
    turned = NftRule((StateIs((State.NEW, State.INVALID)),), (Final.DROP,))
    assert normal_rule(turned).matches == (StateIs((State.INVALID, State.NEW)),)


def test_order_of_things_with_names_does_not_matter() -> None:
    turned = replace(
        TABLE, sets=TABLE.sets[::-1], chains=TABLE.chains[::-1], counters=("x", "a")
    )
    assert same(turned, replace(TABLE, counters=("a", "x"), index={}))


def test_order_of_rules_matters() -> None:
    *others, last = TABLE.chains
    turned = replace(last, rules=last.rules[::-1])
    assert not same(replace(TABLE, chains=(*others, turned)), TABLE)


def test_a_foreign_thing_is_a_difference() -> None:
    assert not same(replace(TABLE, foreign=("object q",)), TABLE)


def test_normal_form_is_its_own() -> None:
    assert normal(normal(TABLE)) == normal(TABLE)


def test_a_rule_in_normal_form_is_left_as_it_is() -> None:
    plain = NftRule((HTTP,), (Count("c"), Final.ACCEPT), "x")
    assert normal_rule(plain) is plain
