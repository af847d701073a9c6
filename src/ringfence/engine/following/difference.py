"""From what a batch of events touched to what it changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Delta:
    """What one peer gained and lost: pods by certain or not, and addresses."""

    gained: dict[bool, set[ObjectKey]] = field(
        default_factory=lambda: {True: set(), False: set()}
    )
    lost: dict[bool, set[ObjectKey]] = field(
        default_factory=lambda: {True: set(), False: set()}
    )
    asked: set[IPAddress] = field(default_factory=set)


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
        for pods, before, after in turns:
            self._members(deltas, pods, before.hits, after.hits)
        for address, old in self.now.claims.before.items():
            self._reclaimed(deltas, address, old)
        for watch in sorted(deltas, key=lambda watch: watch.number):
            change = self._peer(watch, deltas[watch])
            if change is not None:
                yield change

    def _members(
        self,
        deltas: Mapping[Watch, Delta],
        pods: Iterable[ObjectKey],
        before: Mapping[Watch, bool],
        after: Mapping[Watch, bool],
    ) -> None:
        """Note which peers select pods otherwise than before, and whose addresses."""
        differing = {watch for watch, _ in before.items() ^ after.items()}
        staying = [watch for watch in differing if self.journal.stays(watch)]
        if not staying:
            return
        addresses = {address for pod in pods for address in self._addresses(pod)}
        for watch in staying:
            delta = deltas[watch]
            if watch in before:
                delta.lost[before[watch]].update(pods)
            if watch in after:
                delta.gained[after[watch]].update(pods)
            delta.asked |= addresses

    def _addresses(self, pod: ObjectKey) -> Iterable[IPAddress]:
        before, now = self._pod_before(pod).pod, self.now.pods.get(pod)
        addresses = pod_addresses(now)
        return addresses if before is now else addresses | pod_addresses(before)

    def _reclaimed(
        self,
        deltas: Mapping[Watch, Delta],
        address: IPAddress,
        old: tuple[Claimant, ...],
    ) -> None:
        """Note an address whose claimants changed, for the peers that select any."""
        for pod in {*old, *self.now.claims.of.get(address, ())}:
            if pod is not None:
                for watch in {**self._before(pod).hits, **self._after(pod).hits}:
                    if self.journal.stays(watch):
                        deltas[watch].asked.add(address)

    def _peer(self, watch: Watch, delta: Delta) -> PeerChange | None:
        gained: set[IPAddress] = set()
        lost: set[IPAddress] = set()
        for address in delta.asked:
            was, is_ = self._held(watch, address), self._holds(watch, address)
            if was is not is_:
                (gained if is_ else lost).add(address)
        pods = [*delta.gained.values(), *delta.lost.values()]
        if not any((*pods, gained, lost)):
            return None
        return PeerChange(
            watch.selector,
            _as_members(delta.gained),
            _as_members(delta.lost),
            frozenset(gained),
            frozenset(lost),
        )

    def _held(self, watch: Watch, address: IPAddress) -> bool:
        claims = self.now.claims
        old = claims.before.get(address)
        claimants = claims.of.get(address, ()) if old is None else old
        return bool(claimants) and all(
            of is not None and self._before(of).hits.get(watch) is True
            for of in claimants
        )

    def _holds(self, watch: Watch, address: IPAddress) -> bool:
        claimants = self.now.claims.of.get(address, ())
        return bool(claimants) and all(
            of is not None and self._after(of).hits.get(watch) is True
            for of in claimants
        )

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
    return Members(frozenset(pods[True]), frozenset(pods[False]))


def _live(pod: Pod | None) -> Pod | None:
    return None if pod is None or pod.finished else pod


def _pod_facts(pod: Pod | None) -> object:
    if pod is None:
        return None
    return pod.addresses, pod.ports, pod.node, pod.host_network


def _namespace_facts(namespace: Namespace | None) -> object:
    return None if namespace is None else (namespace.declared, namespace.labels)
