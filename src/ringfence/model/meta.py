"""Names and places: how objects are named and where in a file they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


Seek: TypeAlias = Callable[[], tuple[int, int]]
"""Finds a line and a column."""


class Position:
    """A place in a source; ``line`` and ``column`` count from 1.

    They may be sought only when asked for: most places are never told. A value
    like any other: equal places are equal, sought or not.
    """

    __slots__ = ("_found", "_seek", "source")

    def __init__(
        self, source: str, line: int = 0, column: int = 0, seek: Seek | None = None
    ) -> None:
        """Take the line and column, or what finds them; that may be slow."""
        self.source = source
        self._seek = seek
        self._found = None if seek else (line, column)

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self._mark()[0]

    @property
    def column(self) -> int:
        """The column, counted from 1."""
        return self._mark()[1]

    def _mark(self) -> tuple[int, int]:
        if self._seek is not None:
            self._found, self._seek = self._seek(), None
        return self._found or (0, 0)

    def __eq__(self, other: object) -> bool:
        """Whether the other one is the same place."""
        if not isinstance(other, Position):
            return NotImplemented
        return self is other or (
            self.source == other.source and self._mark() == other._mark()
        )

    def __hash__(self) -> int:
        """Return the hash of the source alone, so that nothing is sought for it."""
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Position], tuple[str, int, int]]:
        """Copy and pickle as found."""
        return Position, (self.source, self.line, self.column)

    def __repr__(self) -> str:
        """Render as it may be written in Python."""
        return f"Position({self.source!r}, {self.line}, {self.column})"

    def __str__(self) -> str:
        """Render as ``source:line:column``, or the source where it has no lines."""
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


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
