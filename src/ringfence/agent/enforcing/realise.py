"""The desired table into the kernel, whatever the kernel says to it.

A transaction that the kernel refuses names the operation. What that is about is
left out - the table then lets less through - and everything else is applied; the
rest is tried again later, each time after a longer wait.
"""

from __future__ import annotations

import errno
import time
from typing import NamedTuple, Protocol

from ringfence.adapters.kernel.nftables import Nftables, Refused
from ringfence.agent import journal
from ringfence.agent.enforcing.degrade import expendable, names_of, subject, without
from ringfence.agent.metrics import Metrics
from ringfence.errors import KernelError
from ringfence.ruleset.changes.delta import delta
from ringfence.ruleset.changes.transaction import Transaction
from ringfence.ruleset.ir import Table
from ringfence.ruleset.wire.normal import normal

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0

_BLAMELESS = frozenset(
    {errno.EPERM, errno.ENOMEM, errno.ENOBUFS, errno.EINTR, errno.EAGAIN}
)
"""Refusals that say nothing of the operation that they name."""


class Wanted(Protocol):
    """What the kernel should hold; ``table`` may be slow."""

    def table(self) -> Table:
        """Return the whole table."""


class Trouble(NamedTuple):
    """Why the kernel does not hold what it should."""

    name: str
    words: str


class Realiser:
    """Keeps the kernel's table as the desired one is; of one thread.

    ``complaint`` is why the last attempt failed as a whole; ``generation`` counts the
    transactions that the kernel took.
    """

    def __init__(self, kernel: Nftables, wanted: Wanted, metrics: Metrics) -> None:
        self._kernel = kernel
        self._wanted = wanted
        self._metrics = metrics
        self._refused: dict[str, str] = {}
        self._settled = False
        self._mended = False
        self._made: tuple[str, int | None] = "", None
        self.complaint = ""
        self._wait_s = _FIRST_WAIT_S
        self._retry_at = 0.0
        self.generation = 0

    @property
    def trouble(self) -> tuple[Trouble, ...]:
        """What the kernel does not take; empty: it holds the desired table."""
        return tuple(Trouble(*each) for each in sorted(self._refused.items()))

    @property
    def retry_in_s(self) -> float | None:
        """How long to wait before ``retry``, None where there is nothing to."""
        if self._settled and not self._refused:
            return None
        return max(0.0, self._retry_at - time.monotonic())

    def take_over(self) -> bool:
        """Bring the kernel from what an earlier agent left to what is desired."""
        return self._mend()

    def realise(self, transaction: Transaction) -> bool:
        """Commit what leads from the last desired table to this one.

        Returns whether the kernel now holds all that is desired. While it fails as a
        whole nothing is tried before ``retry`` is due.
        """
        if not self._settled:
            return not self.retry_in_s and self.retry()
        if self._refused:
            return self._mend()
        if not transaction:
            return True
        try:
            self._kernel.commit(transaction)
        except Refused as refusal:
            self._metrics.errors.labels("refused").inc()
            journal.error(
                "the kernel refused a change; the table is compared as a whole",
                operation=type(refusal.operation).__name__,
                words=refusal.words,
            )
            return self._mend()
        except KernelError as error:
            self._unsettle("transport", str(error))
            return False
        self._count()
        return True

    def retry(self) -> bool:
        """Try again what was refused, once its time has come."""
        self._refused.clear()
        self._retry_at = 0.0
        return self._mend()

    def lost(self, words: str) -> None:
        """Note that the kernel's table cannot be read; ``retry`` looks again."""
        self._unsettle("transport", words)

    def drift(self, realised: Table | None) -> int:
        """Repair what the kernel's table differs in; return how much that was."""
        found = len(delta(realised, self.attainable()).operations)
        if found:
            self._metrics.drift.labels("found").inc(found)
            self._mend()
            self._metrics.drift.labels("repaired").inc(found * self._settled)
        return found

    def overthrown(self) -> bool:
        """Whether somebody removed the whole table, or put another in its place.

        True once each time. Quick to ask; what is in the table is not looked at.
        """
        if not self._settled:
            return False
        name, number = self._made
        try:
            there = self._kernel.handle(name)
        except KernelError:
            return True
        # Another one may say the same, but for a moment there was none.
        self._made, changed = (name, there), there != number
        self._mended |= changed
        return changed

    def was_mended(self) -> bool:
        """Whether the kernel held something else, for whatever time, since last asked.

        Then connections may have begun that nobody may begin.
        """
        mended, self._mended = self._mended, False
        return mended

    def attainable(self) -> Table:
        """Return the desired table without what the kernel refuses, as listed."""
        return normal(without(self._wanted.table(), frozenset(self._refused)))

    def _mend(self) -> bool:
        """Make the kernel's table the desired one, without what it refuses."""
        wanted = self._wanted.table()
        kept_out = self._refused.keys() & names_of(wanted)
        self._refused = {name: self._refused[name] for name in kept_out}
        try:
            realised = self._kernel.table(wanted.name)
            while True:
                kept = normal(without(wanted, frozenset(self._refused)))
                mending = delta(realised, kept)
                try:
                    self._kernel.commit(mending)
                except Refused as refusal:
                    if not self._give_up(refusal, wanted):
                        return False
                    continue
                break
            self._made = wanted.name, self._kernel.handle(wanted.name)
        except KernelError as error:
            self._unsettle("transport", str(error))
            return False
        self._settled, self.complaint = True, ""
        self._mended |= bool(mending)
        self._count()
        if self._refused:
            self._back_off()
            return False
        self._wait_s, self._retry_at = _FIRST_WAIT_S, 0.0
        return True

    def _give_up(self, refusal: Refused, wanted: Table) -> bool:
        """Leave out what an operation is about; return whether that is possible."""
        self._metrics.errors.labels("refused").inc()
        name = subject(refusal.operation) if refusal.operation else None
        if refusal.errno in _BLAMELESS:
            name = None
        if name is None or name in self._refused or not expendable(wanted, name):
            self._unsettle("refused", str(refusal))
            return False
        self._refused[name] = refusal.words
        journal.error("the kernel refuses a part", part=name, words=refusal.words)
        return True

    def _unsettle(self, kind: str, words: str) -> None:
        self._metrics.errors.labels(kind).inc()
        self._settled = False
        self._refused.clear()
        self.complaint = words
        journal.error("the kernel could not be changed", words=words)
        self._back_off()

    def _back_off(self) -> None:
        """Set the next retry, unless one is set that this attempt was not.

        One whose time has come is not put off either: events may never cease.
        """
        if self._retry_at:
            return
        self._retry_at = time.monotonic() + self._wait_s
        self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)

    def _count(self) -> None:
        self.generation += 1
        self._metrics.generation.set(self.generation)
