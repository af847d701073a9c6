"""A compiled cluster: what each pod's policies say, ready to be asked or lowered."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import ObjectKey, Position
from ringfence.model.netpol import IPBlock, PolicyPort


class Profile(Enum):
    """Whose meaning is asked for where network plugins differ (docs/profiles.md)."""

    KUBERNETES = "kubernetes"
    CALICO = "calico"
    CILIUM = "cilium"

    @property
    def blocks_match_pods(self) -> bool:
        """Whether an ipBlock can match the address of a pod."""
        return self is not Profile.CILIUM


@dataclass(frozen=True, slots=True)
class PeerSelector:
    """A peer that selects pods, independent of the policy it stands in.

    ``namespace`` is the policy's own where the peer has no namespaceSelector;
    exactly one of ``namespace`` and ``namespace_selector`` is set. Equal values
    mean equal pods, so rules of several policies share them.
    """

    namespace: str | None
    namespace_selector: LabelSelector | None
    pod_selector: LabelSelector


class Members(NamedTuple):
    """The pods of a peer: for certain, and those that unknown labels may add."""

    certain: AbstractSet[ObjectKey]
    possible: AbstractSet[ObjectKey]


Target: TypeAlias = PeerSelector | IPBlock


@dataclass(frozen=True, slots=True)
class CompiledPeer:
    """One entry of ``from`` or ``to``; its index is its place in the rule's tuple."""

    target: Target
    position: Position


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule of one policy; ``None`` for peers or ports does not restrict."""

    policy: ObjectKey
    direction: Direction
    index: int
    peers: tuple[CompiledPeer, ...] | None
    ports: tuple[PolicyPort, ...] | None
    position: Position


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies that isolate a pod for one direction, and all their rules.

    Shared by every pod that the same policies select. ``policies`` is sorted
    and never empty.
    """

    direction: Direction
    policies: tuple[ObjectKey, ...]
    rules: tuple[CompiledRule, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A cluster and its compiled policies.

    ``subjects`` maps a direction and a pod to its policy-set; a pod that is not
    there is not isolated for that direction. ``policy_sets`` are the distinct
    ones, by direction and policies. ``members`` has every
    ``PeerSelector`` that some rule uses. ``families`` are the IP versions that an
    address nobody names may have: those of the cluster's own addresses, or both.
    """

    cluster: Cluster
    subjects: Mapping[tuple[Direction, ObjectKey], PolicySet]
    policy_sets: tuple[PolicySet, ...]
    members: Mapping[PeerSelector, Members]
    families: tuple[int, ...]
    profile: Profile = Profile.KUBERNETES

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """Every rule of every policy-set, once."""
        found = {id(rule): rule for of in self.policy_sets for rule in of.rules}
        return tuple(found.values())

    def policy_set(self, direction: Direction, pod: ObjectKey) -> PolicySet | None:
        """Return the policy-set that isolates the pod, None where none does."""
        return self.subjects.get((direction, pod))
