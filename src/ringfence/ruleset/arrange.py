"""The order of a table's parts: equal tables are equal values, however they came."""

from __future__ import annotations

from dataclasses import replace

from ringfence.ruleset.ir import Chain, Table


def arranged(table: Table) -> Table:
    """Return the table with its parts by name, those of the base chains first.

    Base chains stand as packets meet them. Nothing in a table means its place.
    """
    return replace(
        table,
        sets=tuple(sorted(table.sets, key=lambda of: _place(of.name))),
        maps=tuple(sorted(table.maps, key=lambda of: of.name)),
        counters=tuple(sorted(table.counters)),
        chains=tuple(sorted(table.chains, key=_chain_place)),
    )


def _place(name: str) -> tuple[bool, str]:
    return "/" in name, name


def _chain_place(chain: Chain) -> tuple[bool, int, str]:
    return chain.priority is None, chain.priority or 0, chain.name
