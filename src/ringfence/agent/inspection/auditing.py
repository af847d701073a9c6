"""When the kernel is compared with what it should hold, and its listing meanwhile.

Listing a large table takes most of a second, so a thread of its own does it. What
was committed in the meantime makes a listing worthless: then it is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from ringfence.adapters.kernel.nftables import Nftables
from ringfence.errors import KernelError
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import TABLE_NAME

FIRST_S = 2.0
"""When what came while the first lists did is done."""

AGAIN_S = 10.0
"""How long to wait after a listing that something was committed into."""

MOST_TRIES = 6
"""Then the loop stands still for a listing."""


@dataclass(frozen=True, slots=True)
class Realised:
    """What the kernel held, None: no table; ``complaint`` where it did not say.

    ``generation`` is the number of the last transaction before it was asked.
    """

    table: Table | None
    generation: int
    complaint: str = ""


class Auditing:
    """Lists the kernel in time; ``deliver`` is called in the listing thread."""

    def __init__(self, interval_s: float, deliver: Callable[[Realised], None]) -> None:
        self._interval_s = interval_s
        self._deliver = deliver
        self._at: float | None = None
        self._tries = 0

    @property
    def due_in_s(self) -> float | None:
        """How long until ``list`` should be called, None: not before a listing ends."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def begin(self) -> None:
        """Have the first listing soon."""
        self._at = time.monotonic() + FIRST_S

    def list(self, generation: int) -> None:
        """Have the kernel listed in the background."""
        self._at = None
        Thread(target=self._list, args=(generation,), name="audit", daemon=True).start()

    def holds(self, realised: Realised, generation: int) -> bool:
        """Whether a listing can be compared; where not, another one is due.

        After some listings in vain any one does: then ``read_kernel`` again, at once.
        """
        self._tries += 1
        if realised.generation == generation:
            return self._done()
        if self._tries >= MOST_TRIES:
            return self._done()
        self._at = time.monotonic() + AGAIN_S
        return False

    def _done(self) -> bool:
        self._tries = 0
        later = time.monotonic() + self._interval_s
        self._at = later if self._interval_s else None
        return True

    def _list(self, generation: int) -> None:
        self._deliver(read_kernel(generation))


def read_kernel(generation: int) -> Realised:
    """Return what the kernel of this thread's network namespace holds."""
    try:
        with Nftables() as kernel:
            return Realised(kernel.table(TABLE_NAME), generation)
    except (KernelError, OSError) as error:
        return Realised(None, generation, str(error))
