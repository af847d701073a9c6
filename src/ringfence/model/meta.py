"""Names and places: how objects are named and where in a file they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Labels: TypeAlias = Mapping[str, str]
"""A label map. Treated as frozen: nobody writes to it after decoding."""

Tri: TypeAlias = bool | None
"""Kleene's three values: True, False, and None for *unknown*."""


class ObjectKey(NamedTuple):
    """The name of a namespaced object; sorts by namespace, then name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Render as ``namespace/name``."""
        return f"{self.namespace}/{self.name}"


class Position(NamedTuple):
    """A place in a source; ``line`` and ``column`` count from 1."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        """Render as ``source:line:column``."""
        return f"{self.source}:{self.line}:{self.column}"


NOWHERE = Position("", 0, 0)
"""The place of a value that no file holds."""


def unknown_or(values: list[Tri]) -> Tri:
    """Kleene OR: True wins, then unknown, then False; an empty list is False."""
    if any(values):
        return True
    return None if None in values else False


def both(left: Tri, right: Tri) -> Tri:
    """Kleene AND: False wins, then unknown, then True."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True
