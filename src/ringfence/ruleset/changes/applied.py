"""A table after a transaction, as a kernel makes it: the transactions' own judge.

Refuses what a kernel refuses (nf_tables_api.c): what is there is not added, what
is not there or is referred to is not deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ringfence.errors import RingfenceBug
from ringfence.ruleset.arrange import arranged
from ringfence.ruleset.changes.edits import set_type
from ringfence.ruleset.changes.references import counters_of, holders_of
from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddTable,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteTable,
    DeleteVerdicts,
    FlushChain,
    Operation,
    SetType,
    Transaction,
)
from ringfence.ruleset.ir import (
    Chain,
    HashSet,
    IntervalSet,
    NftRule,
    NftSet,
    Table,
    VerdictMap,
)
from ringfence.ruleset.naming import Identity


def applied(table: Table | None, transaction: Transaction) -> Table:
    """Return a table after a transaction; None: there was none before.

    Its ``index`` stays: a transaction does not say what names stand for. Raises
    RingfenceBug for what a kernel would refuse, and where no table is left.
    """
    realm = _Realm(transaction.table)
    if table is not None:
        realm.take(table)
    for number, operation in enumerate(transaction.operations):
        try:
            realm.do(operation)
        except _RefusedError as refusal:
            raise RingfenceBug(f"operation {number}, {operation}: {refusal}") from None
    return realm.table({} if table is None else table.index)


class _RefusedError(Exception):
    """What a kernel would not do, as it would say it."""


def _need(*, that: bool, else_: str) -> None:
    if not that:
        raise _RefusedError(else_)


class _Realm:
    """A table as it changes, by name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._comment: str | None = None
        self._clear()

    def _clear(self) -> None:
        self._holders: dict[str, NftSet | VerdictMap] = {}
        self._chains: dict[str, Chain] = {}
        self._counters: dict[str, None] = {}

    def take(self, table: Table) -> None:
        """Begin with a table."""
        self._comment = table.comment
        self._holders = {each.name: each for each in (*table.sets, *table.maps)}
        self._chains = {each.name: each for each in table.chains}
        self._counters = dict.fromkeys(table.counters)

    def table(self, index: Mapping[str, Identity]) -> Table:
        """Return the table as it is now."""
        if self._comment is None:
            raise RingfenceBug(f"nothing is left of table {self._name}")
        maps = [of for of in self._holders.values() if isinstance(of, VerdictMap)]
        sets = [of for of in self._holders.values() if not isinstance(of, VerdictMap)]
        parts = Table(
            self._name,
            self._comment,
            tuple(sets),
            tuple(maps),
            tuple(self._counters),
            tuple(self._chains.values()),
            index,
        )
        return arranged(parts)

    def do(self, operation: Operation) -> None:
        """Take one operation."""
        if isinstance(operation, AddTable):
            if self._comment is None:
                self._comment = operation.comment
            return
        _need(that=self._comment is not None, else_="no such table")
        match operation:
            case DeleteTable():
                self._comment = None
                self._clear()
            case AddCounter() | DeleteCounter():
                self._counter(operation)
            case AddSet() | AddMap() | DeleteSet() | DeleteMap():
                self._holder(operation)
            case AddElements() | DeleteElements():
                self._elements(operation)
            case AddVerdicts() | DeleteVerdicts():
                self._verdicts(operation)
            case _:
                self._chain(operation)

    def _counter(self, operation: AddCounter | DeleteCounter) -> None:
        name = operation.name
        if isinstance(operation, AddCounter):
            _need(that=name not in self._counters, else_="the counter exists")
            self._counters[name] = None
            return
        used = any(name in counters_of(chain) for chain in self._chains.values())
        _need(that=name in self._counters, else_="no such counter")
        _need(that=not used, else_="a rule counts in it")
        del self._counters[name]

    def _holder(self, operation: AddSet | AddMap | DeleteSet | DeleteMap) -> None:
        match operation:
            case AddSet(type_, comment):
                make = IntervalSet(type_.name, type_.key, (), comment)
                plain = HashSet(type_.name, type_.key, frozenset(), comment)
                self._add_holder(make if type_.interval else plain)
            case AddMap(name, key):
                self._add_holder(VerdictMap(name, key, {}))
            case DeleteSet(name) | DeleteMap(name):
                held = self._holders.get(name)
                is_map = isinstance(held, VerdictMap)
                wanted = isinstance(operation, DeleteMap)
                used = any(name in holders_of(of) for of in self._chains.values())
                _need(that=held is not None and is_map is wanted, else_="no such set")
                _need(that=not used, else_="a rule looks into it")
                del self._holders[name]

    def _add_holder(self, holder: NftSet | VerdictMap) -> None:
        _need(that=holder.name not in self._holders, else_="the set exists")
        self._holders[holder.name] = holder

    def _elements(self, operation: AddElements | DeleteElements) -> None:
        held = self._typed(operation.type)
        if isinstance(held, HashSet):
            rows = _changed(held.elements, operation)
            self._holders[held.name] = replace(held, elements=rows)
        else:
            boxes = sorted(_changed(frozenset(held.elements), operation))
            self._holders[held.name] = replace(held, elements=tuple(boxes))

    def _typed(self, type_: SetType) -> NftSet:
        held = self._holders.get(type_.name)
        if isinstance(held, HashSet | IntervalSet) and set_type(held) == type_:
            return held
        raise _RefusedError("no such set of that type")

    def _verdicts(self, operation: AddVerdicts | DeleteVerdicts) -> None:
        held = self._holders.get(operation.map)
        if not isinstance(held, VerdictMap) or held.key is not operation.key:
            raise _RefusedError("no such map of that type")
        there, changed = dict(held.elements), operation.elements
        if isinstance(operation, AddVerdicts):
            _need(that=there.keys().isdisjoint(changed), else_="a value exists")
            ends = {self._chains.get(chain) for chain in changed.values()}
            fits = all(end is not None and end.priority is None for end in ends)
            _need(that=fits, else_="no such chain, or a base chain")
            there.update(changed)
        else:
            _need(that=changed.items() <= there.items(), else_="no such value")
            for value in changed:
                del there[value]
        self._holders[held.name] = replace(held, elements=there)

    def _chain(self, operation: Operation) -> None:
        match operation:
            case AddChain(name, hook, priority, comment):
                _need(that=name not in self._chains, else_="the chain exists")
                self._chains[name] = Chain(name, (), priority, comment, hook)
            case FlushChain(name):
                self._chains[name] = replace(self._named(name), rules=())
            case DeleteChain(name):
                _need(that=not self._named(name).rules, else_="the chain has rules")
                _need(that=not self._led_to(name), else_="a map leads to it")
                del self._chains[name]
            case AddRule(name, rule):
                self._add_rule(self._named(name), rule)
            case _:
                raise RingfenceBug(f"{operation} is no operation")

    def _named(self, name: str) -> Chain:
        chain = self._chains.get(name)
        if chain is None:
            raise _RefusedError("no such chain")
        return chain

    def _led_to(self, name: str) -> bool:
        return any(
            name in holder.elements.values()
            for holder in self._holders.values()
            if isinstance(holder, VerdictMap)
        )

    def _add_rule(self, chain: Chain, rule: NftRule) -> None:
        alone = replace(chain, rules=(rule,))
        _need(
            that=holders_of(alone) <= self._holders.keys(),
            else_="it looks into no such set",
        )
        _need(
            that=counters_of(alone) <= self._counters.keys(),
            else_="it counts in no such counter",
        )
        self._chains[chain.name] = replace(chain, rules=(*chain.rules, rule))


def _changed(
    there: frozenset[Any], operation: AddElements | DeleteElements
) -> frozenset[Any]:
    changed = frozenset(operation.elements)
    _need(that=bool(changed), else_="no elements")
    _need(that=len(changed) == len(operation.elements), else_="an element twice")
    if isinstance(operation, AddElements):
        _need(that=changed.isdisjoint(there), else_="an element exists")
        return there | changed
    _need(that=changed <= there, else_="no such element")
    return there - changed
