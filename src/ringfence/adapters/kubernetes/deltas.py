"""What following an API server delivers: whole lists, and what changed after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ringfence.manifest.stored import Stored
from ringfence.model.meta import ObjectKey


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind at one moment: what is not among them is not there.

    ``received_at`` is on the clock of time.monotonic, as everywhere here.
    """

    kind: str
    objects: tuple[Stored, ...]
    version: str
    received_at: float


@dataclass(frozen=True, slots=True)
class Changed:
    """An object that came or changed; ``stored`` None: it went."""

    kind: str
    key: ObjectKey | str
    stored: Stored | None
    version: str
    received_at: float


@dataclass(frozen=True, slots=True)
class Down:
    """A kind cannot be followed; what was told of it may be out of date.

    ``refused``: it is a right or a credential that is missing, which waiting does not
    mend.
    """

    kind: str
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Up:
    """A kind that was down is followed again; a list may come after this."""

    kind: str


Delta: TypeAlias = Listed | Changed | Down | Up
