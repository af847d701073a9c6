"""What becomes reachable between two clusters, what no longer is, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import NamedTuple, TypeAlias

from ringfence.analysis.change.causes import RANK, Causes, Inquiry
from ringfence.analysis.change.counterparts import Joint, Side, joints
from ringfence.analysis.change.ends import NamedEnd, Names
from ringfence.analysis.change.facts import Facts
from ringfence.analysis.change.rectangles import bits, rectangles
from ringfence.analysis.change.spread import Spread
from ringfence.engine.allpairs.reachability import Reach, Reachability
from ringfence.engine.compiled import Compiled
from ringfence.model.flow import Direction
from ringfence.model.verdict import Outcome
from ringfence.sets.conns import NOTHING, ConnSet

MOST_ASKED = 64
"""How many pairs of a group are asked for their causes; the group shares them."""

NOWHERE = Reach(NOTHING, NOTHING)


class Kind(Enum):
    """What a change is to a reviewer; what cannot be decided is a kind of its own."""

    BROADENED = "BROADENED"
    NARROWED = "NARROWED"
    UNDECIDED = "UNDECIDED"


class Step(NamedTuple):
    """Connections whose answer is another one now."""

    was: Outcome
    now: Outcome
    conns: ConnSet

    @property
    def kind(self) -> Kind:
        """What it is to a reviewer."""
        if Outcome.UNDECIDED in {self.was, self.now}:
            return Kind.UNDECIDED
        return Kind.BROADENED if self.opens else Kind.NARROWED

    @property
    def opens(self) -> bool:
        """Whether more may pass, perhaps."""
        return RANK[self.was] < RANK[self.now]


@dataclass(frozen=True, slots=True)
class Change:
    """A step that every source takes to every destination, and why.

    A single pod's way to itself is no part of it. ``pairs`` counts class pairs.
    """

    step: Step
    sources: tuple[NamedEnd, ...]
    destinations: tuple[NamedEnd, ...]
    causes: Causes
    pairs: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Every change between two clusters, those that open first.

    ``of`` is how many pairs of classes there are, a class being the ends that
    neither cluster tells apart; ``changed`` of them differ, each in one or more
    ``kinds``.
    """

    changes: tuple[Change, ...]
    of: int
    changed: int
    kinds: Mapping[Kind, int]

    def __bool__(self) -> bool:
        """Whether there is any change."""
        return bool(self.changes)


Group: TypeAlias = dict[int, int]
"""Destinations, as a mask of joints, of each source."""


def difference(base: Compiled, head: Compiled) -> Difference:
    """Return what becomes and what is no longer reachable from base to head."""
    return _Comparison(Side(base, Reachability(base)), Side(head, Reachability(head)))()


class _Comparison:
    """Two clusters over the same ends."""

    def __init__(self, base: Side, head: Side) -> None:
        self._sides = (base, head)
        self._joints = joints(base, head)
        self._names = Names(base, head, self._joints)
        facts = Facts(base, head, self._names)
        self._inquiry = Inquiry(base, head, facts)
        self._chief = cache(facts.chief)
        self._pods = sum(1 << j.number for j in self._joints if not j.networks)
        self._everyone = (1 << len(self._joints)) - 1
        self._void = [self._void_of(joint) for joint in self._joints]
        self._spread = (
            Spread([j.base for j in self._joints], len(base.reachability.classes)),
            Spread([j.head for j in self._joints], len(head.reachability.classes)),
        )

    def __call__(self) -> Difference:
        changed: Group = {}
        by_kind: dict[Kind, Group] = {kind: {} for kind in Kind}
        groups: dict[Step, Group] = defaultdict(dict)
        for joint in self._joints:
            for step, targets in self._row(joint).items():
                groups[step][joint.number] = targets
                for pairs in (changed, by_kind[step.kind]):
                    pairs[joint.number] = pairs.get(joint.number, 0) | targets
        return Difference(
            tuple(sorted(self._changes(groups), key=_order)),
            self._pairs(),
            _count(changed),
            {kind: _count(pairs) for kind, pairs in by_kind.items()},
        )

    def _void_of(self, joint: Joint) -> int:
        """Return the ends that one makes no pair with: itself alone, no pod at all."""
        if joint.networks:
            return self._everyone & ~self._pods
        return 1 << joint.number if joint.size == 1 else 0

    def _pairs(self) -> int:
        return len(self._joints) ** 2 - sum(void.bit_count() for void in self._void)

    def _row(self, joint: Joint) -> dict[Step, int]:
        """Return the steps of one source, each with the mask of its destinations."""
        among = self._everyone & ~self._void[joint.number]
        before, after = (
            self._reaches(index, number, among)
            for index, number in enumerate((joint.base, joint.head))
        )
        steps: dict[Step, int] = defaultdict(int)
        if before == after:
            return steps
        for one, here in before.items():
            for other, there in after.items():
                if here & there and one != other:
                    for step in _steps(one, other):
                        steps[step] |= here & there
        return steps

    def _reaches(self, index: int, number: int | None, among: int) -> dict[Reach, int]:
        """Return what a class of one cluster reaches, nothing included."""
        found: dict[Reach, int] = defaultdict(int)
        rest = among
        reachability = self._sides[index].reachability
        row = {} if number is None else reachability.masks(number)
        for conns, classes in row.items():
            there = self._spread[index].joints(classes) & among
            found[reachability.reach(conns)] |= there
            rest &= ~there
        found[NOWHERE] |= rest
        return found

    def _changes(self, groups: Mapping[Step, Group]) -> Iterator[Change]:
        for step, pairs in groups.items():
            by_causes: dict[Causes, Group] = defaultdict(dict)
            for group in self._alike(pairs):
                into = by_causes[self._causes(step, group)]
                for source, targets in group.items():
                    into[source] = into.get(source, 0) | targets
            for causes, group in by_causes.items():
                yield from self._stretched(step, causes, group)

    def _alike(self, pairs: Group) -> Iterator[Group]:
        """Split pairs by what may be the reason: changed policies and facts."""
        senders: dict[object, list[int]] = defaultdict(list)
        for source in pairs:
            senders[self._key(Direction.EGRESS, source)].append(source)
        takers: dict[object, int] = defaultdict(int)
        all_targets = 0
        for targets in pairs.values():
            all_targets |= targets
        for target in bits(all_targets):
            takers[self._key(Direction.INGRESS, target)] |= 1 << target
        for sources in senders.values():
            for mask in takers.values():
                group = {s: pairs[s] & mask for s in sources if pairs[s] & mask}
                if group:
                    yield group

    def _key(self, direction: Direction, number: int) -> object:
        touched = self._inquiry.touched(direction, self._joints[number])
        return touched, self._chief(self._joints[number])

    def _causes(self, step: Step, group: Group) -> Causes:
        """Return the causes of a group: those of pairs spread over it, joined."""
        pairs = [(s, t) for s, targets in group.items() for t in bits(targets)]
        asked = pairs[:: -(-len(pairs) // MOST_ASKED)]
        found = [
            self._inquiry.causes(self._joints[s], self._joints[t], step.conns)
            for s, t in asked
        ]
        return Causes(
            tuple(dict.fromkeys(line for causes in found for line in causes.by)),
            tuple(dict.fromkeys(fact for causes in found for fact in causes.because)),
            tuple(dict.fromkeys(fact for causes in found for fact in causes.unknown)),
        )

    def _stretched(self, step: Step, causes: Causes, group: Group) -> Iterator[Change]:
        for sources, destinations, pairs in rectangles(group, self._void):
            yield Change(
                step,
                self._named(sources, destinations),
                self._named(destinations, sources),
                causes,
                pairs,
            )

    def _named(
        self, ends: tuple[int, ...], others: tuple[int, ...]
    ) -> tuple[NamedEnd, ...]:
        """Name ends; the only pod at the other end need not be among them."""
        only = self._joints[others[0]]
        lonely = len(others) == 1 and only.size == 1
        spare = only.pods if lonely and others[0] not in ends else ()
        return self._names.named((self._joints[end] for end in ends), spare)


@cache
def _steps(before: Reach, after: Reach) -> tuple[Step, ...]:
    """Return how one answer becomes the other, connection by connection."""
    one = {Outcome.ALLOW: before.allowed, Outcome.UNDECIDED: before.undecided}
    other = {Outcome.ALLOW: after.allowed, Outcome.UNDECIDED: after.undecided}
    found = [
        *(Step(Outcome.DENY, n, c - _any(before)) for n, c in other.items()),
        *(Step(w, Outcome.DENY, c - _any(after)) for w, c in one.items()),
        *(
            Step(was, now, mine & theirs)
            for was, mine in one.items()
            for now, theirs in other.items()
            if was is not now
        ),
    ]
    return tuple(step for step in found if step.conns)


def _any(reach: Reach) -> ConnSet:
    return reach.allowed | reach.undecided


def _count(pairs: Group) -> int:
    return sum(targets.bit_count() for targets in pairs.values())


def _order(change: Change) -> tuple[object, ...]:
    return (
        list(Kind).index(change.step.kind),
        not change.step.opens,
        [end.id for end in change.destinations],
        [end.id for end in change.sources],
        change.step.conns.ports,
    )
