"""Changes to a table, in the order in which a kernel takes them: all or none.

The words of nf_tables (nft(8), linux/netfilter/nf_tables.h) as values. What holds
references to a thing is made after it and goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ringfence.ruleset.ir import Box, Datatype, Hook, NftRule, Row


class AddTable(NamedTuple):
    """Make the table, or keep the one that is there."""

    comment: str


class DeleteTable(NamedTuple):
    """Remove the table with everything in it."""


class AddCounter(NamedTuple):
    """Make a named counter at zero."""

    name: str


class DeleteCounter(NamedTuple):
    """Remove a counter that no rule counts in."""

    name: str


class SetType(NamedTuple):
    """What the kernel has to know of a set to take its elements."""

    name: str
    key: tuple[Datatype, ...]
    interval: bool


class AddSet(NamedTuple):
    """Make an empty set."""

    type: SetType
    comment: str = ""


class DeleteSet(NamedTuple):
    """Remove a set that no rule looks into."""

    name: str


class AddElements(NamedTuple):
    """Put elements, none of them there, into a set."""

    type: SetType
    elements: tuple[Row, ...] | tuple[Box, ...]


class DeleteElements(NamedTuple):
    """Take elements, all of them there, out of a set."""

    type: SetType
    elements: tuple[Row, ...] | tuple[Box, ...]


class AddMap(NamedTuple):
    """Make an empty verdict map."""

    name: str
    key: Datatype


class DeleteMap(NamedTuple):
    """Remove a map that no rule dispatches by."""

    name: str


class AddVerdicts(NamedTuple):
    """Send values, none of them in the map, to chains."""

    map: str
    key: Datatype
    elements: Mapping[int, str]


class DeleteVerdicts(NamedTuple):
    """Take values, all of them in the map, out of it; with the chains they go to."""

    map: str
    key: Datatype
    elements: Mapping[int, str]


class AddChain(NamedTuple):
    """Make an empty chain; a base chain where it has a priority."""

    name: str
    hook: Hook
    priority: int | None
    comment: str = ""


class FlushChain(NamedTuple):
    """Remove a chain's rules."""

    name: str


class DeleteChain(NamedTuple):
    """Remove an empty chain that nothing leads to."""

    name: str


class AddRule(NamedTuple):
    """Add a rule at a chain's end."""

    chain: str
    rule: NftRule


Operation: TypeAlias = (
    AddTable
    | DeleteTable
    | AddCounter
    | DeleteCounter
    | AddSet
    | DeleteSet
    | AddElements
    | DeleteElements
    | AddMap
    | DeleteMap
    | AddVerdicts
    | DeleteVerdicts
    | AddChain
    | FlushChain
    | DeleteChain
    | AddRule
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """Operations on ``table inet <table>``; packets meet what was before or after.

    False in a condition where there is nothing to do.
    """

    table: str
    operations: tuple[Operation, ...]

    def __bool__(self) -> bool:
        return bool(self.operations)
