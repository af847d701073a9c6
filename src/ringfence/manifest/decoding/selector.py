"""Label selectors of manifests as values (meta/v1 types.go, LabelSelector)."""

from __future__ import annotations

from ringfence.manifest.decoding.fields import Field
from ringfence.model.labels import (
    LabelSelector,
    Operator,
    Requirement,
    label_selector,
)
from ringfence.model.meta import Labels

_OPERATORS = {operator.value: operator for operator in Operator}
_WITH_VALUES = frozenset({Operator.IN, Operator.NOT_IN})


def decode_selector(field: Field) -> LabelSelector:
    """Return the selector written here; an absent one has no requirements."""
    requirements = _equalities(field.labels("matchLabels"))
    for entry in field.entries("matchExpressions"):
        requirement = _expression(entry)
        if requirement is not None:
            requirements.append(requirement)
    return label_selector(requirements)


def equality_selector(labels: Labels) -> LabelSelector:
    """Return the selector of objects that carry all these labels."""
    return label_selector(_equalities(labels))


def _equalities(labels: Labels) -> list[Requirement]:
    return [
        Requirement(key, Operator.IN, frozenset({value}))
        for key, value in labels.items()
    ]


def _expression(entry: Field) -> Requirement | None:
    key = entry.text("key")
    values = frozenset(value.text() for value in entry.entries("values"))
    written = entry.at("operator")
    operator = _OPERATORS.get(written.text())
    if operator is None:
        written.complain("must be one of " + ", ".join(_OPERATORS))
        return None
    if bool(values) != (operator in _WITH_VALUES):
        need = "needs" if operator in _WITH_VALUES else "must have no"
        entry.at("values").complain(f"{operator.value} {need} values")
        return None
    return Requirement(key, operator, values)
