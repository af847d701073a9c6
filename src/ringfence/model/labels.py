"""Label selectors as values; matching them is ``engine.select``'s business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Operator(Enum):
    """Operators of ``LabelSelectorRequirement`` (meta/v1 types.go)."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a selector. ``matchLabels`` entries are ``In`` with one value.

    ``path`` is the field path inside the selector (``matchLabels.app``,
    ``matchExpressions[0]``) and takes no part in equality.
    """

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Render as kubectl would in a label query."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={values}"
            case Operator.IN:
                return f"{self.key} in ({values})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({values})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A conjunction of requirements; none at all selects everything.

    Requirements are sorted and distinct, so equal meaning written in another
    order is an equal value.
    """

    requirements: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        """Render as a label query, ``<everything>`` when empty."""
        return ",".join(map(str, self.requirements)) or "<everything>"


EVERYTHING = LabelSelector()


def label_selector(requirements: list[Requirement]) -> LabelSelector:
    """Return the canonical selector of these requirements, in any order."""
    distinct = set(requirements)
    order = sorted(distinct, key=lambda r: (r.key, r.operator.value, sorted(r.values)))
    return LabelSelector(tuple(order))
