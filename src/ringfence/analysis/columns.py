"""Classes and the columns of a matrix that they belong to, masks of them at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ringfence.engine.allpairs.masks import chosen, mask_of


@dataclass(frozen=True, slots=True)
class _Kind:
    """Columns of pods or of addresses, and the classes that belong to such: masks."""

    classes: int
    columns: int


class Columns:
    """The columns that classes belong to; a class of pods may be in several."""

    def __init__(
        self,
        classes: Sequence[Sequence[int]],
        number: int,
        kinds: Iterable[Iterable[int]],
    ) -> None:
        """Take the ``number`` columns, each with its classes, and a class's kind.

        ``kinds`` are disjoint sets of classes; a column has classes of one kind.
        ``number`` is how many classes there are.
        """
        self._columns: list[list[int]] = [[] for _ in range(number)]
        for column, members in enumerate(classes):
            for member in members:
                self._columns[member].append(column)
        self._sizes = list(map(len, classes))
        self._numbers = range(len(classes))
        self._first = [columns[0] if columns else -1 for columns in self._columns]
        sizes = list(enumerate(map(len, self._columns)))
        self._with_one = mask_of((number for number, of in sizes if of == 1), number)
        self._with_more = mask_of((number for number, of in sizes if of > 1), number)
        self._kinds = [self._kind(mask_of(kind, number)) for kind in kinds]

    def _kind(self, classes: int) -> _Kind:
        return _Kind(classes, mask_of(self.of(classes), len(self._numbers)))

    def of(self, classes: int) -> list[int]:
        """Return the columns of some classes, one for each that a class is in.

        Millions come out of this, so all of it runs in C.
        """
        columns = list(chosen(self._first, classes & self._with_one))
        more = chosen(self._columns, classes & self._with_more)
        columns.extend(chain.from_iterable(more))
        return columns

    def met(self, classes: int) -> int:
        """Return the columns (a mask) that have any of these classes.

        Where these are most of a kind, the columns are told by what is not there.
        """
        found = 0
        for kind in self._kinds:
            here = classes & kind.classes
            absent = here ^ kind.classes
            if not absent:
                found |= kind.columns
            elif here.bit_count() <= absent.bit_count():
                found |= mask_of(self.of(here), len(self._numbers))
            else:
                counted = Counter(self.of(absent)).items()
                lost = (one for one, count in counted if count == self._sizes[one])
                found |= kind.columns ^ mask_of(lost, len(self._numbers))
        return found

    def listed(self, columns: int) -> list[int]:
        """Return the numbers of the columns in a mask, in order."""
        return list(chosen(self._numbers, columns))
