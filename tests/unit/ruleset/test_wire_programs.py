import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.errors import RingfenceBug
from ringfence.model.flow import PORT_PROTOCOLS, Protocol
from ringfence.ruleset.ir import (
    Count,
    Dispatch,
    FamilyIs,
    Field,
    Final,
    Foreign,
    FromThisNode,
    Limit,
    Log,
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
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    attribute,
    nested,
    pairs,
    string,
    word,
)
from ringfence.ruleset.wire.expressions import program
from ringfence.ruleset.wire.normal import normal_rule
from ringfence.ruleset.wire.programs import Memory, rule_of
from ringfence.sets.interval import Interval

PROTOCOLS = st.sampled_from(PORT_PROTOCOLS)
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(
    lambda ends: Interval(min(ends), max(ends))
)
BY_VERSION = (
    (Field.SOURCE4, Field.DESTINATION4, Field.PROTOCOL, Field.PORT),
    (Field.SOURCE6, Field.DESTINATION6, Field.PROTOCOL, Field.PORT),
)


@st.composite
def rules(draw: st.DrawFn) -> NftRule:
    """Return a rule that nft could write: of one IP version, of one protocol."""
    version = draw(st.sampled_from([4, 6]))
    fields = st.lists(
        st.sampled_from(BY_VERSION[version == 6]), min_size=1, max_size=3, unique=True
    )
    states = st.lists(st.sampled_from(State), min_size=1, max_size=4, unique=True)
    protocol = draw(PROTOCOLS)
    matches: list[st.SearchStrategy[Match]] = [
        st.builds(Lookup, fields.map(tuple), st.sampled_from("ab"), st.booleans()),
        st.builds(StateIs, states.map(tuple)),
        st.just(FamilyIs(version)),
        st.just(FromThisNode()),
        st.just(ProtocolIs(protocol)),
        st.builds(PortIs, st.just(protocol), PORTS),
    ]
    if protocol is Protocol.TCP:
        matches.append(st.just(NotOpening()))
    one_each = draw(st.lists(st.sampled_from(range(len(matches))), unique=True))
    endings: list[tuple[Statement, ...]] = [
        (Count("c"), Final.ACCEPT),
        (Limit(10, 20), Log("rf:D:in:a/b", 100, 64)),
        (Final.DROP,),
        (Dispatch(BY_VERSION[version == 6][0], "in"),),
    ]
    statements = draw(st.sampled_from(endings))
    comment = draw(st.sampled_from(["", "ingress[0]"]))
    return NftRule(tuple(draw(matches[i]) for i in one_each), statements, comment)


def back(rule: NftRule) -> NftRule:
    return normal_rule(rule_of(program(rule), rule.comment, {}))


@given(rules())
def test_a_rule_is_read_back_from_its_program(rule: NftRule) -> None:
    wanted = normal_rule(rule)
    assert back(wanted) == wanted
    # Which of several checks of one protocol comes first leaves no trace.
    assert back(rule) == wanted


def test_a_reset_is_of_tcp() -> None:
    reset = NftRule((), (Final.RESET,))
    assert program(reset) == program(
        NftRule((ProtocolIs(Protocol.TCP),), (Final.RESET,))
    )
    assert back(reset) == reset


def test_discovery_is_read_back_by_its_type() -> None:
    rule = NftRule((Lookup((Field.ICMPV6,), "nd"),), (Final.ACCEPT,))
    assert back(rule) == rule


@given(rules(), st.data())
def test_a_program_with_a_part_missing_is_never_the_same_rule(
    rule: NftRule, data: st.DataObject
) -> None:
    whole = program(normal_rule(rule))
    size = len(pairs(whole))
    cut = data.draw(st.integers(0, size - 1))
    parts = [attribute(linux.LIST_ELEMENT, value) for _, value in pairs(whole)]
    rest = b"".join(part for index, part in enumerate(parts) if index != cut)
    found = rule_of(rest, rule.comment, {})
    assert normal_rule(found) != normal_rule(rule)


def test_a_foreign_rule_is_never_made() -> None:
    with pytest.raises(RingfenceBug):
        program(NftRule((Foreign("meta, cmp"),), ()))


def test_memory_holds_each_form_once() -> None:
    memory: Memory = {}
    rule = NftRule((), (Final.DROP,))
    assert rule_of(program(rule), "", memory) == rule_of(program(rule), "", memory)
    assert list(memory.values()) == [Final.DROP]


def expression(name: str, *parts: bytes) -> bytes:
    said = string(linux.EXPRESSION_NAME, name)
    return nested(linux.LIST_ELEMENT, said, nested(linux.EXPRESSION_DATA, *parts))


def meta(key: int, into: int = 1) -> bytes:
    return expression("meta", word(linux.Meta.KEY, key), word(linux.Meta.DREG, into))


def payload(base: int, offset: int, size: int, into: int = 1) -> bytes:
    numbers = (into, base, offset, size)
    return expression("payload", *map(word, linux.Payload, numbers))


def compare(op: int, value: bytes, register: int = 1) -> bytes:
    data = nested(linux.Compare.DATA, attribute(linux.DATA_VALUE, value))
    sreg = word(linux.Compare.SREG, register)
    return expression("cmp", sreg, word(linux.Compare.OP, op), data)


def lookup(*parts: bytes) -> bytes:
    sreg = word(linux.Find.SREG, 1)
    return expression("lookup", string(linux.Find.SET, "s"), sreg, *parts)


IS_TCP = meta(linux.Meta.L4PROTO) + compare(linux.EQ, b"\6")
IS_IPV4 = meta(linux.Meta.NFPROTO) + compare(linux.EQ, b"\2")
SOURCE = payload(1, 12, 4)
PORT = payload(2, 2, 2)
BELOW_90 = compare(linux.LTE, b"\0\x5a")
ABOVE_80 = compare(linux.GTE, b"\0\x50")


@pytest.mark.parametrize(
    "foreign",
    [
        expression("notrack"),
        expression("meta", word(linux.Meta.KEY, 3), word(linux.Meta.DREG, 1)),
        meta(linux.Meta.L4PROTO) + compare(linux.NEQ, b"\6"),
        meta(linux.Meta.L4PROTO) + compare(linux.EQ, b"\1"),
        meta(linux.Meta.L4PROTO) + compare(linux.EQ, b"\x3a"),
        meta(linux.Meta.L4PROTO, 2) + compare(linux.EQ, b"\6", 2),
        PORT + compare(linux.EQ, b"\0\x50"),
        IS_TCP + PORT + BELOW_90,
        IS_TCP + PORT + ABOVE_80,
        IS_TCP + PORT + ABOVE_80 + ABOVE_80,
        IS_TCP + PORT + ABOVE_80 + compare(linux.EQ, b"\0\x50"),
        SOURCE + lookup(),
        IS_IPV4 + payload(1, 12, 4, 2) + lookup(),
        IS_IPV4 + payload(1, 12, 8) + lookup(),
        IS_IPV4 + SOURCE + lookup(word(linux.Find.DREG, 1)),
        IS_IPV4 + SOURCE + lookup(word(linux.Find.FLAGS, 2)),
        IS_IPV4 + SOURCE + PORT + lookup(word(linux.Find.DREG, 0)),
        payload(2, 0, 1) + lookup(),
        meta(linux.Meta.NFPROTO)
        + compare(linux.EQ, b"\x0a")
        + payload(2, 0, 1)
        + lookup(),
        expression("byteorder", word(linux.Byteorder.LEN, 4)),
        expression("objref", word(linux.Object.TYPE, 2)),
        expression("ct", word(linux.Connection.DREG, 1), word(linux.Connection.KEY, 1)),
        expression("fib", word(linux.Fib.DREG, 1), word(linux.Fib.RESULT, 1)),
        expression("limit", attribute(linux.Rate.UNIT, bytes(7) + b"\x3c")),
        expression("log", string(linux.Logging.PREFIX, "x")),
        expression("bitwise", word(linux.Bitwise.SREG, 2)),
        expression("reject", word(linux.Reject.TYPE, 0)),
        expression("reject", word(linux.Reject.TYPE, 1)),
        expression("immediate", word(linux.Immediate.DREG, 1)),
    ],
)
def test_what_we_never_write_is_foreign(foreign: bytes) -> None:
    drop = program(NftRule((), (Final.DROP,)))
    (match_,) = rule_of(foreign + drop, "x", {}).matches
    assert isinstance(match_, Foreign)


def test_swapping_one_byte_changes_nothing() -> None:
    rule = NftRule((Lookup((Field.PROTOCOL, Field.PORT), "s"),), (Final.DROP,))
    proto, *rest = pairs(program(rule))
    swap = expression("byteorder", word(linux.Byteorder.LEN, 1))
    parts = [attribute(*proto), swap, *(attribute(*part) for part in rest)]
    assert rule_of(b"".join(parts), "", {}) == rule
