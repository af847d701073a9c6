"""The compiled mappings, read from the groups of pods: nothing is copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias, TypeVar

from ringfence.engine.compiled import PolicySet
from ringfence.engine.following.groups import Group
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey

Subject: TypeAlias = tuple[Direction, ObjectKey]
S = TypeVar("S")


class Subjects(Mapping[Subject, PolicySet]):
    """``Compiled.subjects``: direction and pod to the policy-set that isolates it."""

    __slots__ = ("_group_of",)

    def __init__(self, group_of: Mapping[ObjectKey, Group]) -> None:
        self._group_of = group_of

    def __getitem__(self, subject: Subject) -> PolicySet:
        direction, pod = subject
        group = self._group_of.get(pod)
        if group is None or direction not in group.sets:
            raise KeyError(subject)
        return group.sets[direction].value

    def __iter__(self) -> Iterator[Subject]:
        for pod, group in self._group_of.items():
            for direction in group.sets:
                yield direction, pod

    def __len__(self) -> int:
        return sum(len(group.sets) for group in self._group_of.values())


class PodsOf(AbstractSet[ObjectKey]):
    """The pods of some groups, as they are now."""

    __slots__ = ("_group_of", "_groups")

    def __init__(
        self, groups: AbstractSet[Group], group_of: Mapping[ObjectKey, Group]
    ) -> None:
        self._groups = groups
        self._group_of = group_of

    def __contains__(self, pod: object) -> bool:
        return self._group_of.get(pod) in self._groups  # type: ignore[call-overload]  # any key may be asked for

    def __iter__(self) -> Iterator[ObjectKey]:
        for group in self._groups:
            yield from group.pods

    def __len__(self) -> int:
        return sum(len(group.pods) for group in self._groups)

    @classmethod
    def _from_iterable(cls, it: Iterable[S]) -> frozenset[S]:
        return frozenset(it)
