"""Which policies isolate each group of pods, kept up to date."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from operator import attrgetter

from ringfence.engine.compiled import CompiledRule, PolicySet
from ringfence.engine.compiler import Rules, isolating, make_policy_set
from ringfence.engine.following.groups import Group, Place, SetIdentity, SharedSet
from ringfence.engine.following.journal import Journal
from ringfence.engine.select import selects
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy

by_identity = attrgetter("identity")


class Isolation:
    """The rules of every policy, and the policy-sets that isolate some group.

    ``order`` has the policy-sets as ``Compiled.policy_sets`` lists them.
    """

    def __init__(self) -> None:
        self._rules: dict[tuple[ObjectKey, Direction], tuple[CompiledRule, ...]] = {}
        self.order: list[SharedSet] = []
        self._shared: dict[SetIdentity, SharedSet] = {}

    def enter(self, group: Group, journal: Journal) -> None:
        """Isolate a new group."""
        policies = group.place.policies
        group.policies = sorted(
            key
            for key, policy in policies.items()
            if selects(policy.pod_selector, group.labels)
        )
        self._regroup(group, journal)

    def leave(self, group: Group, journal: Journal) -> None:
        """Count a group that lost its last pod no more; it still names its sets."""
        for shared in group.sets.values():
            self._release(shared, journal)

    def change(
        self,
        place: Place,
        change: tuple[NetworkPolicy | None, NetworkPolicy | None],
        rules: Rules,
        journal: Journal,
    ) -> list[tuple[CompiledRule, ...]]:
        """Put a new policy, and its rules, in an old one's place; return the old rules.

        Either may be None, but not both.
        """
        old, new = change
        outdated = []
        if old is not None:
            del place.policies[old.key]
            outdated = [self._rules.pop((old.key, of)) for of in old.policy_types]
        if new is not None:
            place.policies[new.key] = new
            self._rules.update(rules)
        for group in place.groups.values():
            if _select(group, old, new):
                journal.touch(group)
                self._regroup(group, journal)
                self._rewrite(group, journal)
        return outdated

    def touched(self, journal: Journal) -> Mapping[SetIdentity, PolicySet]:
        """Return the policy-sets that a batch touched and that are there after it."""
        return {
            identity: self._shared[identity].value
            for identity in journal.sets
            if identity in self._shared
        }

    def _regroup(self, group: Group, journal: Journal) -> None:
        """Give a group the policy-sets of the policies that select it, as they are."""
        selecting = [group.place.policies[key] for key in group.policies]
        sets: dict[Direction, SharedSet] = {}
        for direction in Direction:
            keys = isolating(selecting, direction)
            if keys:
                sets[direction] = self._use(direction, keys, journal)
        for shared in group.sets.values():
            self._release(shared, journal)
        group.sets = sets

    def _rewrite(self, group: Group, journal: Journal) -> None:
        """Give the policy-sets of a group the rules that their policies have now."""
        for direction, shared in group.sets.items():
            value = self._make(direction, shared.identity.policies)
            if value != shared.value:
                journal.sets.setdefault(shared.identity, shared.value)
                shared.value = value

    def _make(self, direction: Direction, policies: tuple[ObjectKey, ...]) -> PolicySet:
        return make_policy_set(direction, policies, self._rules)

    def _use(
        self, direction: Direction, policies: tuple[ObjectKey, ...], journal: Journal
    ) -> SharedSet:
        identity = SetIdentity(direction.value, policies)
        shared = self._shared.get(identity)
        if shared is None:
            journal.sets.setdefault(identity, None)
            shared = SharedSet(identity, self._make(direction, policies))
            self._shared[identity] = shared
            insort(self.order, shared, key=by_identity)
        shared.uses += 1
        return shared

    def _release(self, shared: SharedSet, journal: Journal) -> None:
        shared.uses -= 1
        if not shared.uses:
            journal.sets.setdefault(shared.identity, shared.value)
            del self._shared[shared.identity]
            del self.order[bisect_left(self.order, shared.identity, key=by_identity)]


def _select(group: Group, old: NetworkPolicy | None, new: NetworkPolicy | None) -> bool:
    """Note whether a changed policy selects a group; True if it does or did."""
    was = old is not None and selects(old.pod_selector, group.labels)
    will = new is not None and selects(new.pod_selector, group.labels)
    if new is not None and will and not was:
        insort(group.policies, new.key)
    if old is not None and was and not will:
        del group.policies[bisect_left(group.policies, old.key)]
    return was or will
