"""What is to be done to a table, gathered in any order, in the order of a kernel.

What is referred to comes before what refers to it, and goes after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import IntEnum

from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteVerdicts,
    FlushChain,
    Operation,
    SetType,
    Transaction,
)
from ringfence.ruleset.ir import (
    Box,
    Chain,
    HashSet,
    IntervalSet,
    NftSet,
    Row,
    VerdictMap,
)


class Stage(IntEnum):
    """When an operation's turn is."""

    MAKE = 0
    SHRINK = 1
    GROW = 2
    CHAIN = 3
    RULE = 4
    UNDISPATCH = 5
    DISPATCH = 6
    EMPTY = 7
    CHAIN_GOES = 8
    SET_GOES = 9
    COUNTER_GOES = 10


def set_type(of: NftSet) -> SetType:
    """Return what the kernel has to know of a set to take its elements."""
    return SetType(of.name, of.key, isinstance(of, IntervalSet))


def made(of: NftSet | VerdictMap) -> AddSet | AddMap:
    """Return what makes an empty set or map: equal for those of equal shape."""
    if isinstance(of, VerdictMap):
        return AddMap(of.name, of.key)
    return AddSet(set_type(of), of.comment)


def made_chain(of: Chain) -> AddChain:
    """Return what makes an empty chain: equal for those of equal shape."""
    return AddChain(of.name, of.hook, of.priority, of.comment)


def removed(of: NftSet | VerdictMap) -> DeleteSet | DeleteMap:
    """Return what removes a set or map."""
    return DeleteMap(of.name) if isinstance(of, VerdictMap) else DeleteSet(of.name)


class Edits:
    """The operations that one transaction will have."""

    __slots__ = ("_stages",)

    def __init__(self) -> None:
        self._stages: defaultdict[Stage, list[Operation]] = defaultdict(list)

    def at(self, stage: Stage, operation: Operation) -> None:
        """Add one operation."""
        self._stages[stage].append(operation)

    def transaction(self, table: str) -> Transaction:
        """Return everything in order."""
        stages = sorted(self._stages)
        return Transaction(table, tuple(op for at in stages for op in self._stages[at]))

    def counters(self, come: Iterable[str], gone: Iterable[str]) -> None:
        """Make and remove counters."""
        for name in come:
            self.at(Stage.MAKE, AddCounter(name))
        for name in gone:
            self.at(Stage.COUNTER_GOES, DeleteCounter(name))

    def add_set(self, of: NftSet) -> None:
        """Make a set with its elements."""
        self.at(Stage.MAKE, made(of))
        if isinstance(of, HashSet):
            self.elements(set_type(of), tuple(sorted(of.elements)), ())
        else:
            self.elements(set_type(of), of.elements, ())

    def elements(
        self,
        type_: SetType,
        come: tuple[Row, ...] | tuple[Box, ...],
        gone: tuple[Row, ...] | tuple[Box, ...],
    ) -> None:
        """Change a set's elements."""
        if gone:
            self.at(Stage.SHRINK, DeleteElements(type_, gone))
        if come:
            self.at(Stage.GROW, AddElements(type_, come))

    def rewrite_chain(self, old: Chain | None, new: Chain | None) -> None:
        """Make a chain, remove it, or give it other rules; None: is not there."""
        if new is None:
            if old is not None:
                self.at(Stage.EMPTY, FlushChain(old.name))
                self.at(Stage.CHAIN_GOES, DeleteChain(old.name))
            return
        if old is None:
            self.at(Stage.CHAIN, made_chain(new))
        elif old.rules == new.rules:
            return
        elif old.rules:
            self.at(Stage.RULE, FlushChain(new.name))
        for rule in new.rules:
            self.at(Stage.RULE, AddRule(new.name, rule))

    def verdicts(
        self, of: AddMap, come: Mapping[int, str], gone: Mapping[int, str]
    ) -> None:
        """Change where a map sends values; one that changes is in both."""
        if gone:
            self.at(Stage.UNDISPATCH, DeleteVerdicts(*of, gone))
        if come:
            self.at(Stage.DISPATCH, AddVerdicts(*of, come))
