"""A lab, seen from the program that opens it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ringfence.adapters.process import start_module
from ringfence.errors import KernelError
from ringfence.lab.inside.channel import Channel
from ringfence.lab.plan import Fate, Plan, Probe

DEADLINE_S = 60.0


class Lab:
    """A running lab: build a plan, load rulesets, send probes, as often as wanted.

    It ends with ``close``, and with the thread that made it, however that ends.
    """

    def __init__(self) -> None:
        """Start the lab's process."""
        here, there = socket.socketpair()
        with there:
            self._process = start_module("ringfence.lab.inside.keeper", there.fileno())
        self._channel = Channel(here)
        self._plan: Plan | None = None
        self._started = False

    def close(self) -> None:
        """End the lab; nothing of it is left."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def build(self, plan: Plan) -> None:
        """Make the lab what a plan says; free if it is that already.

        Where only pods or the outside differ, they alone are made anew; nodes then
        keep their rulesets. Raises KernelError.
        """
        if plan != self._plan:
            self._plan = None
            self._ask("build", plan)
            self._plan = plan

    def load(self, rulesets: Mapping[str, str]) -> None:
        """Replace the whole ruleset of the named nodes, each atomically.

        Raises KernelError with nft's words; that node then keeps what it had.
        """
        self._ask("load", dict(rulesets))

    def probe(
        self, probes: Sequence[Probe], deadline_s: float = DEADLINE_S
    ) -> list[Fate]:
        """Send probes, each as a new connection, and return what became of each.

        Raises KernelError when they have not come to an end by the deadline.
        """
        fates: list[Fate] = self._ask("probe", list(probes), float(deadline_s))
        return fates

    def _ask(self, name: str, *arguments: object) -> Any:
        try:
            if not self._started:
                self._started = True
                self._raise(self._channel.receive())
            self._channel.send((name, arguments))
            return self._raise(self._channel.receive())
        except EOFError as error:
            raise KernelError("the lab's process has ended unexpectedly") from error

    @staticmethod
    def _raise(answer: Any) -> Any:
        if isinstance(answer, KernelError):
            raise answer
        return answer


@contextmanager
def open_lab(plan: Plan) -> Iterator[Lab]:
    """Have a lab for a block; raises KernelError."""
    lab = Lab()
    try:
        lab.build(plan)
        yield lab
    finally:
        lab.close()
