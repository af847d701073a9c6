"""Rules read back from the small programs that the kernel holds.

Only what ``expressions`` writes is understood; what is not is ``Foreign``, never
guessed and never passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import byteorder
from typing import NamedTuple, TypeAlias

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
    StateIs,
    Statement,
)
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import attributes, number, pairs, words
from ringfence.ruleset.wire.expressions import (
    FAMILY_NUMBERS,
    FIRST,
    FLAG_BITS,
    ICMPV6,
    IN_HEADER,
    META,
    SECOND,
    STATE_BITS,
    SYN,
    TCP,
    VERDICT_REGISTER,
    VERSIONS,
    InHeader,
    Part,
    machine_word,
    size_of,
)
from ringfence.ruleset.wire.keys import padded, register
from ringfence.sets.interval import Interval

_PROTOCOLS = {number_: protocol for protocol, number_ in PROTOCOL_NUMBERS.items()}
_FAMILIES = {bytes((number_,)): version for version, number_ in FAMILY_NUMBERS.items()}
_HEADERS = {place: what for what, place in IN_HEADER.items()}
_METAS = {key: what for what, key in META.items()}


class Load(NamedTuple):
    """A field or part into a register."""

    what: Field | Part
    register: int


class Mask(NamedTuple):
    """Some bits of the first register stay."""

    bits: bytes


class Comparison(NamedTuple):
    """The first register compares so with a value."""

    op: int
    value: bytes


class Found(NamedTuple):
    """What is in the registers is an element of a set; or its verdict is followed."""

    set: str
    absent: bool
    dispatches: bool


class Unknown(NamedTuple):
    """An expression that we never write."""

    name: str


class Nothing(NamedTuple):
    """An expression without effect."""


Step: TypeAlias = Load | Mask | Comparison | Found | Statement | Unknown | Nothing
Memory: TypeAlias = dict[bytes, Step]
"""Steps by their bytes, for one listing: a few forms make most of its rules."""


def rule_of(listed: bytes, comment: str, memory: Memory) -> NftRule:
    """Return the rule whose expressions these are, every check a match of its own.

    One with anything foreign in it is nothing but ``Foreign``.
    """
    expressions = [data for _, data in pairs(listed)]
    reader = _Reader()
    for data in expressions:
        step = memory.get(data)
        if step is None:
            step = memory[data] = _step(data)
        if not reader.take(step):
            break
    else:
        if reader.is_whole():
            matches, statements = tuple(reader.matches), tuple(reader.statements)
            return NftRule(matches, statements, comment)
    names = ", ".join(
        words(attributes(data).get(linux.EXPRESSION_NAME)) for data in expressions
    )
    return NftRule((Foreign(names),), (), comment)


class _Reader:
    """What a program has said so far; ``take`` answers whether it was understood."""

    __slots__ = (
        "_bits",
        "_icmpv6",
        "_loads",
        "_low",
        "_transport",
        "_version",
        "matches",
        "statements",
    )

    def __init__(self) -> None:
        self.matches: list[Match] = []
        self.statements: list[Statement] = []
        self._loads: list[Load] = []
        self._bits: bytes | None = None
        self._low: int | None = None
        self._version: int | None = None
        self._transport: int | None = None
        self._icmpv6 = False  # checked, but no type looked at: we have no such match

    def is_whole(self) -> bool:
        """Whether nothing stays begun."""
        return not self._loads and not self._icmpv6

    def take(self, step: Step) -> bool:
        """Go one step on."""
        match step:
            case Load():
                taken = self._low is None and self._bits is None
                self._loads.append(step)
            case Mask(bits):
                taken = self._loads != [] and self._bits is None
                self._bits = bits
            case Comparison():
                taken = self._compare(step)
            case Found():
                taken = self._look_up(step)
            case Unknown():
                taken = False
            case Nothing():
                taken = True
            case _:
                taken = not self._loads and (
                    step is not Final.RESET or self._transport == TCP
                )
                self.statements.append(step)
        return taken

    def _compare(self, step: Comparison) -> bool:
        if len(self._loads) != 1 or self._loads[0].register != FIRST:
            return False
        what, bits = self._loads[0].what, self._bits
        match what, bits, step:
            case Part.FAMILY, None, Comparison(linux.EQ, value) if value in _FAMILIES:
                self._version = _FAMILIES[value]
                found: Match | None = FamilyIs(self._version)
            case Field.PROTOCOL, None, Comparison(linux.EQ, value):
                return self._is_transport(number(value))
            case Field.PORT, None, Comparison(op, value):
                return self._is_port(op, number(value))
            case Part.STATE, bytes(), Comparison(linux.NEQ, value) if not number(value):
                found = _states(bits)
            case Part.FLAGS, bytes(), Comparison(linux.NEQ, value):
                opening = number(bits), number(value)
                good = opening == (FLAG_BITS, SYN) and self._transport == TCP
                found = NotOpening() if good else None
            case Part.ADDRESS_TYPE, None, Comparison(linux.EQ, value):
                local = value == machine_word(linux.LOCAL)
                found = FromThisNode() if local else None
            case _:
                found = None
        return found is not None and self._matched(found)

    def _matched(self, match_: Match) -> bool:
        """Note a match; one behind a statement would be another rule than ours."""
        self._loads.clear()
        self._bits = self._low = None
        self.matches.append(match_)
        return not self.statements

    def _is_transport(self, value: int) -> bool:
        self._transport = value
        if value == ICMPV6:
            self._icmpv6 = True
            self._loads.clear()
            return not self.statements
        protocol = _PROTOCOLS.get(value)
        return protocol is not None and self._matched(ProtocolIs(protocol))

    def _is_port(self, op: int, value: int) -> bool:
        protocol = _PROTOCOLS.get(self._transport or 0)
        if protocol is None:
            return False
        low, self._low = self._low, None
        if op == linux.GTE and low is None:
            self._low = value
            return True
        if op == linux.EQ and low is None:
            return self._matched(PortIs(protocol, Interval(value, value)))
        if op == linux.LTE and low is not None:
            return self._matched(PortIs(protocol, Interval(low, value)))
        return False

    def _look_up(self, step: Found) -> bool:
        fields = self._fields()
        if not fields or self._bits is not None or self._low is not None:
            return False
        if not step.dispatches:
            return self._matched(Lookup(fields, step.set, step.absent))
        self._loads.clear()
        if fields[1:] or step.absent:
            return False
        self.statements.append(Dispatch(fields[0], step.set))
        return True

    def _fields(self) -> tuple[Field, ...]:
        """Return what the registers hold as a key; none: it is no key of ours."""
        fields: list[Field] = []
        at = 0
        for what, into in self._loads:
            if not isinstance(what, Field) or into != register(at):
                return ()
            if VERSIONS.get(what, self._version) != self._version:
                return ()
            if what is Field.ICMPV6:
                if self._transport != ICMPV6:
                    return ()
                self._icmpv6 = False
            fields.append(what)
            at += padded(size_of(what)) // 4
        return tuple(fields)


def _states(bits: bytes) -> StateIs | None:
    states = tuple(
        state
        for state, bit in STATE_BITS.items()
        if int.from_bytes(bits, byteorder) & bit
    )
    exact = bits == machine_word(sum(STATE_BITS[state] for state in states))
    return StateIs(states) if states and exact else None


def _step(data: bytes) -> Step:
    """Return what one expression does."""
    found = attributes(data)
    name = words(found.get(linux.EXPRESSION_NAME))
    reader = _STEPS.get(name)
    inner = attributes(found.get(linux.EXPRESSION_DATA, b""))
    step = reader(inner) if reader else None
    return Unknown(name) if step is None else step


_Inner: TypeAlias = dict[int, bytes]


def _numbers(inner: _Inner) -> dict[int, int]:
    return {kind: number(data) for kind, data in inner.items()}


def _meta(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    what = _METAS.get(found.get(linux.Meta.KEY, -1))
    into = found.get(linux.Meta.DREG)
    return Load(what, into) if what and into else None


def _payload(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    parts = (linux.Payload.BASE, linux.Payload.OFFSET, linux.Payload.LEN)
    what = _HEADERS.get(InHeader(*(found.get(part, -1) for part in parts)))
    into = found.get(linux.Payload.DREG)
    return Load(what, into) if what and into else None


def _connection(inner: _Inner) -> Step | None:
    asked = {linux.Connection.DREG: FIRST, linux.Connection.KEY: 0}
    return Load(Part.STATE, FIRST) if _numbers(inner) == asked else None


def _fib(inner: _Inner) -> Step | None:
    asked = {
        linux.Fib.DREG: FIRST,
        linux.Fib.RESULT: linux.FIB_ADDRESS_TYPE,
        linux.Fib.FLAGS: linux.FIB_SOURCE,
    }
    return Load(Part.ADDRESS_TYPE, FIRST) if _numbers(inner) == asked else None


def _bitwise(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    mask = attributes(inner.get(linux.Bitwise.MASK, b"")).get(linux.DATA_VALUE)
    xor = attributes(inner.get(linux.Bitwise.XOR, b"")).get(linux.DATA_VALUE)
    registers = found.get(linux.Bitwise.SREG), found.get(linux.Bitwise.DREG)
    plain = registers == (FIRST, FIRST) and not found.get(linux.Bitwise.OP)
    return Mask(mask) if mask and plain and not number(xor) else None


def _comparison(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    data = attributes(inner.get(linux.Compare.DATA, b"")).get(linux.DATA_VALUE)
    if data is None or found.get(linux.Compare.SREG) != FIRST:
        return None
    return Comparison(found.get(linux.Compare.OP, -1), data)


def _lookup(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    flags = found.get(linux.Find.FLAGS, 0)
    into = found.get(linux.Find.DREG)
    usual = found.get(linux.Find.SREG) == FIRST and flags in (0, linux.INVERSE)
    if not usual or into not in (None, VERDICT_REGISTER):
        return None
    name = words(inner.get(linux.Find.SET))
    return Found(name, flags == linux.INVERSE, into is not None)


def _byteorder(inner: _Inner) -> Step | None:
    # nft swaps the one byte of a protocol in front of an interval set's lookup.
    return Nothing() if number(inner.get(linux.Byteorder.LEN)) == 1 else None


def _object(inner: _Inner) -> Step | None:
    counted = number(inner.get(linux.Object.TYPE)) == linux.OBJECT_COUNTER
    name = words(inner.get(linux.Object.NAME))
    return Count(name) if counted and name else None


def _limit(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    packets = found.get(linux.Rate.TYPE, 0) == found.get(linux.Rate.FLAGS, 0) == 0
    if found.get(linux.Rate.UNIT) != SECOND or not packets:
        return None
    return Limit(found.get(linux.Rate.RATE, 0), found.get(linux.Rate.BURST, 0))


def _log(inner: _Inner) -> Step | None:
    found = _numbers(inner)
    found.pop(linux.Logging.PREFIX, None)
    group = found.pop(linux.Logging.GROUP, None)
    snaplen = found.pop(linux.Logging.SNAPLEN, 0)
    if group is None or any(found.values()):
        return None
    return Log(words(inner.get(linux.Logging.PREFIX)), group, snaplen)


def _immediate(inner: _Inner) -> Step | None:
    data = attributes(inner.get(linux.Immediate.DATA, b""))
    verdict = attributes(data.get(linux.DATA_VERDICT, b""))
    code = verdict.get(linux.VERDICT_CODE)
    if code is None or number(inner.get(linux.Immediate.DREG)) != VERDICT_REGISTER:
        return None
    return {linux.ACCEPT: Final.ACCEPT, linux.DROP: Final.DROP}.get(number(code))


def _reject(inner: _Inner) -> Step | None:
    reset = number(inner.get(linux.Reject.TYPE)) == linux.TCP_RESET
    return Final.RESET if reset else None


_STEPS: dict[str, Callable[[_Inner], Step | None]] = {
    "meta": _meta,
    "payload": _payload,
    "ct": _connection,
    "fib": _fib,
    "bitwise": _bitwise,
    "cmp": _comparison,
    "lookup": _lookup,
    "byteorder": _byteorder,
    "objref": _object,
    "limit": _limit,
    "log": _log,
    "immediate": _immediate,
    "reject": _reject,
}
