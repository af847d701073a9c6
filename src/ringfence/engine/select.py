"""Selector matching: the only place in the project where labels meet selectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

from ringfence.model.labels import LabelSelector, Operator, Requirement
from ringfence.model.meta import Labels, Tri
from ringfence.model.workload import Namespace

T = TypeVar("T")

Anchor: TypeAlias = tuple[str, str] | None
"""A label without which a selector selects nothing, None where it needs none."""


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


def anchors(selector: LabelSelector) -> Iterable[Anchor]:
    """Return labels of one key, one of which a selected thing must have.

    Only None where there is no such key.
    """
    for term in selector.requirements:
        if term.operator is Operator.IN:
            return [(term.key, value) for value in term.values]
    return (None,)


class Filed(Generic[T]):
    """Things by their labels, for the label keys that selectors have asked for.

    So that each of many selectors is held against few of many things.
    """

    def __init__(self, things: Iterable[tuple[Labels, T]]) -> None:
        self._things = tuple(things)
        self._by_key: dict[str, dict[str, list[T]]] = {}

    def find(self, selector: LabelSelector) -> Iterable[T]:
        """Return the things that a selector may select, each once."""
        found: list[T] = []
        for anchor in anchors(selector):
            if anchor is None:
                return [thing for _, thing in self._things]
            key, value = anchor
            if key not in self._by_key:
                self._by_key[key] = self._file(key)
            found += self._by_key[key].get(value, ())
        return found

    def _file(self, key: str) -> dict[str, list[T]]:
        filed: dict[str, list[T]] = {}
        for labels, thing in self._things:
            value = labels.get(key)
            if value is not None:
                filed.setdefault(value, []).append(thing)
        return filed
