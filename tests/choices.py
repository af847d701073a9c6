"""Random choices of a node's operator."""

from __future__ import annotations

from random import Random

from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import Hook
from strategies import BLOCKS, NAMESPACES


def some_enforcement(random: Random) -> Enforcement:
    """Return how a node enforces, every other time by default."""
    if random.random() < 0.5:
        return ENFORCE
    nets = (*BLOCKS[4][2:6], *BLOCKS[6][1:4])
    return Enforcement(
        audit=random.random() < 0.5,
        exceptions=frozenset(n for n in NAMESPACES if random.random() < 0.3),
        guarded=tuple(random.sample(nets, random.choice((0, 0, 1, 2)))),
        hook=random.choice((*Hook, Hook.FORWARD)),
        samples=random.choice((0, 0, 10)),
        cuts=random.random() < 0.5,
    )
