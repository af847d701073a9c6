"""What a change may have denied: whose connections have to be looked at. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ringfence.engine.compiled import Compiled
from ringfence.engine.following.changes import Changes, PodChange
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


def touched(
    changes: Changes, compiled: Compiled, local: Collection[ObjectKey]
) -> Touched:
    """Return the addresses that a batch of changes may have cut off from others.

    What only adds - a pod that comes, a policy-set that lets more in by other pods'
    labels - touches nothing. ``local`` are the node's pods after the changes.
    """
    gone = {address for change in changes.pods for address in _given_up(change)}
    # Who has it now, maybe since this very batch, does not wait.
    gone -= {claim.address for claim in changes.claims if claim.new}
    soon = {address for pod in _narrowed(changes, compiled, local) for address in pod}
    for peer in changes.peers:
        soon |= peer.addresses_lost
    for claim in changes.claims:
        if claim.old and claim.new:
            soon.add(claim.address)
    taken = {claim.address for claim in changes.claims if claim.new and not claim.old}
    return Touched(_packed(soon - gone), _packed(gone), _packed(taken))


def _narrowed(
    changes: Changes, compiled: Compiled, local: Collection[ObjectKey]
) -> Iterator[tuple[IPAddress, ...]]:
    """Yield the addresses of local pods that other rules hold for."""
    pods = compiled.cluster.pods
    for isolation in changes.isolation:
        if isolation.new and isolation.pod in local:
            yield pods[isolation.pod].addresses
    rewritten = {
        (change.new.direction, change.new.policies)
        for change in changes.policy_sets
        if change.new is not None
    }
    # A policy selects pods of its own namespace only: few of the node's are asked.
    namespaces = {policies[0].namespace for _, policies in rewritten}
    for key in local if rewritten else ():
        if key.namespace not in namespaces:
            continue
        for direction in Direction:
            policy_set = compiled.policy_set(direction, key)
            if policy_set and (direction, policy_set.policies) in rewritten:
                yield pods[key].addresses
    for change in changes.pods:
        if change.old and change.new and change.old.ports != change.new.ports:
            yield change.new.addresses


def _given_up(change: PodChange) -> Iterator[IPAddress]:
    """Yield the addresses that a pod had and has no more."""
    before: Pod | None = change.old
    after = change.new.addresses if change.new else ()
    if before is not None:
        yield from (address for address in before.addresses if address not in after)


def _packed(addresses: set[IPAddress]) -> frozenset[bytes]:
    return frozenset(address.packed for address in addresses)
