"""The four faults, told apart by whose they are, and how they are rendered.

A fault of the user's carries every problem found, not only the first one:
each names its place (``file:line:column`` or an object), the field, what is
wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where.

    ``place`` is ``file:line:column`` or an object's name, ``field`` the path
    inside the object (may be empty), ``hint`` what would be right (may be empty).
    """

    place: str
    message: str
    field: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Render as ``place: field: message (hint)``, leaving out what is empty."""
        head = ": ".join(
            part for part in (self.place, self.field, self.message) if part
        )
        return f"{head} ({self.hint})" if self.hint else head


class RingfenceError(Exception):
    """Root of every error that ringfence raises on purpose."""


class InputError(RingfenceError):
    """The user's fault: manifests, endpoints, flags. Holds all problems found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class KernelError(RingfenceError):
    """The machine's fault: a missing program, no user namespaces, a refused ruleset."""


class RingfenceBug(RingfenceError):  # noqa: N818 - it is a bug, not an error of anyone else's
    """Our fault: a promise of the core was broken."""
