"""What a change may have denied: whose connections have to be looked at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ringfence.engine.compiled import Compiled
from ringfence.engine.following.changes import Changes, Claimant, PodChange
from ringfence.engine.following.state import State
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod


class Touched(NamedTuple):
    """Packed addresses of which some connection may now be denied.

    ``soon``: at both ends are pods that live on. ``later``: their pod went; what is
    left of its connections harms only who gets the address next. ``taken``: somebody
    has got them just now.
    """

    soon: frozenset[bytes] = frozenset()
    later: frozenset[bytes] = frozenset()
    taken: frozenset[bytes] = frozenset()


def touched(changes: Changes, state: State, local: AbstractSet[ObjectKey]) -> Touched:
    """Return the addresses that a batch of changes may have cut off from others.

    What only adds - a pod that comes, a policy-set that lets more in by other pods'
    labels - touches nothing. ``state`` and the node's pods, ``local``, are those
    after the changes.
    """
    gone = {address for change in changes.pods for address in _given_up(change)}
    # Who has it now, maybe since this very batch, does not wait.
    gone -= {claim.address for claim in changes.claims if claim.new}
    soon = {address for pod in _narrowed(changes, state, local) for address in pod}
    for peer in changes.peers:
        soon |= peer.addresses_lost
    for claim in changes.claims:
        # Until now anybody may have had it, or a pod that is its node by now.
        if claim.old or _isolated(claim.new, state.compiled, local):
            soon.add(claim.address)
    taken = {claim.address for claim in changes.claims if claim.new and not claim.old}
    return Touched(_packed(soon - gone), _packed(gone), _packed(taken))


def _isolated(
    claimants: Iterable[Claimant], compiled: Compiled, local: AbstractSet[ObjectKey]
) -> bool:
    """Whether one of the node's pods is among them, and some policy isolates it."""
    return any(
        compiled.policy_set(direction, key) is not None
        for key in claimants
        if key is not None and key in local
        for direction in Direction
    )


def _narrowed(
    changes: Changes, state: State, local: AbstractSet[ObjectKey]
) -> Iterator[tuple[IPAddress, ...]]:
    """Yield the addresses of pods that other rules hold for.

    They are the node's own, and those that claim an address of theirs as well.
    """
    pods, compiled = state.cluster.pods, state.compiled
    for isolation in changes.isolation:
        key = isolation.pod
        rivals = {*_rivals(key, state)} if key in pods else set()
        # What several claim passes what each of them would, if that is the same: there,
        # less isolation may deny, too.
        if (isolation.new or rivals) and not local.isdisjoint({key, *rivals}):
            yield pods[key].addresses
    rewritten = {
        (change.new.direction, change.new.policies)
        for change in changes.policy_sets
        if change.new is not None
    }
    # A policy selects pods of its own namespace only: few of the node's are asked.
    namespaces = {policies[0].namespace for _, policies in rewritten}
    for key in local if rewritten else ():
        for one in (key, *_rivals(key, state)):
            if one.namespace not in namespaces:
                continue
            for direction in Direction:
                policy_set = compiled.policy_set(direction, one)
                if policy_set and (direction, policy_set.policies) in rewritten:
                    yield pods[one].addresses
    for change in changes.pods:
        if change.old and change.new and _elsewhere(change.old, change.new):
            yield change.new.addresses


def _elsewhere(old: Pod, new: Pod) -> bool:
    """Whether the pod's ports, or its node, are others than they were."""
    return (old.ports, old.node) != (new.ports, new.node)


def _rivals(pod: ObjectKey, state: State) -> Iterator[ObjectKey]:
    """Yield the pods that claim an address of a pod, too; usually there is none."""
    for address in state.cluster.pods[pod].addresses:
        claimants = state.claims.get(address, ())
        if len(claimants) > 1:
            yield from (key for key in claimants if key is not None and key != pod)


def _given_up(change: PodChange) -> Iterator[IPAddress]:
    """Yield the addresses that a pod had and has no more."""
    before: Pod | None = change.old
    after = change.new.addresses if change.new else ()
    if before is not None:
        yield from (address for address in before.addresses if address not in after)


def _packed(addresses: set[IPAddress]) -> frozenset[bytes]:
    return frozenset(address.packed for address in addresses)
