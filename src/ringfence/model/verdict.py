"""What is answered about a flow, and the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import NOWHERE, ObjectKey, Position


class Outcome(Enum):
    """The three answers; UNDECIDED is never turned into one of the others."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    UNDECIDED = "UNDECIDED"

    def __str__(self) -> str:
        """Render as the word itself."""
        return self.value


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule that allows the flow: which entry of which rule of which policy.

    ``peer`` and ``port`` are indices into the rule's lists, None where the list
    is absent and so does not restrict.
    """

    policy: ObjectKey
    direction: Direction
    rule: int
    peer: int | None
    port: int | None
    position: Position


@dataclass(frozen=True, slots=True)
class Miss:
    """The rule that came closest to allowing the flow, and the terms that failed.

    ``terms`` says in words what was wanted and what was there, ``field`` is the
    path of the (first) failing term inside the policy, ``fix`` the smallest
    change that would make the rule match; ``policy=None``: no policy has a rule.
    """

    policy: ObjectKey | None
    direction: Direction
    field: str
    terms: tuple[str, ...]
    fix: str
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class EndEvidence:
    """One end's answer: what isolates the pod, what allows, what nearly does.

    ``exempt`` names the exception that no policy overrides, where one holds;
    ``unknown`` lists the missing facts of an UNDECIDED end.
    """

    direction: Direction
    outcome: Outcome
    pod: ObjectKey | None
    policies: tuple[ObjectKey, ...] = ()
    allowed_by: tuple[RuleMatch, ...] = ()
    nearest_miss: Miss | None = None
    exempt: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def isolated(self) -> bool:
        """Whether at least one policy isolates the pod for this direction."""
        return bool(self.policies)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one flow, and the connection that it was found for.

    The addresses are None where unknown. ``port`` is the flow's, or, where the
    flow asks for every port, the first one that decides.
    """

    outcome: Outcome
    port: int | None = None
    source_address: IPAddress | None = None
    destination_address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verdict with both ends told."""

    verdict: Verdict
    egress: EndEvidence
    ingress: EndEvidence
