"""Ends that reach, and are reached by, exactly the same: one card for them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

Wires = Mapping[int, Mapping[int, Hashable]]
"""By source, then target: what a line between them would carry."""


def alike(kinds: Sequence[Hashable], wires: Wires) -> list[list[int]]:
    """Return the groups of ends of one kind that no line tells apart, in order.

    All members of a group have the same lines to every other end, and either none
    among themselves or the same between any two of them.
    """
    inward: dict[int, dict[int, Hashable]] = defaultdict(dict)
    for source, row in wires.items():
        for target, cell in row.items():
            inward[target][source] = cell
    rest = list(range(len(kinds)))
    groups: list[list[int]] = []
    for linked in (True, False):
        found: dict[Hashable, list[int]] = defaultdict(list)
        for end in rest:
            for own in _own_cells(end, wires, inward) if linked else (None,):
                found[_key(end, kinds[end], own, wires, inward)].append(end)
        taken: set[int] = set()
        for group in found.values():
            free = [end for end in group if end not in taken]
            if len(free) > 1:
                groups.append(free)
                taken.update(free)
        rest = [end for end in rest if end not in taken]
    return sorted([*groups, *([end] for end in rest)])


def _own_cells(end: int, wires: Wires, inward: Wires) -> set[Hashable]:
    """Return what an end could have with its like: equal both ways, and with itself."""
    row, column = wires.get(end, {}), inward.get(end, {})
    if end in row:
        return {row[end]}
    return {cell for other, cell in row.items() if column.get(other) == cell}


def _key(
    end: int, kind: Hashable, own: Hashable, wires: Wires, inward: Wires
) -> Hashable:
    row, column = dict(wires.get(end, {})), dict(inward.get(end, {}))
    if own is not None:
        row[end] = column[end] = own
    return kind, own, frozenset(row.items()), frozenset(column.items())
