"""Ranks of a drawing from left to right: who calls stands before whom it calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

LAST_RANK = 3
"""Longer chains do not make a drawing wider."""


def ranks(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return the length of the longest way to each node, at most ``LAST_RANK``.

    Ways back, found depth first from the nodes that nobody calls, do not count.
    """
    onward: dict[str, list[str]] = defaultdict(list)
    called: set[str] = set()
    for source, target in sorted(edges):
        onward[source].append(target)
        called.add(target)
    roots = sorted(nodes, key=lambda node: node in called)
    finished = _finished(roots, onward)
    place = {node: number for number, node in enumerate(reversed(finished))}
    found = dict.fromkeys(nodes, 0)
    for node in reversed(finished):
        for other in onward[node]:
            if place[other] > place[node]:
                found[other] = min(LAST_RANK, max(found[other], found[node] + 1))
    return found


def _finished(roots: Sequence[str], onward: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the nodes in the order in which a walk in depth is done with them."""
    seen: set[str] = set()
    done: list[str] = []
    for root in roots:
        stack = [(root, iter([root]))]
        while stack:
            node, rest = stack[-1]
            other = next((o for o in rest if o not in seen), None)
            if other is not None:
                seen.add(other)
                stack.append((other, iter(onward.get(other, ()))))
                continue
            stack.pop()
            if stack:
                done.append(node)
    return done
