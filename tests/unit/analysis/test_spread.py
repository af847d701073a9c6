"""A mask of one cluster's classes as a mask of the ends of both clusters."""

from __future__ import annotations

import pytest

from ringfence.analysis.change.spread import MOST_RUNS, Spread

CLASSES = 4 * MOST_RUNS
EVERY = (1 << CLASSES) - 1


@pytest.mark.parametrize(
    "numbers",
    [
        [*range(CLASSES)],
        [*range(5), 5, 5, None, *range(6, CLASSES), None, 2],
        [None, *range(1, CLASSES), 0],
        [*range(CLASSES - 1)],
        [None, *reversed(range(CLASSES)), 3],
    ],
    ids=["alike", "one-split", "one-last", "one-nowhere", "turned-round"],
)
def test_joints_are_those_whose_class_is_chosen(numbers: list[int | None]) -> None:
    spread = Spread(numbers, CLASSES)
    for classes in (0, EVERY, 1, 1 << 5, 1 << CLASSES - 1, EVERY // 3, EVERY // 127):
        assert spread.joints(classes) == expected(numbers, classes)


def test_no_joints_take_no_classes() -> None:
    assert Spread([], 0).joints(0) == 0


def expected(numbers: list[int | None], classes: int) -> int:
    return sum(
        1 << joint
        for joint, number in enumerate(numbers)
        if number is not None and classes >> number & 1
    )
