"""One form for tables that mean the same, so that a listing compares by ``==``.

A kernel keeps neither the order of chains and sets nor what names stand for, and a
check that a later match implies leaves no trace of its own.
"""

from __future__ import annotations

from dataclasses import replace

from ringfence.model.flow import Protocol
from ringfence.ruleset.ir import (
    Dispatch,
    FamilyIs,
    Field,
    Final,
    HashSet,
    Lookup,
    Match,
    NftRule,
    NftSet,
    NotOpening,
    PortIs,
    ProtocolIs,
    State,
    StateIs,
    Table,
)
from ringfence.ruleset.wire.expressions import VERSIONS


def same(realised: Table, desired: Table) -> bool:
    """Whether a table read from a kernel is the desired one."""
    return normal(realised) == normal(desired)


def normal(table: Table) -> Table:
    """Return the table as ``decode_table`` reads it back, once it was loaded.

    Things by name; rules by ``normal_rule``; no index. ``foreign`` stays.
    """
    chains = (
        replace(chain, rules=tuple(map(normal_rule, chain.rules)))
        for chain in table.chains
    )
    return Table(
        table.name,
        table.comment,
        tuple(sorted(map(_ordered, table.sets), key=_name)),
        tuple(sorted(table.maps, key=_name)),
        tuple(sorted(table.counters)),
        tuple(sorted(chains, key=_name)),
        {},
        table.foreign,
    )


def _name(named: object) -> str:
    return str(getattr(named, "name", ""))


def _ordered(nft_set: NftSet) -> NftSet:
    if isinstance(nft_set, HashSet):
        return nft_set
    return replace(nft_set, elements=tuple(sorted(nft_set.elements)))


def normal_rule(rule: NftRule) -> NftRule:
    """Return the rule without checks that its other parts make anyhow."""
    implied = _implied(rule)
    matches = tuple(
        _in_order(match_) for match_ in rule.matches if match_ not in implied
    )
    return rule if matches == rule.matches else replace(rule, matches=matches)


def _in_order(match_: Match) -> Match:
    if isinstance(match_, StateIs):
        return StateIs(tuple(state for state in State if state in match_.states))
    return match_


def _implied(rule: NftRule) -> set[Match]:
    found: set[Match] = set()
    for match_ in rule.matches:
        match match_:
            case Lookup(fields):
                found.update(map(FamilyIs, _versions(fields)))
            case PortIs(protocol):
                found.add(ProtocolIs(protocol))
            case NotOpening():
                found.add(ProtocolIs(Protocol.TCP))
            case _:
                pass
    for statement in rule.statements:
        match statement:
            case Dispatch(field):
                found.update(map(FamilyIs, _versions((field,))))
            case Final.RESET:
                found.add(ProtocolIs(Protocol.TCP))
            case _:
                pass
    return found


def _versions(fields: tuple[Field, ...]) -> set[int]:
    return {VERSIONS[field] for field in fields if field in VERSIONS}
