"""A kernel's listing as a table, in ``normal`` form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ringfence.ruleset.ir import (
    Chain,
    HashSet,
    Hook,
    IntervalSet,
    NftRule,
    NftSet,
    Table,
    VerdictMap,
)
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import attributes, number, words
from ringfence.ruleset.wire.elements import Strange, boxes, rows, verdicts
from ringfence.ruleset.wire.encode import HOOKS
from ringfence.ruleset.wire.keys import datatypes, key_type
from ringfence.ruleset.wire.normal import normal
from ringfence.ruleset.wire.programs import Memory, rule_of
from ringfence.ruleset.wire.userdata import comment_in, set_comment_in

_HOOKS = {number_: hook for hook, number_ in HOOKS.items()}


@dataclass(frozen=True, slots=True)
class Dumps:
    """The bodies of a listing's messages: attributes, behind struct nfgenmsg.

    ``elements``: by the name of the set or map. ``chains`` may be of any table.
    """

    table: bytes
    chains: Sequence[bytes]
    rules: Sequence[bytes]
    sets: Sequence[bytes]
    elements: Mapping[str, Sequence[bytes]]
    objects: Sequence[bytes]
    flowtables: Sequence[bytes]


def table_comment(body: bytes) -> str:
    """Return the comment of a table, empty where it has none."""
    return comment_in(attributes(body).get(linux.TABLE_USERDATA))


def decode_table(name: str, dumps: Dumps) -> Table:
    """Return the table that the kernel lists.

    What no table of ours holds is named in ``Table.foreign`` and, of rules, stands in
    their chains as ``Foreign``: it is always a difference.
    """
    foreign: list[str] = []
    chains = _chains(name, dumps, foreign)
    sets, maps = _sets(dumps, foreign)
    counters = tuple(_counters(dumps.objects, foreign))
    for body in dumps.flowtables:
        flowtable = words(attributes(body).get(linux.FLOWTABLE_NAME))
        foreign.append(f"flowtable {flowtable}")
    flags = number(attributes(dumps.table).get(linux.TABLE_FLAGS))
    if flags:
        foreign.append(f"table flags {flags:#x}")
    comment = table_comment(dumps.table)
    listed = tuple(sorted(foreign))
    return normal(Table(name, comment, sets, maps, counters, chains, {}, listed))


def _chains(table: str, dumps: Dumps, foreign: list[str]) -> tuple[Chain, ...]:
    rules = _rules(dumps.rules)
    found = []
    for body in dumps.chains:
        chain = attributes(body)
        if words(chain.get(linux.TABLE)) != table:
            continue
        name = words(chain.get(linux.CHAIN_NAME))
        hook, priority = Hook.FORWARD, None
        if linux.CHAIN_HOOK in chain:
            place = _place(chain)
            if place is None:
                foreign.append(f"base chain {name}")
                continue
            hook, priority = place
        comment = comment_in(chain.get(linux.CHAIN_USERDATA))
        found.append(Chain(name, tuple(rules[name]), priority, comment, hook))
    return tuple(found)


def _place(chain: Mapping[int, bytes]) -> tuple[Hook, int] | None:
    """Return hook and priority of a base chain, None where it is not as ours are."""
    hook = attributes(chain[linux.CHAIN_HOOK])
    at = _HOOKS.get(number(hook.get(linux.HOOK_NUMBER)))
    filters = words(chain.get(linux.CHAIN_TYPE)) == "filter"
    accepts = number(chain.get(linux.CHAIN_POLICY)) == linux.ACCEPT
    if at is None or not filters or not accepts:
        return None
    priority = int.from_bytes(hook.get(linux.HOOK_PRIORITY, b""), "big", signed=True)
    return at, priority


def _rules(bodies: Iterable[bytes]) -> Mapping[str, list[NftRule]]:
    memory: Memory = {}
    found: dict[str, list[NftRule]] = defaultdict(list)
    for body in bodies:
        rule = attributes(body)
        comment = comment_in(rule.get(linux.RULE_USERDATA))
        listed = rule.get(linux.RULE_EXPRESSIONS, b"")
        chain = words(rule.get(linux.RULE_CHAIN))
        found[chain].append(rule_of(listed, comment, memory))
    return found


class _Kind(NamedTuple):
    """A set's flags and what it maps to."""

    flags: int
    data: int


_HASH = {_Kind(0, 0), _Kind(linux.SET_CONCAT, 0)}
_INTERVAL = {
    _Kind(linux.SET_INTERVAL, 0),
    _Kind(linux.SET_INTERVAL | linux.SET_CONCAT, 0),
}
_VERDICTS = {_Kind(linux.SET_MAP, linux.VERDICT_TYPE)}
_Sets: TypeAlias = tuple[tuple[NftSet, ...], tuple[VerdictMap, ...]]


def _sets(dumps: Dumps, foreign: list[str]) -> _Sets:
    sets: list[NftSet] = []
    maps: list[VerdictMap] = []
    for body in dumps.sets:
        name = words(attributes(body).get(linux.SET_NAME))
        try:
            found = _set(name, attributes(body), dumps.elements.get(name, ()))
        except Strange as what:
            foreign.append(f"set {name}: {what}")
            continue
        if isinstance(found, VerdictMap):
            maps.append(found)
        else:
            sets.append(found)
    return tuple(sets), tuple(maps)


def _set(
    name: str, body: Mapping[int, bytes], messages: Iterable[bytes]
) -> NftSet | VerdictMap:
    flags, data = linux.SET_FLAGS, linux.SET_DATA_TYPE
    kind = _Kind(number(body.get(flags)), number(body.get(data)))
    key = datatypes(number(body.get(linux.SET_KEY_TYPE)))
    if key is None or number(body.get(linux.SET_KEY_LENGTH)) != key_type(key).size:
        raise Strange("a key of another type")
    lists = [attributes(message).get(linux.ELEMENTS, b"") for message in messages]
    comment = set_comment_in(body.get(linux.SET_USERDATA))
    if kind in _HASH:
        return HashSet(name, key, rows(key, lists), comment)
    if kind in _INTERVAL:
        return IntervalSet(name, key, boxes(key, lists), comment)
    if kind in _VERDICTS and not key[1:] and not comment:
        return VerdictMap(name, key[0], verdicts(key[0], lists))
    raise Strange("a set of another kind")


def _counters(bodies: Iterable[bytes], foreign: list[str]) -> Iterable[str]:
    for body in bodies:
        found = attributes(body)
        name = words(found.get(linux.OBJECT_NAME))
        kind = number(found.get(linux.OBJECT_TYPE))
        if kind == linux.OBJECT_COUNTER:
            yield name
        else:
            foreign.append(f"object {name} of type {kind}")
