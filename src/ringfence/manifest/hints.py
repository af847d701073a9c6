"""Hints of ours: where a mistake stands and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.errors import Problem
from ringfence.manifest.reader import Item
from ringfence.manifest.rules.causes import Cause


def hints_for(item: Item, causes: Iterable[Cause]) -> tuple[Problem, ...]:
    """Return the place of each cause."""
    return tuple(
        Problem(str(item.position(tuple(c.path))), c.message, c.field) for c in causes
    )
