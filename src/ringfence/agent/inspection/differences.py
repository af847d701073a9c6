"""What the kernel's table differs in, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
)
from ringfence.ruleset.ir import Box, Datatype, Row
from ringfence.ruleset.render import element_text

SHOWN = 5
"""Elements of one set that are named."""


def differences(operations: Iterable[Operation]) -> Iterator[str]:
    """Yield what operations would mend, a sentence each; rules by their chain."""
    rewritten: set[str] = set()  # chains whose rules were spoken of
    for operation in operations:
        match operation:
            case FlushChain(name) | AddRule(name):
                if name not in rewritten:
                    rewritten.add(name)
                    yield f"chain {name} has other rules"
            case AddElements(of, elements) | DeleteElements(of, elements):
                yield f"set {of.name} {_verb(operation)} {_some(of.key, elements)}"
            case AddVerdicts(name, key, ways) | DeleteVerdicts(name, key, ways):
                yield f"map {name} {_verb(operation)} {_ways(key, ways)}"
            case AddTable() | DeleteTable():
                yield "the table is of another schema, or holds what nobody can read"
            case AddSet(of):
                yield f"set {of.name} is missing"
            case AddCounter(name) | AddMap(name) | AddChain(name):
                rewritten.add(name)
                yield f"{_KINDS[type(operation)]} {name} is missing"
            case _:
                yield f"{_KINDS[type(operation)]} {operation[0]} should not be there"


def _verb(operation: Operation) -> str:
    adds = isinstance(operation, AddElements | AddVerdicts)
    return "lacks" if adds else "should not hold"


_KINDS: dict[type[Operation], str] = {
    AddCounter: "counter",
    AddMap: "map",
    AddChain: "chain",
    DeleteCounter: "counter",
    DeleteMap: "map",
    DeleteChain: "chain",
    DeleteSet: "set",
}


def _some(key: tuple[Datatype, ...], elements: Sequence[Row | Box]) -> str:
    return _listed(
        [element_text(key, element) for element in elements[:SHOWN]], elements
    )


def _ways(key: Datatype, elements: Mapping[int, str]) -> str:
    first = list(elements.items())[:SHOWN]
    ways = [f"{element_text((key,), (value,))} -> {chain}" for value, chain in first]
    return _listed(ways, elements)


def _listed(
    shown: Sequence[str], elements: Sequence[object] | Mapping[int, str]
) -> str:
    rest = len(elements) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
