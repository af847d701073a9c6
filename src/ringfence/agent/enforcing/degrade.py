"""A table without what the kernel will not take: it lets less through, never more."""

from __future__ import annotations

from dataclasses import replace

from ringfence.errors import RingfenceBug
from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddRule,
    AddSet,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteSet,
    FlushChain,
    Operation,
)
from ringfence.ruleset.ir import (
    Chain,
    Count,
    Final,
    Lookup,
    NftRule,
    Table,
)

NOTHING_PASSES = NftRule((), (Final.DROP,), "the kernel refused this chain's rules")


def subject(operation: Operation) -> str | None:
    """Return the set, counter or chain that an operation is about.

    None where the table cannot do without it: a map, the table itself.
    """
    match operation:
        case AddSet(type) | AddElements(type) | DeleteElements(type):
            return type.name
        case AddCounter(name) | DeleteCounter(name) | DeleteSet(name):
            return name
        case AddRule(chain):
            return chain
        case AddChain(name) | FlushChain(name) | DeleteChain(name):
            return name
        case _:
            return None


def names_of(table: Table) -> frozenset[str]:
    """Return the names of the sets, counters and chains of a table."""
    named = (*table.sets, *table.chains)
    return frozenset(of.name for of in named).union(table.counters)


def expendable(table: Table, name: str) -> bool:
    """Whether the table may do without it.

    Not without base chains and maps, nor without a set that denials look into.
    """
    base = {chain.name for chain in table.chains if chain.priority is not None}
    denying = {
        match_.set
        for chain in table.chains
        for rule in chain.rules
        for match_ in rule.matches
        if isinstance(match_, Lookup) and Final.ACCEPT not in rule.statements
    }
    return name not in base | denying | {of.name for of in table.maps}


def without(table: Table, refused: frozenset[str]) -> Table:
    """Return the table without these sets and counters, and with these chains shut.

    A rule that looks into a missing set is left out: rules of policy-sets only ever
    allow. Raises RingfenceBug for what is not ``expendable``.
    """
    if not refused:
        return table
    for name in refused:
        if not expendable(table, name):
            raise RingfenceBug(f"{table.name} cannot do without {name}")
    return replace(
        table,
        sets=tuple(each for each in table.sets if each.name not in refused),
        counters=tuple(each for each in table.counters if each not in refused),
        chains=tuple(_chain(chain, refused) for chain in table.chains),
    )


def _chain(chain: Chain, refused: frozenset[str]) -> Chain:
    if chain.name in refused:
        return replace(chain, rules=(NOTHING_PASSES,))
    rules = tuple(
        _uncounted(rule, refused)
        for rule in chain.rules
        if not any(
            isinstance(match_, Lookup) and match_.set in refused
            for match_ in rule.matches
        )
    )
    return replace(chain, rules=rules)


def _uncounted(rule: NftRule, refused: frozenset[str]) -> NftRule:
    kept = tuple(
        statement
        for statement in rule.statements
        if not (isinstance(statement, Count) and statement.counter in refused)
    )
    return rule if kept == rule.statements else replace(rule, statements=kept)
