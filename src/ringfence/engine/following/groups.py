"""What the incremental state is made of: namespaces, groups of pods, who means them.

These values change in place and are known by identity: one pod that comes touches
its group and nothing else, however many peers select it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import PeerSelector, PolicySet
from ringfence.engine.select import Anchor, anchors
from ringfence.model.flow import Direction
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace

LabelIdentity: TypeAlias = frozenset[tuple[str, str]]


class SetIdentity(NamedTuple):
    """What one policy-set is; sorts as ``Compiled.policy_sets`` does."""

    direction: str
    policies: tuple[ObjectKey, ...]


@dataclass(slots=True, eq=False)
class SharedSet:
    """A policy-set and how many groups of pods it isolates."""

    identity: SetIdentity
    value: PolicySet
    uses: int = 0


@dataclass(slots=True, eq=False)
class Place:
    """A namespace that is declared or used, and what is in it.

    ``uses`` counts the objects in it; ``reaches`` tells which peers can mean its
    pods, True where the namespace's labels are known to match.
    """

    namespace: Namespace
    uses: int = 0
    groups: dict[LabelIdentity, Group] = field(default_factory=dict)
    policies: dict[ObjectKey, NetworkPolicy] = field(default_factory=dict)
    reaches: dict[Reach, bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Group:
    """Pods of one namespace that no selector can tell apart, and who means them.

    ``policies`` select them, sorted; ``sets`` isolate them. ``hits`` are the peers
    that select them, False where only labels that nobody told can make it so. A
    group that lost its last pod keeps what it had: what its pods meant.
    """

    place: Place
    labels: Labels
    pods: set[ObjectKey] = field(default_factory=set)
    policies: list[ObjectKey] = field(default_factory=list)
    sets: dict[Direction, SharedSet] = field(default_factory=dict)
    hits: dict[Watch, bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Watch:
    """A peer that selects pods, how many rules' peers it is, and whom it selects.

    ``number`` grows with each new one: an order that is the same in every run.
    """

    selector: PeerSelector
    reach: Reach
    number: int
    uses: int = 0
    certain: set[Group] = field(default_factory=set)
    possible: set[Group] = field(default_factory=set)

    def start(self, groups: Iterable[Group], *, certain: bool) -> None:
        """Take in groups that it has not selected before."""
        found = list(groups)
        (self.certain if certain else self.possible).update(found)
        for group in found:
            group.hits[self] = certain

    def put(self, group: Group, certain: bool | None) -> None:  # noqa: FBT001 - a Tri
        """Let the group be selected for certain, possibly, or (None) not at all."""
        before = group.hits.get(self)
        if before is not None:
            (self.certain if before else self.possible).discard(group)
        if certain is None:
            group.hits.pop(self, None)
            return
        group.hits[self] = certain
        (self.certain if certain else self.possible).add(group)


@dataclass(slots=True, eq=False)
class Reach:
    """The namespaces whose pods some peers can mean, and those peers.

    ``of`` stands for them: it selects every pod there. ``watches`` are found by
    a label that the pod has to have.
    """

    of: PeerSelector
    places: dict[Place, bool] = field(default_factory=dict)
    watches: dict[Anchor, dict[Watch, None]] = field(default_factory=dict)

    def add(self, watch: Watch) -> None:
        """File a peer."""
        for anchor in anchors(watch.selector.pod_selector):
            self.watches.setdefault(anchor, {})[watch] = None

    def discard(self, watch: Watch) -> None:
        """Take a peer out."""
        for anchor in anchors(watch.selector.pod_selector):
            of_anchor = self.watches[anchor]
            del of_anchor[watch]
            if not of_anchor:
                del self.watches[anchor]

    def candidates(self, labels: Labels) -> Iterator[Watch]:
        """Yield the peers that may select pods with these labels, each once."""
        yield from self.watches.get(None, ())
        # A selector's anchors share one key, which the labels have only once.
        for label in labels.items():
            yield from self.watches.get(label, ())
