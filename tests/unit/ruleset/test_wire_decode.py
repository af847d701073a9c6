from dataclasses import replace

import pytest

from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import attribute, nested, string, word
from ringfence.ruleset.wire.decode import Dumps, decode_table, table_comment
from ringfence.ruleset.wire.userdata import comment

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
