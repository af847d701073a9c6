"""One node's state, desired table and kernel, in step; of one thread."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ringfence.adapters.kernel.links import Links
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.agent.enforcing.cut import Judge, Site
from ringfence.agent.enforcing.realise import Realiser
from ringfence.agent.enforcing.remains import Moved, Remains
from ringfence.agent.metrics import Metrics
from ringfence.agent.plan import Touched, touched
from ringfence.engine.following.changes import Changes
from ringfence.engine.following.events import Event
from ringfence.engine.following.state import State
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress
from ringfence.observe.tracked import Tracked
from ringfence.ruleset.changes.desired import Desired
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.lowering.owners import is_local

NOTHING = Touched()


class Node:
    """What is known of a cluster, as far as one node's kernel should show it."""

    def __init__(
        self,
        name: str,
        first: tuple[Cluster, Enforcement],
        kernel: Nftables,
        metrics: Metrics,
    ) -> None:
        """Take the cluster of the first lists. Nothing is committed yet."""
        cluster, self._enforcement = first
        self._name = name
        self.state = State(cluster)
        self.desired = Desired(self.state, name, self._enforcement)
        self.realiser = Realiser(kernel, self.desired, metrics)
        self.local = {
            pod.key for pod in self.state.cluster.pods.values() if is_local(pod, name)
        }
        self._isolated: dict[Direction, int] | None = None
        self._remains = Remains()

    def take_over(self) -> Touched:
        """Bring the kernel to the desired table; return whose connections to look at.

        What an earlier agent left stays as far as it is right: no packet meets a
        table that is half made.
        """
        self.realiser.take_over()
        return Touched(self.judge().subjects())

    def follow(
        self, events: Iterable[Event], enforcement: Enforcement
    ) -> Touched | None:
        """Take a batch of events into the state and the kernel.

        None where it changes nothing, as most of what happens to a pod does.
        """
        changes = self.state.apply(events)
        if not changes and enforcement == self._enforcement:
            return None
        if self._note_local(changes) or any(
            of.pod in self.local for of in changes.isolation
        ):
            self._isolated = None
        self.realiser.realise(self.desired.follow(changes))
        found = touched(changes, self.state, self.local)
        if enforcement != self._enforcement:
            self._enforcement = enforcement
            self.realiser.realise(self.desired.enforce(enforcement))
            found = found._replace(soon=found.soon | self.judge().subjects())
        return found

    def shut(self, denied: Iterable[Tracked]) -> bool:
        """Have nobody take up connections again that are about to be ended.

        Returns whether the kernel was asked for something.
        """
        return self._move(self._remains.add(denied, time.monotonic()))

    def expire(self) -> bool:
        """Forget connections that were ended long ago; the same is returned."""
        return self._move(self._remains.expire(time.monotonic()))

    def _move(self, moved: Moved) -> bool:
        transaction = self.desired.cut(*moved)
        if transaction:
            self.realiser.realise(transaction)
        return bool(transaction)

    def judge(self) -> Judge:
        """Return a judge of connections, for this moment."""
        with Links() as links:
            own = links.own_addresses()
        site = Site(frozenset(self.local), own, self._enforcement)
        return Judge(self.state.compiled, self.state.claims, site)

    def isolated(self) -> dict[Direction, int]:
        """Return how many of the node's pods some policy isolates."""
        if self._isolated is None:
            compiled = self.state.compiled
            self._isolated = {
                direction: sum(
                    compiled.policy_set(direction, key) is not None
                    for key in self.local
                )
                for direction in Direction
            }
        return self._isolated

    def local_addresses(self) -> list[IPAddress]:
        """Return the addresses of the node's pods."""
        pods = self.state.cluster.pods
        return [address for key in self.local for address in pods[key].addresses]

    def _note_local(self, changes: Changes) -> bool:
        """Note which pods came to the node and left it; whether any did."""
        left = {change.old.key for change in changes.pods if change.old}
        came = {
            change.new.key
            for change in changes.pods
            if change.new is not None and is_local(change.new, self._name)
        }
        moved = bool(came or left & self.local)
        self.local = (self.local - left) | came if moved else self.local
        return moved
