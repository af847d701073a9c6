"""Who can reach whom: rows are sources, columns destinations, cells connections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import NamedTuple

from ringfence.engine.classes import joined
from ringfence.engine.compiled import Compiled
from ringfence.engine.reachability import NOTHING, Conns, Reachability, Row
from ringfence.engine.reference import KIND_WORDS
from ringfence.engine.rows import chosen, mask_of
from ringfence.model.flow import Direction, IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Owner, Pod
from ringfence.sets.conns import ConnSet

MOST_KEPT = 500_000
"""How many columns of rows are kept for the next row of the same class."""


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
        groups += _outside_groups(compiled, self._reachability)
        self.endpoints = tuple(endpoint for endpoint, _ in groups)
        self._members = [members for _, members in groups]
        self._columns: list[list[int]] = [[] for _ in self._reachability.classes]
        for column, members in enumerate(self._members):
            for member in members:
                self._columns[member.number].append(column)
        self._first = [columns[0] if columns else -1 for columns in self._columns]
        width = len(self._columns)
        sizes = list(enumerate(map(len, self._columns)))
        self._with_one = mask_of((number for number, of in sizes if of == 1), width)
        self._with_more = mask_of((number for number, of in sizes if of > 1), width)
        self._kept: dict[int, list[Stretch]] = {}

    @property
    def decided(self) -> bool:
        """Whether no cell can be undecided for want of a fact."""
        return self._reachability.decided

    def row(self, row: int) -> list[Stretch]:
        """Return what an endpoint reaches; columns it does not reach are absent."""
        if self.by in {By.POD, By.CLASS}:
            return self._class_row(row)
        cells: dict[Cell, list[int]] = defaultdict(list)
        ways = [
            (one, _by_class(self._reachability.row(one.number)))
            for one in self._members[row]
        ]
        for column, members in enumerate(self._members):
            pairs = {
                way.get(other.number, NOTHING)
                for one, way in ways
                for other in members
                if row != column or one.number != other.number or one.size > 1
            }
            if any(possible for _, possible in pairs):
                cells[self._union(pairs)].append(column)
        return [Stretch(cell, columns) for cell, columns in cells.items()]

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
        """Return what a class reaches, itself too; pods of one class come together."""
        found = self._kept.get(number)
        if found is None:
            found = [
                Stretch(
                    Cell(*self._reachability.reach(conns)), self._columns_of(targets)
                )
                for conns, targets in self._reachability.masks(number).items()
            ]
            if len(self.endpoints) * len(self._kept) > MOST_KEPT:
                self._kept.clear()
            self._kept[number] = found
        return found

    def _columns_of(self, classes: int) -> list[int]:
        """Return the columns of some classes (a mask); millions, so all in C."""
        columns = list(chosen(self._first, classes & self._with_one))
        more = chosen(self._columns, classes & self._with_more)
        columns.extend(chain.from_iterable(more))
        return columns

    def _union(self, pairs: set[Conns]) -> Cell:
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


def _by_class(row: Row) -> dict[int, Conns]:
    return {target: conns for conns, targets in row.items() for target in targets}


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
        identity = f"{endpoint.id}#{count}" if count > 1 else endpoint.id
        numbered.append((replace(endpoint, id=identity), members))
    return numbered


def _outside_groups(compiled: Compiled, reachability: Reachability) -> list[_Group]:
    """Return the outside endpoints: parts that every pod treats alike are one."""
    inner = _towards_outside(compiled, reachability)
    outward = [_by_class(reachability.outward(number)) for number in inner]
    alike: dict[object, list[int]] = defaultdict(list)
    for part, one in enumerate(reachability.classes):
        if one.outside is not None:
            inward = _by_class(reachability.row(part))
            ways = (
                tuple(inward.get(number, NOTHING) for number in inner),
                tuple(row.get(part, NOTHING) for row in outward),
            )
            alike[ways].append(part)
    return [
        (_addresses(reachability, same), [_Member(same[0], 1)])
        for same in alike.values()
    ]


def _towards_outside(compiled: Compiled, reachability: Reachability) -> list[int]:
    """Return one class of pods for each way to treat addresses outside.

    That hangs on the policy-sets, the families and the declared ports alone.
    """
    found: dict[object, int] = {}
    for number, one in enumerate(reachability.classes):
        if one.pods:
            pod = compiled.cluster.pods[one.pods[0]]
            sets = (compiled.policy_set(d, pod.key) for d in Direction)
            policies = tuple(of.policies if of else () for of in sets)
            families = reachability.families(number)
            found.setdefault((policies, families, pod.ports), number)
    return list(found.values())


def _addresses(reachability: Reachability, parts: list[int]) -> Endpoint:
    found = [reachability.classes[part].outside for part in parts]
    cidrs = joined(outside for outside in found if outside is not None)
    more = f"+{len(cidrs) - 1}" if len(cidrs) > 1 else ""
    return Endpoint(f"{cidrs[0]}{more}", "Addresses", cidrs=cidrs)
