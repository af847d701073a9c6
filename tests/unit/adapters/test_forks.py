"""Work in forked children comes back whole and in order."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from ringfence.adapters.forks import spread
from ringfence.errors import RingfenceBug


def squares(numbers: Sequence[int]) -> tuple[int, list[int]]:
    return os.getpid(), [number * number for number in numbers]


def test_parts_come_back_in_order_from_several_processes() -> None:
    found = spread(squares, range(1000), 10)
    assert [n for _, part in found for n in part] == [n * n for n in range(1000)]
    assert len({pid for pid, _ in found}) == len(found)


def test_little_work_stays_in_this_process() -> None:
    ((pid, _),) = spread(squares, range(9), 10)
    assert pid == os.getpid()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one processor")
def test_a_child_that_ends_early_is_no_empty_answer() -> None:
    parent = os.getpid()

    def leave(numbers: Sequence[int]) -> int:
        if os.getpid() != parent:
            os._exit(0)
        return len(numbers)

    with pytest.raises(RingfenceBug):
        spread(leave, range(100), 10)
