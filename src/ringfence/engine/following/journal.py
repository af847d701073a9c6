"""What was there before a batch of events, of everything that the batch touches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ringfence.engine.compiled import PolicySet
from ringfence.engine.following.groups import Group, SetIdentity, SharedSet, Watch
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Namespace, Pod


class Meaning(NamedTuple):
    """What isolates a group's pods, and which peers select them."""

    sets: dict[Direction, SharedSet]
    hits: dict[Watch, bool]


class PodBefore(NamedTuple):
    """A pod and its group as a batch found them; no group: nothing selects it."""

    pod: Pod | None
    group: Group | None


@dataclass(slots=True)
class Journal:
    """The first value of each thing that a batch touched, None: was not there.

    ``appeared`` are the peers that came; ``idle`` those that once in the batch no
    rule used. Dicts instead of sets: their order is the same in every run.
    """

    pods: dict[ObjectKey, PodBefore] = field(default_factory=dict)
    groups: dict[Group, Meaning] = field(default_factory=dict)
    sets: dict[SetIdentity, PolicySet | None] = field(default_factory=dict)
    namespaces: dict[str, Namespace | None] = field(default_factory=dict)
    appeared: dict[Watch, None] = field(default_factory=dict)
    idle: dict[Watch, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether the batch touched anything that selectors ask about."""
        return any(
            (
                self.pods,
                self.groups,
                self.sets,
                self.namespaces,
                self.appeared,
                self.idle,
            )
        )

    def touch(self, group: Group) -> None:
        """Keep what a group's pods mean before that changes for the first time."""
        if group not in self.groups:
            # Regrouping replaces ``sets``, but ``hits`` change in place.
            self.groups[group] = Meaning(group.sets, dict(group.hits))

    def stays(self, watch: Watch) -> bool:
        """Whether a peer was in some rule before the batch and is so still."""
        return watch.uses > 0 and watch not in self.appeared
