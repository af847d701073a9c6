"""Selector matching: the only place in the project where labels meet selectors."""

from __future__ import annotations

from ringfence.model.labels import LabelSelector, Operator, Requirement
from ringfence.model.meta import Labels, Tri
from ringfence.model.workload import Namespace


def requirement_holds(term: Requirement, labels: Labels) -> bool:
    """Whether one requirement holds for a known label map.

    A key that is absent satisfies NotIn and DoesNotExist (meta/v1 types.go,
    LabelSelectorRequirement).
    """
    value = labels.get(term.key)
    match term.operator:
        case Operator.IN:
            return value is not None and value in term.values
        case Operator.NOT_IN:
            return value is None or value not in term.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None


def selects(selector: LabelSelector, labels: Labels) -> bool:
    """Whether every requirement holds; an empty selector selects everything."""
    for term in selector.requirements:  # noqa: SIM110 - the hottest loop of compiling
        if not requirement_holds(term, labels):
            return False
    return True


def selects_namespace(selector: LabelSelector, namespace: Namespace) -> Tri:
    """Whether the selector selects the namespace; None where a label is unknown.

    A namespace that no manifest declares is known by its name label only.
    """
    if namespace.declared:
        return selects(selector, namespace.labels)
    answer: Tri = True
    for term in selector.requirements:
        if term.key not in namespace.labels:
            answer = None
        elif not requirement_holds(term, namespace.labels):
            return False
    return answer
