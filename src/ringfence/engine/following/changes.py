"""What a batch of events changed: the difference between two compiled clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ringfence.engine.compiled import Members, PeerSelector, PolicySet
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Namespace, Pod

Claimant: TypeAlias = ObjectKey | None
"""A live pod that selectors can mean, or None: a node, whose pods share it."""


@dataclass(frozen=True, slots=True)
class IsolationChange:
    """A pod that other policies isolate for a direction; no policies: not isolated."""

    direction: Direction
    pod: ObjectKey
    old: tuple[ObjectKey, ...]
    new: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class PolicySetChange:
    """A policy-set that appeared, vanished (``new=None``) or has other rules."""

    old: PolicySet | None
    new: PolicySet | None


@dataclass(frozen=True, slots=True)
class PeerChange:
    """What a peer gained and lost that was and still is in some rule.

    A pod whose namespace's labels become known moves from possible to certain, so
    it is in both. Addresses are those all of whose claimants the peer selects for
    certain.
    """

    selector: PeerSelector
    gained: Members
    lost: Members
    addresses_gained: frozenset[IPAddress]
    addresses_lost: frozenset[IPAddress]


@dataclass(frozen=True, slots=True)
class PodChange:
    """A pod that appeared, ended, or has another address, port, node or network.

    None stands for a pod that is not there or is finished.
    """

    old: Pod | None
    new: Pod | None


@dataclass(frozen=True, slots=True)
class NamespaceChange:
    """A namespace that appeared, vanished, or whose labels changed or became known."""

    old: Namespace | None
    new: Namespace | None


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """An address with other claimants than before; none: nobody has it."""

    address: IPAddress
    old: tuple[Claimant, ...]
    new: tuple[Claimant, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that is different after a batch of events, and nothing else.

    ``appeared`` and ``vanished`` are peers that came into the first rule and went
    from the last one; ``Compiled.members`` has their pods, and ``peers`` does not
    repeat them. ``families`` is None where the IP versions stayed. False in a
    condition where nothing changed.
    """

    isolation: tuple[IsolationChange, ...] = ()
    policy_sets: tuple[PolicySetChange, ...] = ()
    appeared: tuple[PeerSelector, ...] = ()
    vanished: tuple[PeerSelector, ...] = ()
    peers: tuple[PeerChange, ...] = ()
    pods: tuple[PodChange, ...] = ()
    namespaces: tuple[NamespaceChange, ...] = ()
    claims: tuple[ClaimChange, ...] = ()
    families: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self != NO_CHANGES


NO_CHANGES = Changes()
