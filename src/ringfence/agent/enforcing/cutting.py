"""Established connections that a change denied, ended.

Listing a hundred thousand connections takes a while, so a thread of its own does
it; the loop, which alone knows the policies, judges what was listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread

from ringfence.adapters.kernel.conntrack import Conntrack
from ringfence.agent import journal
from ringfence.agent.enforcing.cut import Judge, question
from ringfence.agent.plan import Touched
from ringfence.errors import KernelError
from ringfence.observe.tracked import Tracked

LATER_S = 60.0
"""How long connections of pods that went may wait: many go in one listing, which
walks the kernel's whole table (30 ms at 262,144 buckets). Who gets such an address
does not wait."""

AGAIN_S = 1.0
"""How long a kernel is left alone that did not list any."""


class Cutter:
    """Lists connections on request and ends those that a judge denies.

    ``deliver`` is called in the listing thread with what was found. Everything else
    is of one thread, that of the loop.
    """

    def __init__(self, deliver: Callable[[list[Tracked]], None]) -> None:
        self._deliver = deliver
        self._closed = Event()
        self._wanted: SimpleQueue[frozenset[bytes] | None] = SimpleQueue()
        self._soon: frozenset[bytes] = frozenset()
        self._later: set[bytes] = set()
        self._later_at: float | None = None
        self._listing = False
        self._thread = Thread(target=self._list, name="conntrack", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is being listed is not delivered any more."""
        self._closed.set()
        self._wanted.put(None)

    def want(self, touched: Touched) -> None:
        """Have the connections of these addresses listed, one listing at a time."""
        self._soon |= touched.soon
        self._put_off(touched.later, LATER_S)
        if touched.taken & self._later:
            self._later_at = time.monotonic()
        self._ask()

    @property
    def due_in_s(self) -> float | None:
        """How long until ``want`` should be called again, None: no need."""
        if self._later_at is None or self._listing:
            return None
        return max(0.0, self._later_at - time.monotonic())

    def _put_off(self, addresses: frozenset[bytes], wait_s: float) -> None:
        if addresses:
            at = time.monotonic() + wait_s
            self._later_at = min(at, self._later_at or at)
        self._later |= addresses

    def _ask(self) -> None:
        if self._listing:
            return
        late = self._later_at is not None and self._later_at <= time.monotonic()
        addresses = self._soon.union(self._later if late else ())
        if not addresses:
            return
        self._soon = frozenset()
        if late:
            self._later, self._later_at = set(), None
        self._listing = True
        self._wanted.put(addresses)

    def cut(self, entries: list[Tracked], judge: Judge) -> int:
        """End the listed connections that are denied; return how many.

        What the kernel does not let go of is listed again later.
        """
        self._listing = False
        denied = judge.denied(entries)
        ended = 0
        try:
            if denied:
                with Conntrack() as conntrack:
                    ended = conntrack.forget(denied)
        except (KernelError, OSError) as error:
            journal.error("connections cannot be ended", words=str(error))
            sources = frozenset(question(entry).source for entry in denied)
            self._put_off(sources, AGAIN_S)
        self._ask()
        return ended

    def _list(self) -> None:
        while (addresses := self._wanted.get()) is not None:
            self._deliver(self._listed(addresses))

    def _listed(self, addresses: frozenset[bytes]) -> list[Tracked]:
        """List them, whenever the kernel answers: who is denied must not stay."""
        while not self._closed.is_set():
            try:
                with Conntrack() as conntrack:
                    return conntrack.entries(addresses)
            except (KernelError, OSError) as error:
                journal.error("connections cannot be listed", words=str(error))
                self._closed.wait(AGAIN_S)
        return []
