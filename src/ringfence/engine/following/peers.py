"""Which pods each peer selects, kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from ringfence.engine.compiled import Members, PeerSelector
from ringfence.engine.compiler import in_namespace
from ringfence.engine.following.groups import Group, Place, Reach, Watch
from ringfence.engine.following.journal import Journal
from ringfence.engine.following.views import PodsOf
from ringfence.engine.select import anchors, selects
from ringfence.model.labels import EVERYTHING, LabelSelector
from ringfence.model.meta import ObjectKey

KEYS = 256
"""Label keys by which groups are filed; another one costs a walk over all groups."""


class Labelled:
    """The groups of pods by their labels, for label keys that a peer has asked for.

    Not for every key: many pods have a label that no other pod has. Of the keys that
    were asked for only the last KEYS are kept: policies come and go.
    """

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._by_key: dict[str, dict[str, dict[Group, None]]] = {}

    def find(self, selector: LabelSelector) -> list[Group] | None:
        """Return the groups that a selector may select, None where all may be."""
        found: list[Group] = []
        for anchor in anchors(selector):
            if anchor is None:
                return None
            key, value = anchor
            if key not in self._by_key:
                self._index(key)
            found.extend(self._by_key[key].get(value, ()))
        return found

    def add(self, group: Group) -> None:
        """File a new group."""
        for key, value in group.labels.items():
            if key in self._by_key:
                self._by_key[key].setdefault(value, {})[group] = None

    def discard(self, group: Group) -> None:
        """Take a group out."""
        for key, value in group.labels.items():
            if key in self._by_key:
                of_key = self._by_key[key]
                del of_key[value][group]
                if not of_key[value]:
                    del of_key[value]

    def _index(self, key: str) -> None:
        of_key: dict[str, dict[Group, None]] = {}
        for place in self._places.values():
            for group in place.groups.values():
                value = group.labels.get(key)
                if value is not None:
                    of_key.setdefault(value, {})[group] = None
        if len(self._by_key) >= KEYS:
            del self._by_key[next(iter(self._by_key))]
        self._by_key[key] = of_key


class Peers:
    """Every peer that some rule uses, and the groups of pods that it selects."""

    def __init__(
        self, places: dict[str, Place], group_of: dict[ObjectKey, Group]
    ) -> None:
        self.members: dict[PeerSelector, Members] = {}
        self._places = places
        self._group_of = group_of
        self._watches: dict[PeerSelector, Watch] = {}
        self._reaches: dict[PeerSelector, Reach] = {}
        self._labels = Labelled(places)
        self._numbers = count()

    def use(self, selector: PeerSelector, journal: Journal) -> None:
        """Count one more rule's peer; the first one looks for its pods."""
        watch = self._watches.get(selector)
        if watch is None:
            watch = self._open(selector)
            journal.appeared[watch] = None
        watch.uses += 1

    def release(self, selector: PeerSelector, journal: Journal) -> None:
        """Count one less; ``sweep`` takes out what nobody uses any more."""
        watch = self._watches[selector]
        watch.uses -= 1
        if not watch.uses:
            journal.idle[watch] = None

    def sweep(self, journal: Journal) -> None:
        """Forget the peers that no rule uses at the end of a batch."""
        for watch in journal.idle:
            if not watch.uses:
                self._close(watch)

    def enter(self, group: Group) -> None:
        """Find the peers that select a new group."""
        self._labels.add(group)
        for reach, certain in group.place.reaches.items():
            for watch in reach.candidates(group.labels):
                if selects(watch.selector.pod_selector, group.labels):
                    watch.put(group, certain)

    def leave(self, group: Group) -> None:
        """Take a group that lost its last pod from its peers, which it still names."""
        self._labels.discard(group)
        for watch, certain in group.hits.items():
            (watch.certain if certain else watch.possible).discard(group)

    def add_place(self, place: Place) -> None:
        """Find the peers that can mean the pods of a new namespace."""
        for reach in self._reaches.values():
            _join(reach, place)

    def remove_place(self, place: Place) -> None:
        """Forget a namespace, which has no groups."""
        for reach in place.reaches:
            del reach.places[place]

    def relabel(self, place: Place, journal: Journal) -> None:
        """Ask each namespaceSelector again, as the namespace's labels changed."""
        for reach in self._reaches.values():
            before = reach.places.get(place)
            if before == _join(reach, place):
                continue
            for group in place.groups.values():
                _put(reach, group, journal)

    def _open(self, selector: PeerSelector) -> Watch:
        everyone = replace(selector, pod_selector=EVERYTHING)
        reach = self._reaches.get(everyone)
        if reach is None:
            reach = self._reaches[everyone] = Reach(everyone)
            for place in self._within(everyone):
                _join(reach, place)
        watch = Watch(selector, reach, next(self._numbers))
        reach.add(watch)
        for place, groups in self._candidates(watch):
            found = (g for g in groups if selects(selector.pod_selector, g.labels))
            watch.start(found, certain=reach.places[place])
        self._watches[selector] = watch
        self.members[selector] = Members(
            PodsOf(watch.certain, self._group_of),
            PodsOf(watch.possible, self._group_of),
        )
        return watch

    def _candidates(self, watch: Watch) -> Iterable[tuple[Place, Iterable[Group]]]:
        """Return groups that a new peer may select, by namespace."""
        places = watch.reach.places
        every = [(place, place.groups.values()) for place in places]
        if watch.reach.of.namespace is not None:
            return every
        labelled = self._labels.find(watch.selector.pod_selector)
        if labelled is None or len(labelled) > sum(len(groups) for _, groups in every):
            return every
        found: dict[Place, list[Group]] = {}
        for group in labelled:
            if group.place in places:
                found.setdefault(group.place, []).append(group)
        return found.items()

    def _within(self, selector: PeerSelector) -> Iterable[Place]:
        """Return the namespaces that are worth asking whether a peer means them."""
        if selector.namespace is None:
            return self._places.values()
        place = self._places.get(selector.namespace)
        return () if place is None else (place,)

    def _close(self, watch: Watch) -> None:
        del self._watches[watch.selector], self.members[watch.selector]
        for group in watch.certain | watch.possible:
            del group.hits[watch]
        reach = watch.reach
        reach.discard(watch)
        if not reach.watches:
            del self._reaches[reach.of]
            for place in reach.places:
                del place.reaches[reach]


def _join(reach: Reach, place: Place) -> bool | None:
    """Note whether a namespace's pods can be meant, and return it (None: cannot)."""
    inside = in_namespace(reach.of, place.namespace)
    if inside is False:
        reach.places.pop(place, None)
        place.reaches.pop(reach, None)
        return None
    reach.places[place] = place.reaches[reach] = bool(inside)
    return bool(inside)


def _put(reach: Reach, group: Group, journal: Journal) -> None:
    certain = reach.places.get(group.place)
    for watch in reach.candidates(group.labels):
        if selects(watch.selector.pod_selector, group.labels):
            journal.touch(group)
            watch.put(group, certain)
