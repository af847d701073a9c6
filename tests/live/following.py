"""Follow a server in a test, and see what is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Queue
from time import monotonic, sleep
from typing import Any, TypeVar

from ringfence.adapters.kubernetes.deltas import Changed, Delta, Listed
from ringfence.adapters.kubernetes.kubeconfig import Access, Choice, choose_access
from ringfence.adapters.kubernetes.reflector import Pace, Reflector
from ringfence.adapters.kubernetes.resources import FOLLOWED

PATIENCE_S = 60.0
QUICK = Pace(first=0.01, longest=0.2, forbidden=0.2)
D = TypeVar("D", bound=Delta)


@dataclass(frozen=True)
class Following:
    """A reflector at work, and what it told."""

    reflector: Reflector
    queue: Queue[Delta]

    def next(self, kind: type[D]) -> D:
        """Return the next delta, which has to be of this type."""
        delta = self.queue.get(timeout=PATIENCE_S)
        assert isinstance(delta, kind), delta
        return delta

    def await_(self, kind: type[D]) -> D:
        """Return the next delta of this type, whatever comes before."""
        while True:
            delta = self.queue.get(timeout=PATIENCE_S)
            if isinstance(delta, kind):
                return delta

    def await_named(self, name: str) -> Changed:
        """Return the next change of the object of this name; no list comes before."""
        while True:
            delta = self.queue.get(timeout=PATIENCE_S)
            assert not isinstance(delta, Listed), delta
            if isinstance(delta, Changed) and name_of(delta) == name:
                return delta

    def silent(self, seconds: float) -> bool:
        """Whether nothing is told for so long."""
        try:
            self.queue.get(timeout=seconds)
        except Empty:
            return True
        return False


def name_of(delta: Changed) -> str:
    """Return the name of what changed."""
    return delta.key if isinstance(delta.key, str) else delta.key.name


def names(listed: Listed) -> list[str]:
    """Return the names in a list, sorted."""
    keys = (stored.key for stored in listed.objects)
    return sorted(key if isinstance(key, str) else key.name for key in keys)


@contextmanager
def reflecting(
    access: Access, kind: str, pace: Pace = QUICK, *, room: int = 1000
) -> Iterator[Following]:
    """Follow the resource of a kind for a block."""
    queue: Queue[Delta] = Queue(room)
    resources = tuple(resource for resource in FOLLOWED if resource.kind == kind)
    reflector = Reflector(access, queue, resources=resources, pace=pace)
    reflector.start()
    try:
        yield Following(reflector, queue)
    finally:
        reflector.stop()
        await_end(reflector)


def await_end(reflector: Reflector) -> None:
    """Wait until a reflector that was stopped has ended, if its threads get to run."""
    end = monotonic() + PATIENCE_S
    while reflector.alive:
        assert monotonic() < end, "a thread goes on"
        sleep(0.001)


@contextmanager
def following(
    config: Path | str, kind: str, *, room: int = 1000, **pace: Any
) -> Iterator[Following]:
    """Follow as a kubeconfig has it; ``pace`` are fields of Pace."""
    access = choose_access(Choice(kubeconfig=str(config)), {})
    with reflecting(access, kind, replace(QUICK, **pace), room=room) as followed:
        yield followed
