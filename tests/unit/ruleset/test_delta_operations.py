"""Transactions between tables, and what a kernel would refuse of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringfence.errors import RingfenceBug
from ringfence.model.flow import Protocol
from ringfence.ruleset.changes.applied import applied
from ringfence.ruleset.changes.delta import delta, load
from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddTable,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteTable,
    DeleteVerdicts,
    FlushChain,
    Operation,
    SetType,
    Transaction,
)
from ringfence.ruleset.ir import (
    Chain,
    Count,
    Datatype,
    Dispatch,
    Field,
    Final,
    Foreign,
    HashSet,
    Hook,
    IntervalSet,
    Lookup,
    NftRule,
    ProtocolIs,
    Table,
    VerdictMap,
)
from ringfence.sets.interval import Interval

V4 = (Datatype.IPV4,)
PEERS, BLOCKS = SetType("p", V4, interval=False), SetType("b", V4, interval=True)
LOW, HIGH = (Interval(1, 4),), (Interval(7, 9),)
ALLOW = NftRule((Lookup((Field.SOURCE4,), "p"),), (Count("c"), Final.ACCEPT))
DISPATCH = NftRule((), (Dispatch(Field.DESTINATION4, "m"),))

TABLE = Table(
    "t",
    "schema=1",
    (IntervalSet("b", V4, (LOW, HIGH)), HashSet("p", V4, frozenset({(1,), (2,)}))),
    (VerdictMap("m", Datatype.IPV4, {5: "in"}),),
    ("c",),
    (Chain("base", (DISPATCH,), -4), Chain("in", (ALLOW,))),
    {},
)
BARE = Table("t", "schema=1", (), (), (), (), {})


def done(*operations: Operation) -> Table:
    return applied(TABLE, Transaction("t", operations))


def way(new: Table, old: Table = TABLE) -> tuple[Operation, ...]:
    transaction = delta(old, new)
    assert applied(old, transaction) == new
    return transaction.operations


def with_chain(chain: Chain) -> Table:
    kept = (of for of in TABLE.chains if of.name != chain.name)
    return replace(TABLE, chains=tuple(sorted((*kept, chain), key=lambda of: of.name)))


def test_equal_tables_need_nothing() -> None:
    assert not delta(TABLE, TABLE)


def test_elements_alone_change_by_element() -> None:
    sets = (
        IntervalSet("b", V4, (LOW, (Interval(8, 9),))),
        HashSet("p", V4, frozenset({(2,), (3,)})),
    )
    assert way(replace(TABLE, sets=sets)) == (
        DeleteElements(BLOCKS, (HIGH,)),
        DeleteElements(PEERS, ((1,),)),
        AddElements(BLOCKS, ((Interval(8, 9),),)),
        AddElements(PEERS, ((3,),)),
    )


def test_everything_is_made_before_what_refers_to_it() -> None:
    kinds = [type(operation) for operation in way(TABLE, BARE)]
    assert kinds == [
        *(AddCounter, AddSet, AddSet, AddMap, AddElements, AddElements),
        *(AddChain, AddChain, AddRule, AddRule, AddVerdicts),
    ]


def test_everything_goes_after_what_refers_to_it() -> None:
    kinds = [type(operation) for operation in way(BARE)]
    assert kinds == [
        *(DeleteVerdicts, FlushChain, FlushChain, DeleteChain, DeleteChain),
        *(DeleteSet, DeleteSet, DeleteMap, DeleteCounter),
    ]


def test_other_rules_are_written_into_the_same_chain() -> None:
    other = NftRule((ProtocolIs(Protocol.TCP),), (Final.DROP,))
    assert way(with_chain(Chain("in", (ALLOW, other)))) == (
        FlushChain("in"),
        AddRule("in", ALLOW),
        AddRule("in", other),
    )


def test_changed_verdict_leaves_before_it_comes() -> None:
    new = replace(TABLE, chains=(*TABLE.chains, Chain("in2", ())))
    new = replace(new, maps=(VerdictMap("m", Datatype.IPV4, {5: "in2"}),))
    assert way(new) == (
        AddChain("in2", Hook.FORWARD, None),
        DeleteVerdicts("m", Datatype.IPV4, {5: "in"}),
        AddVerdicts("m", Datatype.IPV4, {5: "in2"}),
    )


def test_set_of_another_type_is_remade_with_the_rules_that_look_into_it() -> None:
    p6 = HashSet("p", (Datatype.IPV6,), frozenset({(1,)}))
    first, second, *_, last = way(replace(TABLE, sets=(TABLE.sets[0], p6)))
    assert (first, second) == (FlushChain("in"), DeleteSet("p"))
    assert last == AddRule("in", ALLOW)


def test_chain_of_another_hook_is_remade() -> None:
    moved = Chain("base", (DISPATCH,), 96, hook=Hook.POSTROUTING)
    assert way(with_chain(moved)) == (
        FlushChain("base"),
        DeleteChain("base"),
        AddChain("base", Hook.POSTROUTING, 96),
        AddRule("base", DISPATCH),
    )


def test_chain_of_another_comment_is_remade_with_its_verdicts() -> None:
    way(with_chain(Chain("in", (ALLOW,), comment="other")))


def test_map_of_another_type_is_remade() -> None:
    way(replace(TABLE, maps=(VerdictMap("m", Datatype.IPV6, {5: "in"}),)))


@pytest.mark.parametrize(
    "old", [replace(TABLE, comment="schema=0"), replace(TABLE, foreign=("set x",))]
)
def test_table_of_another_schema_or_with_foreign_parts_is_made_anew(old: Table) -> None:
    assert delta(old, TABLE) == load(TABLE)
    assert applied(old, load(TABLE)) == TABLE


def test_foreign_rule_is_written_over() -> None:
    strange = NftRule((Foreign("meta mark 1"),), ())
    assert FlushChain("in") in way(TABLE, with_chain(Chain("in", (ALLOW, strange))))


def test_no_table_becomes_another_one() -> None:
    assert applied(None, delta(None, TABLE)) == TABLE
    with pytest.raises(RingfenceBug, match="cannot become"):
        delta(replace(TABLE, name="other"), TABLE)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (AddCounter("c"), "the counter exists"),
        (DeleteCounter("c"), "a rule counts in it"),
        (DeleteCounter("d"), "no such counter"),
        (AddSet(PEERS), "the set exists"),
        (AddMap("p", Datatype.IPV4), "the set exists"),
        (DeleteSet("p"), "a rule looks into it"),
        (DeleteSet("m"), "no such set"),
        (DeleteMap("m"), "a rule looks into it"),
        (AddElements(PEERS, ((1,),)), "an element exists"),
        (AddElements(PEERS, ()), "no elements"),
        (AddElements(PEERS, ((8,), (8,))), "an element twice"),
        (DeleteElements(PEERS, ((3,),)), "no such element"),
        (DeleteElements(BLOCKS, ((Interval(1, 3),),)), "no such element"),
        (AddElements(SetType("p", V4, interval=True), (LOW,)), "of that type"),
        (AddVerdicts("m", Datatype.IPV4, {5: "in"}), "a value exists"),
        (AddVerdicts("m", Datatype.IPV4, {6: "base"}), "or a base chain"),
        (AddVerdicts("p", Datatype.IPV4, {6: "in"}), "no such map"),
        (DeleteVerdicts("m", Datatype.IPV4, {5: "out"}), "no such value"),
        (AddChain("in", Hook.FORWARD, None), "the chain exists"),
        (FlushChain("out"), "no such chain"),
        (DeleteChain("in"), "the chain has rules"),
        (AddRule("out", ALLOW), "no such chain"),
        (AddRule("in", NftRule((), (Count("d"),))), "no such counter"),
        (AddRule("in", NftRule((Lookup((), "q"),), ())), "no such set"),
    ],
)
def test_what_a_kernel_refuses_is_a_bug(operation: Operation, words: str) -> None:
    with pytest.raises(RingfenceBug, match=words):
        done(operation)


def test_chain_that_a_map_leads_to_stays() -> None:
    with pytest.raises(RingfenceBug, match="a map leads to it"):
        done(FlushChain("in"), DeleteChain("in"))


def test_nothing_is_left_of_a_deleted_table() -> None:
    with pytest.raises(RingfenceBug, match="nothing is left"):
        done(DeleteTable())
    with pytest.raises(RingfenceBug, match="no such table"):
        applied(None, Transaction("t", (DeleteTable(),)))


def test_adding_the_table_again_keeps_it() -> None:
    assert done(AddTable("other")) == TABLE
