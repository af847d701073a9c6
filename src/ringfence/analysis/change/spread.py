"""From the classes of one cluster to the ends that two clusters have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

MOST_RUNS = 64
"""Moving this many runs of a mask takes about as long as going through its digits."""

MOST_KEPT = 1_000
"""How many masks of classes are remembered with their joints."""


class _Run(NamedTuple):
    """Neighbouring classes that are neighbouring joints, ``ones`` as many bits."""

    first: int
    joint: int
    ones: int


class Spread:
    """From the classes of one cluster to the joints that they fall into, as masks."""

    def __init__(self, numbers: Sequence[int | None], classes: int) -> None:
        """Take the class of each joint, None where the cluster has no such end.

        ``classes`` is how many classes there are.
        """
        # What a small change leaves alone is numbered alike but for a shift.
        runs = list(_runs(numbers))
        self._runs = runs if len(runs) <= MOST_RUNS else None
        # Digits are written from the highest number down; the first is always 0.
        places = (0 if n is None else classes - n for n in reversed(numbers))
        self._width = classes + 1
        self._pick = itemgetter(*places) if numbers else lambda _: "0"
        self._kept: dict[int, int] = {}

    def joints(self, classes: int) -> int:
        """Return the joints of some classes."""
        if self._runs is None:
            return self._picked(classes)
        found = 0
        for first, joint, ones in self._runs:
            found |= (classes >> first & ones) << joint
        return found

    def _picked(self, classes: int) -> int:
        """Return the joints digit by digit; rows have many masks in common."""
        found = self._kept.get(classes)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            digits = "".join(self._pick(f"{classes:0{self._width}b}"))
            found = self._kept[classes] = int(digits, 2)
        return found


def _runs(numbers: Sequence[int | None]) -> Iterator[_Run]:
    start = 0
    for joint in range(1, len(numbers) + 1):
        first = numbers[start]
        expected = None if first is None else first + joint - start
        if joint < len(numbers) and numbers[joint] == expected:
            continue
        if first is not None:
            yield _Run(first, start, (1 << joint - start) - 1)
        start = joint
