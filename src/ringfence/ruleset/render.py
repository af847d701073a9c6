"""A table as nft text: one transaction that replaces what was there.

nft(8), ``nft -f``: a batch is applied whole or not at all, and packets see
either the old table or the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ringfence.errors import RingfenceBug
from ringfence.ruleset.ir import (
    PROTOCOL_NUMBERS,
    Box,
    Chain,
    Count,
    Datatype,
    Dispatch,
    FamilyIs,
    Final,
    Foreign,
    FromThisNode,
    IntervalSet,
    Limit,
    Log,
    Lookup,
    Match,
    NftRule,
    NftSet,
    NotOpening,
    PortIs,
    ProtocolIs,
    Row,
    StateIs,
    Statement,
    Table,
    VerdictMap,
)
from ringfence.sets.cidr import address, prefixes
from ringfence.sets.interval import Interval

PROTOCOL_WORDS = {
    number: protocol.value.lower() for protocol, number in PROTOCOL_NUMBERS.items()
}

ICMPV6_WORDS = {
    130: "mld-listener-query",
    131: "mld-listener-report",
    132: "mld-listener-done",
    133: "nd-router-solicit",
    134: "nd-router-advert",
    135: "nd-neighbor-solicit",
    136: "nd-neighbor-advert",
    137: "nd-redirect",
    143: "mld2-listener-report",
}

VERSIONS = {Datatype.IPV4: 4, Datatype.IPV6: 6}


def render(table: Table) -> str:
    """Return the text that ``nft -f -`` loads, in place of any older table.

    Equal tables give equal bytes.
    """
    blocks = [
        *(_set_block(nft_set) for nft_set in table.sets),
        *(_map_block(verdicts) for verdicts in table.maps),
        *(_chain_block(chain) for chain in table.chains),
    ]
    lines = [
        # `delete` fails where there is no table, so one is added first.
        f"add table inet {table.name}",
        f"delete table inet {table.name}",
        f"table inet {table.name} {{",
        f'  comment "{table.comment}"',
        *(f"  counter {counter} {{ }}" for counter in table.counters),
        *("  " + line for block in blocks for line in block),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _set_block(nft_set: NftSet) -> Iterator[str]:
    yield f"set {nft_set.name} {{"
    yield "  type " + " . ".join(part.value for part in nft_set.key)
    if isinstance(nft_set, IntervalSet):
        yield "  flags interval"
        elements = [element_text(nft_set.key, box) for box in nft_set.elements]
    else:
        rows = sorted(nft_set.elements)
        elements = [element_text(nft_set.key, row) for row in rows]
    yield from _comment(nft_set.comment)
    yield from _elements(elements)
    yield "}"


def _map_block(verdicts: VerdictMap) -> Iterator[str]:
    yield f"map {verdicts.name} {{"
    yield f"  type {verdicts.key.value} : verdict"
    yield from _elements(
        f"{_value(verdicts.key, number)} : goto {chain}"
        for number, chain in sorted(verdicts.elements.items())
    )
    yield "}"


def _chain_block(chain: Chain) -> Iterator[str]:
    yield f"chain {chain.name} {{"
    yield from _comment(chain.comment)
    if chain.priority is not None:
        offset = f"{'-' if chain.priority < 0 else '+'} {abs(chain.priority)}"
        place = f"hook {chain.hook.value} priority filter {offset}"
        yield f"  type filter {place}; policy accept;"
    for rule in chain.rules:
        yield "  " + render_rule(rule)
    yield "}"


def _comment(text: str) -> Iterator[str]:
    if text:
        yield f'  comment "{text}"'


def _elements(elements: Iterable[str]) -> Iterator[str]:
    """Yield one element a line, so that a change is one line of a diff."""
    listed = list(elements)
    if listed:
        yield "  elements = {"
        yield from (f"    {element}," for element in listed)
        yield "  }"


def element_text(key: tuple[Datatype, ...], element: Row | Box) -> str:
    """Return one element of a set as nft reads it."""
    return " . ".join(map(_part, key, element))


def _part(datatype: Datatype, value: int | Interval) -> str:
    if isinstance(value, int):
        return _value(datatype, value)
    return _interval(datatype, value)


def _value(datatype: Datatype, number: int) -> str:
    match datatype:
        case Datatype.IPV4 | Datatype.IPV6:
            return str(address(number, VERSIONS[datatype]))
        case Datatype.PROTOCOL:
            return PROTOCOL_WORDS.get(number, str(number))
        case Datatype.ICMPV6:
            return ICMPV6_WORDS.get(number, str(number))
        case Datatype.PORT:
            return str(number)


def _interval(datatype: Datatype, interval: Interval) -> str:
    low, high = interval
    if low == high:
        return _value(datatype, low)
    if datatype in VERSIONS:
        covering = prefixes((interval,), VERSIONS[datatype])
        if len(covering) == 1:
            return str(covering[0])
    return f"{_value(datatype, low)}-{_value(datatype, high)}"


def render_rule(rule: NftRule) -> str:
    """Return one rule as nft reads it."""
    parts = [
        *map(_match, rule.matches),
        *map(_statement, rule.statements),
    ]
    if rule.comment:
        parts.append(f'comment "{rule.comment}"')
    return " ".join(parts)


def _match(match_: Match) -> str:
    match match_:
        case Lookup(fields, name, absent):
            unless = "!= " if absent else ""
            text = f"{' . '.join(field.value for field in fields)} {unless}@{name}"
        case StateIs(states):
            text = f"ct state {','.join(state.value for state in states)}"
        case FamilyIs(version):
            text = f"meta nfproto ipv{version}"
        case ProtocolIs(protocol):
            text = f"meta l4proto {protocol.value.lower()}"
        case PortIs(protocol, ports):
            ports_text = _interval(Datatype.PORT, ports)
            text = f"{protocol.value.lower()} dport {ports_text}"
        case NotOpening():
            text = "tcp flags & (fin|syn|rst|ack) != syn"
        case FromThisNode():
            text = "fib saddr type local"
        case Foreign(expressions):
            raise RingfenceBug(f"nothing writes a foreign rule anew: {expressions}")
    return text


def _statement(statement: Statement) -> str:
    match statement:
        case Count(counter):
            return f"counter name {counter}"
        case Limit(per_second, burst):
            return f"limit rate {per_second}/second burst {burst} packets"
        case Log(prefix, group, snaplen):
            return f'log prefix "{prefix}" group {group} snaplen {snaplen}'
        case Dispatch(field, name):
            return f"{field.value} vmap @{name}"
        case Final():
            return statement.value
