from collections import defaultdict
from dataclasses import replace

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    BODY,
    HEADER,
    attribute,
    attributes,
    nested,
    string,
    word,
    words,
)
from ringfence.ruleset.wire.decode import Dumps, decode_table, table_comment
from ringfence.ruleset.wire.encode import encode
from ringfence.ruleset.wire.linux import Message
from ringfence.ruleset.wire.normal import normal
from ringfence.ruleset.wire.userdata import comment
from strategies import make_world, seeded

HEAD = attribute(linux.TABLE_USERDATA, comment("owner=ringfence schema=1"))
EMPTY = Dumps(HEAD, (), (), (), {}, (), ())


def chain(table: str, name: str, *more: bytes) -> bytes:
    return string(linux.TABLE, table) + string(linux.CHAIN_NAME, name) + b"".join(more)


def base(kind: str, hook: int, policy: int) -> tuple[bytes, ...]:
    at = word(linux.HOOK_NUMBER, hook) + word(linux.HOOK_PRIORITY, 0xFFFFFFFB)
    return (
        nested(linux.CHAIN_HOOK, at),
        string(linux.CHAIN_TYPE, kind),
        word(linux.CHAIN_POLICY, policy),
    )


def sent(table: Table) -> Dumps:
    """Return what a kernel would list after a load: much what it was told."""
    by_kind: dict[int, list[bytes]] = defaultdict(list)
    elements: dict[str, list[bytes]] = defaultdict(list)
    data = encode(load(table))
    while data:
        size, kind, *_ = HEADER.unpack_from(data)
        body = data[BODY:size]
        if kind & 0xFF == Message.NEWSETELEM:
            elements[words(attributes(body)[linux.ELEMENTS_SET])].append(body)
        by_kind[kind & 0xFF].append(body)
        data = data[size:]
    return Dumps(
        by_kind[Message.NEWTABLE][-1],
        by_kind[Message.NEWCHAIN],
        by_kind[Message.NEWRULE],
        by_kind[Message.NEWSET],
        elements,
        by_kind[Message.NEWOBJ],
        (),
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_table_is_read_back_from_what_makes_it(seed: int) -> None:
    compiled = compile_cluster(make_world(seeded(seed), decided=True).cluster)
    for node in compiled.cluster.nodes:
        table = lower(compiled, node).table
        assert decode_table(table.name, sent(table)) == normal(table)


@pytest.mark.parametrize(
    ("attributes_", "said"),
    [
        (word(linux.SET_KEY_TYPE, 1), "set s: a key of another type"),
        (word(linux.SET_KEY_TYPE, 7), "set s: a key of another type"),
        (
            word(linux.SET_KEY_TYPE, 7)
            + word(linux.SET_KEY_LENGTH, 4)
            + word(linux.SET_FLAGS, 0x10),
            "set s: a set of another kind",
        ),
    ],
)
def test_a_set_of_another_kind_is_foreign(attributes_: bytes, said: str) -> None:
    body = string(linux.SET_NAME, "s") + attributes_
    assert decode_table("t", replace(EMPTY, sets=(body,))).foreign == (said,)


def test_objects_that_are_no_counters_are_foreign() -> None:
    quota = string(linux.OBJECT_NAME, "q") + word(linux.OBJECT_TYPE, 2)
    table = decode_table("t", replace(EMPTY, objects=(quota,)))
    assert table.foreign == ("object q of type 2",)


def test_a_table_says_whose_it_is() -> None:
    assert table_comment(HEAD) == "owner=ringfence schema=1"
    assert table_comment(b"") == ""
    assert decode_table("t", EMPTY).comment == "owner=ringfence schema=1"


def test_chains_of_other_tables_are_none_of_ours() -> None:
    dumps = replace(EMPTY, chains=(chain("t", "a"), chain("u", "b")))
    assert [of.name for of in decode_table("t", dumps).chains] == ["a"]


def test_a_base_chain_has_its_hook_and_priority() -> None:
    dumps = replace(EMPTY, chains=(chain("t", "a", *base("filter", 2, 1)),))
    (found,) = decode_table("t", dumps).chains
    assert (found.hook.value, found.priority) == ("forward", -5)


@pytest.mark.parametrize(
    "odd", [base("nat", 2, 1), base("filter", 1, 1), base("filter", 2, 0)]
)
def test_a_base_chain_of_another_kind_is_foreign(odd: tuple[bytes, ...]) -> None:
    table = decode_table("t", replace(EMPTY, chains=(chain("t", "a", *odd),)))
    assert (table.chains, table.foreign) == ((), ("base chain a",))


def test_flowtables_and_flags_of_the_table_are_foreign() -> None:
    head = HEAD + word(linux.TABLE_FLAGS, 1)
    flowtable = string(linux.FLOWTABLE_NAME, "f")
    table = decode_table("t", replace(EMPTY, table=head, flowtables=(flowtable,)))
    assert table.foreign == ("flowtable f", "table flags 0x1")
