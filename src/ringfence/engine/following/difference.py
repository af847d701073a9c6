"""From what a batch of events touched to what it changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from ringfence.engine.compiled import Members, PolicySet
from ringfence.engine.following.changes import (
    Changes,
    Claimant,
    ClaimChange,
    IsolationChange,
    NamespaceChange,
    PeerChange,
    PodChange,
    PolicySetChange,
)
from ringfence.engine.following.claims import Claims, pod_addresses
from ringfence.engine.following.groups import Group, SetIdentity, Watch
from ringfence.engine.following.journal import Journal, Meaning, PodBefore
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Namespace, Pod

NOTHING = Meaning({}, {})


class Now(NamedTuple):
    """The state after a batch."""

    pods: Mapping[ObjectKey, Pod]
    group_of: Mapping[ObjectKey, Group]
    namespaces: Mapping[str, Namespace]
    claims: Claims


class Turn(NamedTuple):
    """Pods that all meant one thing before a batch and another one after it."""

    pods: Iterable[ObjectKey]
    before: Meaning
    after: Meaning


class Delta:
    """What one peer gained and lost: pods by certain or not, and addresses."""

    __slots__ = ("addresses", "gained", "lost")

    def __init__(self) -> None:
        self.gained: dict[bool, set[ObjectKey]] = {}
        self.lost: dict[bool, set[ObjectKey]] = {}
        self.addresses: tuple[set[IPAddress], set[IPAddress]] = (set(), set())
        """Gained and lost."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two states told apart by the first one's journal."""

    journal: Journal
    now: Now

    def changes(
        self,
        sets: Mapping[SetIdentity, PolicySet],
        families: tuple[int, ...] | None,
    ) -> Changes:
        """Return the change set; ``sets`` has the touched policy-sets still there."""
        journal = self.journal
        turns = [turn for turn in self._turns() if turn.before != turn.after]
        vanished = [w for w in journal.idle if not w.uses and w not in journal.appeared]
        return Changes(
            isolation=tuple(self._isolation(turns)),
            policy_sets=tuple(
                PolicySetChange(journal.sets[identity], sets.get(identity))
                for identity in sorted(journal.sets)
                if journal.sets[identity] != sets.get(identity)
            ),
            appeared=tuple(w.selector for w in journal.appeared if w.uses),
            vanished=tuple(watch.selector for watch in vanished),
            peers=tuple(self._peers(turns)),
            pods=tuple(self._pods()),
            namespaces=tuple(self._namespaces()),
            claims=tuple(self._claims()),
            families=families,
        )

    def _turns(self) -> Iterator[Turn]:
        touched = self.journal.pods
        for pod in touched:
            yield Turn((pod,), self._before(pod), self._after(pod))
        for group, before in self.journal.groups.items():
            pods = [pod for pod in group.pods if pod not in touched]
            if pods:
                yield Turn(pods, before, Meaning(group.sets, group.hits))

    def _pod_before(self, pod: ObjectKey) -> PodBefore:
        found = self.journal.pods.get(pod)
        if found is not None:
            return found
        return PodBefore(self.now.pods.get(pod), self.now.group_of.get(pod))

    def _before(self, pod: ObjectKey) -> Meaning:
        group = self._pod_before(pod).group
        if group is None:
            return NOTHING
        return self.journal.groups.get(group) or Meaning(group.sets, group.hits)

    def _after(self, pod: ObjectKey) -> Meaning:
        group = self.now.group_of.get(pod)
        return NOTHING if group is None else Meaning(group.sets, group.hits)

    @staticmethod
    def _isolation(turns: Iterable[Turn]) -> Iterator[IsolationChange]:
        for pods, before, after in turns:
            for direction in Direction:
                old = _policies(before, direction)
                new = _policies(after, direction)
                if old != new:
                    for pod in sorted(pods):
                        yield IsolationChange(direction, pod, old, new)

    def _peers(self, turns: Iterable[Turn]) -> Iterator[PeerChange]:
        deltas: defaultdict[Watch, Delta] = defaultdict(Delta)
        unsettled = set(self.now.claims.before)
        for turn in turns:
            self._members(deltas, turn, unsettled)
        for address in unsettled:
            before, after = self._held(address), self._holds(address)
            for side, watches in enumerate((after - before, before - after)):
                for watch in watches:
                    if self.journal.stays(watch):
                        deltas[watch].addresses[side].add(address)
        for watch in sorted(deltas, key=attrgetter("number")):
            delta = deltas[watch]
            yield PeerChange(
                watch.selector,
                _as_members(delta.gained),
                _as_members(delta.lost),
                *map(frozenset, delta.addresses),
            )

    def _members(
        self, deltas: Mapping[Watch, Delta], turn: Turn, unsettled: set[IPAddress]
    ) -> None:
        """Note which peers select pods otherwise than before, and whose addresses.

        An address that others claim too, or did, is left ``unsettled``.
        """
        pods, before, after = turn.pods, turn.before.hits, turn.after.hits
        staying = [
            (deltas[watch], before.get(watch), after.get(watch))
            for watch in {watch for watch, _ in before.items() ^ after.items()}
            if self.journal.stays(watch)
        ]
        for delta, was, is_ in staying:
            if was is not None:
                delta.lost.setdefault(was, set()).update(pods)
            if is_ is not None:
                delta.gained.setdefault(is_, set()).update(pods)
        if not staying:
            return
        addresses = {address for pod in pods for address in self._addresses(pod)}
        of = self.now.claims.of
        own = [one for one in addresses - unsettled if not of[one][1:]]
        unsettled |= addresses.difference(own)
        for delta, was, is_ in staying:
            if was or is_:
                delta.addresses[bool(was)].update(own)

    def _addresses(self, pod: ObjectKey) -> Iterable[IPAddress]:
        before, now = self._pod_before(pod).pod, self.now.pods.get(pod)
        addresses = pod_addresses(now)
        return addresses if before is now else addresses | pod_addresses(before)

    def _held(self, address: IPAddress) -> AbstractSet[Watch]:
        """Return the peers that an address was in before."""
        claims = self.now.claims
        claimants = claims.before.get(address)
        if claimants is None:
            claimants = claims.of.get(address, ())
        return _selecting(claimants, self._before)

    def _holds(self, address: IPAddress) -> AbstractSet[Watch]:
        """Return the peers that an address is in now."""
        return _selecting(self.now.claims.of.get(address, ()), self._after)

    def _pods(self) -> Iterator[PodChange]:
        for key in sorted(self.journal.pods):
            old, new = _live(self.journal.pods[key].pod), _live(self.now.pods.get(key))
            if _pod_facts(old) != _pod_facts(new):
                yield PodChange(old, new)

    def _namespaces(self) -> Iterator[NamespaceChange]:
        for name in sorted(self.journal.namespaces):
            old, new = self.journal.namespaces[name], self.now.namespaces.get(name)
            if _namespace_facts(old) != _namespace_facts(new):
                yield NamespaceChange(old, new)

    def _claims(self) -> Iterator[ClaimChange]:
        before, of = self.now.claims.before, self.now.claims.of
        for address in sorted(before, key=lambda of: (of.version, int(of))):
            old, new = before[address], of.get(address, ())
            if old != new:
                yield ClaimChange(address, old, new)


def _policies(meaning: Meaning, direction: Direction) -> tuple[ObjectKey, ...]:
    shared = meaning.sets.get(direction)
    return () if shared is None else shared.identity.policies


def _as_members(pods: Mapping[bool, set[ObjectKey]]) -> Members:
    return Members(frozenset(pods.get(True, ())), frozenset(pods.get(False, ())))


def _selecting(
    claimants: tuple[Claimant, ...], meaning: Callable[[ObjectKey], Meaning]
) -> AbstractSet[Watch]:
    """Return the peers that select all claimants of an address for certain."""
    each: list[set[Watch]] = []
    for pod in claimants:
        hits = {} if pod is None else meaning(pod).hits
        each.append({watch for watch, certain in hits.items() if certain})
    return set.intersection(*each) if each else set()


def _live(pod: Pod | None) -> Pod | None:
    return None if pod is None or pod.finished else pod


def _pod_facts(pod: Pod | None) -> object:
    if pod is None:
        return None
    return pod.addresses, pod.ports, pod.node, pod.host_network


def _namespace_facts(namespace: Namespace | None) -> object:
    return None if namespace is None else (namespace.declared, namespace.labels)
