"""Who can reach whom: rows are sources, columns destinations, cells connections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from ringfence.analysis.columns import Columns
from ringfence.engine.allpairs.classes import joined
from ringfence.engine.allpairs.masks import mask_of
from ringfence.engine.allpairs.reachability import NOTHING, Conns, Reachability
from ringfence.engine.compiled import Compiled
from ringfence.model.flow import Direction, IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Owner, Pod
from ringfence.questions.reference import KIND_WORDS
from ringfence.sets.conns import ConnSet

MOST_KEPT = 500_000
"""How many columns are kept for the next rows that reach just the same classes."""


class By(Enum):
    """What an endpoint of the matrix is."""

    POD = "pod"
    WORKLOAD = "workload"
    CLASS = "class"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row and column: pods that are shown as one, or outside addresses.

    ``isolated`` holds the directions for which every one of its pods is.
    """

    id: str
    kind: str
    namespace: str = ""
    name: str = ""
    owner: Owner | None = None
    pods: tuple[ObjectKey, ...] = ()
    isolated: tuple[Direction, ...] = ()
    cidrs: tuple[IPNetwork, ...] = ()


class Cell(NamedTuple):
    """What passes from one endpoint to another; ``mixed``: not for all their pods."""

    allowed: ConnSet
    undecided: ConnSet
    mixed: bool = False


class Stretch(NamedTuple):
    """A part of a row: the columns that share a cell, in no order."""

    cell: Cell
    columns: list[int]


class _Member(NamedTuple):
    """An endpoint's ends in one class, and how many they are."""

    number: int
    size: int


class Matrix:
    """A matrix whose rows are made when they are asked for.

    Endpoints are sorted by id, pods before addresses. A pod's way to itself is
    left out; pairs of addresses are not there either: a flow without a pod is
    none of ours.
    """

    def __init__(self, compiled: Compiled, by: By) -> None:
        self.by = by
        self._reachability = Reachability(compiled)
        groups = _pod_groups(compiled, self._reachability, by)
        groups += _outside_groups(self._reachability)
        self.endpoints = tuple(endpoint for endpoint, _ in groups)
        self._members = [members for _, members in groups]
        classes = self._reachability.classes
        self._columns = Columns(
            [[member.number for member in members] for members in self._members],
            len(classes),
            [
                [n for n, one in enumerate(classes) if bool(one.pods) is is_pod]
                for is_pod in (True, False)
            ],
        )
        self._everyone = (1 << len(classes)) - 1
        self._kept: dict[int, list[int]] = {}
        self._room = MOST_KEPT

    @property
    def decided(self) -> bool:
        """Whether no cell can be undecided for want of a fact."""
        return self._reachability.decided

    def row(self, row: int) -> list[Stretch]:
        """Return what an endpoint reaches; columns it does not reach are absent."""
        if self.by in {By.POD, By.CLASS}:
            return self._class_row(row)
        others, own = self._met_by(row)
        itself = 1 << row
        met = {
            conns: self._columns.met(targets) & ~itself
            for conns, targets in others.items()
            if targets
        }
        for conns in (conns for conns, targets in own.items() if targets):
            met[conns] = met.get(conns, 0) | itself
        cells: dict[Cell, int] = defaultdict(int)
        for pairs, columns in _together(met):
            if any(possible for _, possible in pairs):
                cells[self._union(pairs)] |= columns
        listed = self._columns.listed
        return [Stretch(cell, listed(columns)) for cell, columns in cells.items()]

    def _met_by(self, row: int) -> tuple[dict[Conns, int], dict[Conns, int]]:
        """Return which classes some end of an endpoint meets with which connections.

        First all classes, then, without the way of a pod to itself, its own.
        """
        members = self._members[row]
        mine = mask_of(
            (member.number for member in members), len(self._reachability.classes)
        )
        others: dict[Conns, int] = defaultdict(int)
        own: dict[Conns, int] = defaultdict(int)
        for member in members:
            fellows = mine ^ (1 << member.number) if member.size == 1 else mine
            reached = 0
            for conns, targets in self._reachability.masks(member.number).items():
                others[conns] |= targets
                own[conns] |= targets & fellows
                reached |= targets
            others[NOTHING] |= self._everyone & ~reached
            own[NOTHING] |= fellows & ~reached
        return others, own

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Yield every cell that holds anything, by row, then column."""
        for row in range(len(self.endpoints)):
            found = [
                (row, column, stretch.cell)
                for stretch in self.row(row)
                for column in stretch.columns
            ]
            yield from sorted(found, key=lambda cell: cell[1])

    def _class_row(self, row: int) -> list[Stretch]:
        (source,) = self._members[row]
        stretches = self._stretches_of(source.number)
        if source.size > 1:
            return stretches
        return [
            Stretch(cell, rest)
            for cell, columns in stretches
            if (rest := _without(columns, row))
        ]

    def _stretches_of(self, number: int) -> list[Stretch]:
        """Return what a class reaches, itself too."""
        return [
            Stretch(Cell(*self._reachability.reach(conns)), self._columns_of(targets))
            for conns, targets in self._reachability.masks(number).items()
        ]

    def _columns_of(self, classes: int) -> list[int]:
        """Return the columns of some classes (a mask): many rows reach the same."""
        found = self._kept.get(classes)
        if found is None:
            found = self._columns.of(classes)
            self._room -= len(found)
            if self._room < 0:
                self._kept.clear()
                self._room = MOST_KEPT - len(found)
            self._kept[classes] = found
        return found

    def _union(self, pairs: tuple[Conns, ...]) -> Cell:
        certain = possible = 0
        for sure, perhaps in pairs:
            certain |= sure
            possible |= perhaps
        reach = self._reachability.reach((certain, possible))
        return Cell(*reach, mixed=len(pairs) > 1)


def _without(columns: list[int], column: int) -> list[int]:
    if column not in columns:
        return columns
    at = columns.index(column)
    return columns[:at] + columns[at + 1 :]


def _together(met: Mapping[Conns, int]) -> Iterable[tuple[tuple[Conns, ...], int]]:
    """Return columns (masks) by all the connections that they are met with."""
    found: dict[tuple[Conns, ...], int] = {}
    for conns, columns in met.items():
        parted: dict[tuple[Conns, ...], int] = {}
        fresh = columns
        for others, known in found.items():
            fresh &= ~known
            parted[others] = known & ~columns
            parted[(*others, conns)] = known & columns
        parted[(conns,)] = fresh
        found = {pairs: some for pairs, some in parted.items() if some}
    return found.items()


def matrix(compiled: Compiled, by: By) -> Matrix:
    """Return the reachability matrix of a compiled cluster."""
    return Matrix(compiled, by)


_Group = tuple[Endpoint, list[_Member]]


def _pod_groups(compiled: Compiled, reachability: Reachability, by: By) -> list[_Group]:
    found: dict[tuple[str, ...], dict[int, list[ObjectKey]]]
    found = defaultdict(lambda: defaultdict(list))
    for number, one in enumerate(reachability.classes):
        if by is By.CLASS and one.pods:
            found[(str(number),)][number].extend(one.pods)
            continue
        for key in one.pods:
            identity = _identity(compiled.cluster.pods[key], by)
            found[identity][number].append(key)
    groups: list[_Group] = []
    for classes in found.values():
        pods = sorted(key for of_class in classes.values() for key in of_class)
        members = [_Member(number, len(of)) for number, of in classes.items()]
        # Policies isolate all pods of a class or none.
        firsts = [of[0] for of in classes.values()]
        groups.append((_endpoint(compiled, pods, firsts, by), members))
    return _distinct(sorted(groups, key=lambda group: (group[0].id, group[0].pods)))


def _identity(pod: Pod, by: By) -> tuple[str, ...]:
    if by is By.NAMESPACE:
        return (pod.key.namespace,)
    if by is By.WORKLOAD and pod.owner is not None:
        return (pod.key.namespace, pod.owner.kind, pod.owner.name)
    return pod.key


def _endpoint(
    compiled: Compiled, pods: list[ObjectKey], firsts: list[ObjectKey], by: By
) -> Endpoint:
    """Return the endpoint of some pods; ``firsts`` has one of each class."""
    first = compiled.cluster.pods[pods[0]]
    namespace = first.key.namespace
    kind, name, owner = "Pod", first.key.name, first.owner
    identity = f"{namespace}/pod/{name}"
    if by is By.NAMESPACE:
        kind, name, owner, identity = "Namespace", namespace, None, f"ns/{namespace}"
    elif by is By.WORKLOAD and owner is not None:
        kind, name = owner.kind, owner.name
        word = KIND_WORDS.get(kind, (kind.lower(),))[0]
        identity = f"{namespace}/{word}/{name}"
    elif by is By.CLASS:
        labels = ",".join(f"{k}={v}" for k, v in sorted(first.labels.items()))
        kind, name = "Class", labels
        identity = f"{namespace}/{labels or '*'}"
    isolated = tuple(
        direction
        for direction in Direction
        if all(compiled.policy_set(direction, pod) for pod in firsts)
    )
    return Endpoint(identity, kind, namespace, name, owner, tuple(pods), isolated)


def _distinct(groups: list[_Group]) -> list[_Group]:
    """Add a number to ids that several classes of one label set would share."""
    seen: dict[str, int] = defaultdict(int)
    numbered: list[_Group] = []
    for endpoint, members in groups:
        seen[endpoint.id] += 1
        count = seen[endpoint.id]
        identity = f"{endpoint.id}#{count}"
        alone = endpoint if count == 1 else replace(endpoint, id=identity)
        numbered.append((alone, members))
    return numbered


def _outside_groups(reachability: Reachability) -> list[_Group]:
    """Return the outside endpoints: parts that every pod treats alike are one."""
    return [
        (_addresses(reachability, same), [_Member(same[0], 1)])
        for same in reachability.outside_alike()
    ]


def _addresses(reachability: Reachability, parts: list[int]) -> Endpoint:
    found = [reachability.classes[part].outside for part in parts]
    cidrs = joined(outside for outside in found if outside is not None)
    more = f"+{len(cidrs) - 1}" if len(cidrs) > 1 else ""
    return Endpoint(f"{cidrs[0]}{more}", "Addresses", cidrs=cidrs)
