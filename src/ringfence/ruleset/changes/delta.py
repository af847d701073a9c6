"""The shortest way from one table to another, as one transaction.

Neither table has to be one of ours: what a kernel holds may differ in anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ringfence.errors import RingfenceBug
from ringfence.ruleset.changes.applied import applied
from ringfence.ruleset.changes.edits import (
    Edits,
    Stage,
    made,
    made_chain,
    removed,
    set_type,
)
from ringfence.ruleset.changes.references import holders_of
from ringfence.ruleset.changes.transaction import (
    AddMap,
    AddTable,
    DeleteChain,
    DeleteTable,
    DeleteVerdicts,
    FlushChain,
    Operation,
    Transaction,
)
from ringfence.ruleset.ir import (
    Chain,
    HashSet,
    IntervalSet,
    NftSet,
    Table,
    VerdictMap,
)

T = TypeVar("T", bound=Chain | HashSet | IntervalSet | VerdictMap)


def load(desired: Table) -> Transaction:
    """Return the transaction that makes a table anew, in place of any older one."""
    edits = Edits()
    nothing = Table(desired.name, desired.comment, (), (), (), (), {})
    _compare(edits, nothing, desired)
    # Deleting a table that is not there is an error, so one is added first.
    fresh = (AddTable(desired.comment), DeleteTable(), AddTable(desired.comment))
    return Transaction(
        desired.name, (*fresh, *edits.transaction(desired.name).operations)
    )


def delta(realised: Table | None, desired: Table) -> Transaction:
    """Return what makes a kernel's table the desired one; None: there is none.

    Base chains stay, unless their hook or priority is another. A table of another
    schema, or with something foreign in it, is made anew. Raises RingfenceBug for
    tables of different names.
    """
    if (
        realised is None
        or realised.comment != desired.comment
        or realised.foreign != desired.foreign
    ):
        return load(desired)
    if realised.name != desired.name:
        raise RingfenceBug(f"{realised.name} cannot become {desired.name}")
    first = _clearing(realised, desired)
    if first:
        realised = applied(realised, Transaction(desired.name, first))
    edits = Edits()
    _compare(edits, realised, desired)
    rest = edits.transaction(desired.name).operations
    return Transaction(desired.name, (*first, *rest))


def _clearing(old: Table, new: Table) -> tuple[Operation, ...]:
    """Return what takes out the things whose name stays and whose shape does not."""
    holders, chains = _by_name((*old.sets, *old.maps)), _by_name(old.chains)
    shapes = {each.name: made(each) for each in (*new.sets, *new.maps)}
    doomed = {
        name: holder
        for name, holder in holders.items()
        if name in shapes and made(holder) != shapes[name]
    }
    bases = {each.name: made_chain(each) for each in new.chains}
    reshaped = {
        name
        for name, each in chains.items()
        if name in bases and made_chain(each) != bases[name]
    }
    operations: list[Operation] = [
        FlushChain(chain.name)
        for chain in old.chains
        if chain.rules
        and (chain.name in reshaped or not doomed.keys().isdisjoint(holders_of(chain)))
    ]
    for of in old.maps:
        leading = {n: to for n, to in of.elements.items() if to in reshaped}
        if leading:
            operations.append(DeleteVerdicts(of.name, of.key, leading))
    operations += [DeleteChain(name) for name in sorted(reshaped)]
    operations += [removed(holder) for holder in doomed.values()]
    return tuple(operations)


def _compare(edits: Edits, old: Table, new: Table) -> None:
    """Note what differs in tables that agree on the shape of what is in both."""
    edits.counters(
        sorted({*new.counters} - {*old.counters}),
        sorted({*old.counters} - {*new.counters}),
    )
    _compare_sets(edits, _by_name(old.sets), _by_name(new.sets))
    _compare_maps(edits, _by_name(old.maps), _by_name(new.maps))
    were, are = _by_name(old.chains), _by_name(new.chains)
    for name in _names(were, are):
        edits.rewrite_chain(were.get(name), are.get(name))


def _compare_sets(
    edits: Edits, old: Mapping[str, NftSet], new: Mapping[str, NftSet]
) -> None:
    for name, gone in old.items():
        if name not in new:
            edits.at(Stage.SET_GOES, removed(gone))
    for name, come in new.items():
        match old.get(name), come:
            case HashSet(elements=had), HashSet(elements=has):
                rows = sorted(has - had), sorted(had - has)
                edits.elements(set_type(come), *map(tuple, rows))
            case IntervalSet(elements=had), IntervalSet(elements=has):
                boxes = sorted({*has} - {*had}), sorted({*had} - {*has})
                edits.elements(set_type(come), *map(tuple, boxes))
            case _:
                edits.add_set(come)


def _compare_maps(
    edits: Edits, old: Mapping[str, VerdictMap], new: Mapping[str, VerdictMap]
) -> None:
    for name, gone in old.items():
        if name not in new:
            edits.verdicts(AddMap(name, gone.key), {}, gone.elements)
            edits.at(Stage.SET_GOES, removed(gone))
    for name, come in new.items():
        make = AddMap(name, come.key)
        if name not in old:
            edits.at(Stage.MAKE, make)
        had = old[name].elements if name in old else {}
        has = come.elements
        edits.verdicts(make, _without(has, had), _without(had, has))


def _without(these: Mapping[int, str], those: Mapping[int, str]) -> dict[int, str]:
    return {n: chain for n, chain in these.items() if those.get(n) != chain}


def _by_name(things: Iterable[T]) -> dict[str, T]:
    return {thing.name: thing for thing in things}


def _names(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return [*new, *(name for name in old if name not in new)]
