"""Rules as the small programs that the kernel runs: what nft(8) makes of our text.

A match loads a field into registers and compares or looks it up; what tells the header
apart (IP version, transport protocol) is checked once, before the first field that
needs it.
"""

from __future__ import annotations

from enum import Enum
from sys import byteorder
from typing import NamedTuple

from ringfence.errors import RingfenceBug
from ringfence.ruleset.ir import (
    PROTOCOL_NUMBERS,
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
from ringfence.ruleset.wire.attributes import attribute, nested, string, word
from ringfence.ruleset.wire.keys import padded, register

TCP = 6
ICMPV6 = 58
"""Assigned Internet Protocol Numbers (IANA)."""

FAMILY_NUMBERS = {4: 2, 6: 10}
"""NFPROTO_IPV4 and NFPROTO_IPV6 (linux/netfilter.h)."""

STATE_BITS = {
    State.INVALID: 1,
    State.ESTABLISHED: 2,
    State.RELATED: 4,
    State.NEW: 8,
}
"""NF_CT_STATE_BIT (linux/netfilter/nf_conntrack_common.h)."""

FLAG_BITS, SYN = 0x17, 0x02
"""fin, syn, rst and ack of a TCP header's flags, and syn alone (RFC 9293)."""

SECOND = 1
"""Seconds in the unit of a limit."""

VERDICT_REGISTER, FIRST = 0, 1


class Part(Enum):
    """What a rule looks at besides the fields of sets."""

    FAMILY = "meta nfproto"
    STATE = "ct state"
    FLAGS = "tcp flags"
    ADDRESS_TYPE = "fib saddr type"


class InHeader(NamedTuple):
    """Bytes of a packet; ``base`` 1 is the network header, 2 the transport header."""

    base: int
    offset: int
    size: int


IN_HEADER: dict[Field | Part, InHeader] = {
    Field.SOURCE4: InHeader(1, 12, 4),
    Field.DESTINATION4: InHeader(1, 16, 4),
    Field.SOURCE6: InHeader(1, 8, 16),
    Field.DESTINATION6: InHeader(1, 24, 16),
    Field.PORT: InHeader(2, 2, 2),
    Field.SOURCE_PORT: InHeader(2, 0, 2),
    Field.ICMPV6: InHeader(2, 0, 1),
    Part.FLAGS: InHeader(2, 13, 1),
}

META: dict[Field | Part, int] = {
    Field.PROTOCOL: linux.Meta.L4PROTO,
    Part.FAMILY: linux.Meta.NFPROTO,
}

VERSIONS = {
    Field.SOURCE4: 4,
    Field.DESTINATION4: 4,
    Field.SOURCE6: 6,
    Field.DESTINATION6: 6,
    Field.ICMPV6: 6,
}
"""The IP version of the packets that have such a field."""


def size_of(field: Field) -> int:
    """Return a field's bytes."""
    return IN_HEADER[field].size if field in IN_HEADER else 1


_NAMES = {
    name: string(linux.EXPRESSION_NAME, name)
    for name in (
        *("meta", "payload", "ct", "fib", "bitwise", "cmp", "lookup"),
        *("objref", "limit", "log", "immediate", "reject"),
    )
}


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(
        linux.LIST_ELEMENT, _NAMES[name], nested(linux.EXPRESSION_DATA, *parts)
    )


def _load(what: Field | Part, into: int = FIRST) -> bytes:
    if what in META:
        key = word(linux.Meta.KEY, META[what])
        return _expression("meta", key, word(linux.Meta.DREG, into))
    base, offset, size = IN_HEADER[what]
    return _expression(
        "payload",
        word(linux.Payload.DREG, into),
        word(linux.Payload.BASE, base),
        word(linux.Payload.OFFSET, offset),
        word(linux.Payload.LEN, size),
    )


def _compare(op: int, value: bytes) -> bytes:
    return _expression(
        "cmp",
        word(linux.Compare.SREG, FIRST),
        word(linux.Compare.OP, op),
        nested(linux.Compare.DATA, attribute(linux.DATA_VALUE, value)),
    )


def _masked(mask: bytes) -> bytes:
    zero = attribute(linux.DATA_VALUE, bytes(len(mask)))
    return _expression(
        "bitwise",
        word(linux.Bitwise.SREG, FIRST),
        word(linux.Bitwise.DREG, FIRST),
        word(linux.Bitwise.OP, 0),
        word(linux.Bitwise.LEN, len(mask)),
        nested(linux.Bitwise.MASK, attribute(linux.DATA_VALUE, mask)),
        nested(linux.Bitwise.XOR, zero),
    )


def machine_word(value: int) -> bytes:
    """Return a number as the kernel compares what it made itself: in its own order."""
    return value.to_bytes(4, byteorder)


def _immediate(code: int) -> bytes:
    verdict = nested(linux.DATA_VERDICT, word(linux.VERDICT_CODE, code))
    return _expression(
        "immediate",
        word(linux.Immediate.DREG, VERDICT_REGISTER),
        nested(linux.Immediate.DATA, verdict),
    )


_COUNTER = word(linux.Object.TYPE, linux.OBJECT_COUNTER)
_FROM_FIRST = word(linux.Find.SREG, FIRST)
_FOLLOW = word(linux.Find.DREG, VERDICT_REGISTER)
_ABSENT = word(linux.Find.FLAGS, linux.INVERSE)

# Most of every rule is one of these few pieces.
_FAMILY_IS = {
    version: _load(Part.FAMILY) + _compare(linux.EQ, bytes((number,)))
    for version, number in FAMILY_NUMBERS.items()
}
_TRANSPORT_IS = {
    number: _load(Field.PROTOCOL) + _compare(linux.EQ, bytes((number,)))
    for number in (*PROTOCOL_NUMBERS.values(), ICMPV6)
}
_WORDS = 16
_LOADS = {
    (field, at): _load(field, register(at)) for field in Field for at in range(_WORDS)
}
_OPENS_NOT = (
    _load(Part.FLAGS)
    + _masked(bytes((FLAG_BITS,)))
    + _compare(linux.NEQ, bytes((SYN,)))
)
_STATE = _expression(
    "ct", word(linux.Connection.KEY, 0), word(linux.Connection.DREG, FIRST)
)
_STATE_IS = tuple(
    _STATE + _masked(machine_word(bits)) + _compare(linux.NEQ, machine_word(0))
    for bits in range(1 << len(STATE_BITS))
)
_FROM_NODE = _expression(
    "fib",
    word(linux.Fib.FLAGS, linux.FIB_SOURCE),
    word(linux.Fib.RESULT, linux.FIB_ADDRESS_TYPE),
    word(linux.Fib.DREG, FIRST),
) + _compare(linux.EQ, machine_word(linux.LOCAL))
_VERDICTS = {
    Final.ACCEPT: _immediate(linux.ACCEPT),
    Final.DROP: _immediate(linux.DROP),
    Final.RESET: _expression(
        "reject",
        word(linux.Reject.TYPE, linux.TCP_RESET),
        attribute(linux.Reject.CODE, b"\0"),
    ),
}


def program(rule: NftRule) -> bytes:
    """Return a rule's expressions, the value of NFTA_RULE_EXPRESSIONS."""
    writer = _Writer()
    for match_ in rule.matches:
        writer.match(match_)
    for statement in rule.statements:
        writer.statement(statement)
    return b"".join(writer.parts)


class _Writer:
    """A program under way; knows what it has checked of the packet's headers."""

    __slots__ = ("_transport", "_version", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._version: int | None = None
        self._transport: int | None = None

    def match(self, match_: Match) -> None:
        """Go on only where the packet matches."""
        match match_:
            case Lookup(fields, name, absent):
                self._look_up(fields, name, absent=absent)
            case StateIs(states):
                bits = sum(STATE_BITS[state] for state in states)
                self.parts.append(_STATE_IS[bits])
            case FamilyIs(version):
                self._need_version(version)
            case ProtocolIs(protocol):
                self._need_transport(PROTOCOL_NUMBERS[protocol])
            case PortIs(protocol, (low, high)):
                self._need_transport(PROTOCOL_NUMBERS[protocol])
                self._port(low, high)
            case NotOpening():
                self._need_transport(TCP)
                self.parts.append(_OPENS_NOT)
            case FromThisNode():
                self.parts.append(_FROM_NODE)
            case Foreign(expressions):
                raise RingfenceBug(f"a foreign rule was to be made: {expressions}")

    def statement(self, statement: Statement) -> None:
        """Do something with the packet."""
        match statement:
            case Count(counter):
                name = string(linux.Object.NAME, counter)
                self.parts.append(_expression("objref", _COUNTER, name))
            case Limit(per_second, burst):
                self.parts.append(_limit(per_second, burst))
            case Log(prefix, group, snaplen):
                self.parts.append(_log(prefix, group, snaplen))
            case Dispatch(field, name):
                self._load((field,))
                self.parts.append(_find(name, _FOLLOW))
            case Final():
                if statement is Final.RESET:
                    self._need_transport(TCP)
                self.parts.append(_VERDICTS[statement])

    def _need_version(self, version: int) -> None:
        if self._version != version:
            self._version = version
            self.parts.append(_FAMILY_IS[version])

    def _need_transport(self, number: int) -> None:
        if self._transport != number:
            self._transport = number
            self.parts.append(_TRANSPORT_IS[number])

    def _load(self, fields: tuple[Field, ...]) -> None:
        for field in fields:
            if field in VERSIONS:
                self._need_version(VERSIONS[field])
            if field is Field.ICMPV6:
                self._need_transport(ICMPV6)
        at = 0
        for field in fields:
            self.parts.append(_LOADS[field, at])
            at += padded(size_of(field)) // 4

    def _look_up(self, fields: tuple[Field, ...], name: str, *, absent: bool) -> None:
        self._load(fields)
        self.parts.append(_find(name, _ABSENT if absent else b""))

    def _port(self, low: int, high: int) -> None:
        self.parts.append(_LOADS[Field.PORT, 0])
        if low == high:
            self.parts.append(_compare(linux.EQ, low.to_bytes(2, "big")))
        else:
            self.parts.append(_compare(linux.GTE, low.to_bytes(2, "big")))
            self.parts.append(_compare(linux.LTE, high.to_bytes(2, "big")))


def _find(name: str, more: bytes) -> bytes:
    return _expression("lookup", _FROM_FIRST, string(linux.Find.SET, name), more)


def _limit(per_second: int, burst: int) -> bytes:
    return _expression(
        "limit",
        attribute(linux.Rate.RATE, per_second.to_bytes(8, "big")),
        attribute(linux.Rate.UNIT, SECOND.to_bytes(8, "big")),
        word(linux.Rate.BURST, burst),
        word(linux.Rate.TYPE, 0),
        word(linux.Rate.FLAGS, 0),
    )


def _log(prefix: str, group: int, snaplen: int) -> bytes:
    return _expression(
        "log",
        string(linux.Logging.PREFIX, prefix),
        attribute(linux.Logging.GROUP, group.to_bytes(2, "big")),
        word(linux.Logging.SNAPLEN, snaplen),
    )
