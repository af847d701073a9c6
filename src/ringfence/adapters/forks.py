"""Work spread over processors: children that inherit what there is to work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from ringfence.errors import RingfenceBug

T = TypeVar("T")
R = TypeVar("R")


def spread(
    work: Callable[[Sequence[T]], R], things: Sequence[T], least: int
) -> list[R]:
    """Return what ``work`` makes of consecutive parts of ``things``, in order.

    Each processor gets a part of at least ``least`` things; the last part is
    worked on here, the others in forked children, which inherit the things and
    send back their result. Raises RingfenceBug where a child ends without one.
    """
    processors = len(os.sched_getaffinity(0))
    share = max(least, -(-len(things) // processors))
    parts = [things[start : start + share] for start in range(0, len(things), share)]
    if len(parts) < 2:  # noqa: PLR2004 - nothing to share
        return [work(things)]
    context = get_context("fork")
    children = []
    for part in parts[:-1]:
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_send, args=(work, part, there), daemon=True)
        child.start()
        there.close()
        children.append((child, here))
    last = work(parts[-1])
    results = []
    for child, here in children:
        try:
            results.append(here.recv())
        except EOFError:
            raise RingfenceBug("a process that shared the work ended early") from None
        child.join()
    return [*results, last]


def _send(
    work: Callable[[Sequence[T]], R], part: Sequence[T], there: Connection
) -> None:
    there.send(work(part))
