"""Who can reach whom: rows are sources, columns destinations, cells connections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import TypeAlias

from ringfence.engine.classes import Outside, joined, outside_classes, pod_classes
from ringfence.engine.compiled import Compiled
from ringfence.engine.reach import Reach, reach
from ringfence.engine.reference import KIND_WORDS
from ringfence.model.flow import AddressEnd, Direction, End, IPNetwork, PodEnd
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Owner, Pod
from ringfence.sets.conns import NOTHING, ConnSet


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


@dataclass(frozen=True, slots=True)
class Cell:
    """What passes from one endpoint to another; ``mixed``: not for all their pods."""

    allowed: ConnSet
    undecided: ConnSet
    mixed: bool = False

    def __bool__(self) -> bool:
        """Whether anything may pass."""
        return bool(self.allowed) or bool(self.undecided)


Cells: TypeAlias = Mapping[tuple[int, int], Cell]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Endpoints sorted by id, pods before addresses; cells that hold anything.

    A cell that is not there allows nothing. Pairs of addresses are not there
    either: a flow without a pod is none of ours.
    """

    by: By
    endpoints: tuple[Endpoint, ...]
    cells: Cells


_Group: TypeAlias = tuple[Endpoint, tuple[int, ...]]
"""An endpoint and the classes of its pods, once for every pod."""

_OutsideGroup: TypeAlias = tuple[Endpoint, tuple[Reach, ...], tuple[Reach, ...]]
"""An outside endpoint, its way to each class of pods, and theirs to it."""

_Table: TypeAlias = Callable[[int, int], Reach]


def matrix(compiled: Compiled, by: By) -> Matrix:
    """Return the reachability matrix; a pod's way to itself is left out."""
    classes = pod_classes(compiled)
    table = _class_table(compiled, classes)
    groups = _groups(compiled, classes, by)
    outside = _outside_groups(compiled, classes)
    cells = dict(_pod_cells(groups, table))
    cells.update(_outside_cells(groups, outside))
    endpoints = (*(g[0] for g in groups), *(o[0] for o in outside))
    return Matrix(by, endpoints, cells)


def _pod_cells(
    groups: list[_Group], table: _Table
) -> Iterator[tuple[tuple[int, int], Cell]]:
    for (row, (_, sources)), (column, (_, targets)) in product(
        enumerate(groups), enumerate(groups)
    ):
        pairs = _class_pairs(sources, targets, same=row == column)
        cell = _cell(table(*pair) for pair in pairs)
        if cell:
            yield (row, column), cell


def _outside_cells(
    groups: list[_Group], outside: list[_OutsideGroup]
) -> Iterator[tuple[tuple[int, int], Cell]]:
    for place, (_, inward, outward) in enumerate(outside, start=len(groups)):
        for index, (_, members) in enumerate(groups):
            for key, ways in (((place, index), inward), ((index, place), outward)):
                cell = _cell(ways[member] for member in set(members))
                if cell:
                    yield key, cell


def _class_table(
    compiled: Compiled, classes: tuple[tuple[ObjectKey, ...], ...]
) -> _Table:
    known: dict[tuple[int, int], Reach] = {}

    def between(source: int, destination: int) -> Reach:
        found = known.get((source, destination))
        if found is None:
            one = classes[source][0]
            other = classes[destination][1 if source == destination else 0]
            found = reach(compiled, PodEnd(one), PodEnd(other))
            known[source, destination] = found
        return found

    return between


def _class_pairs(
    sources: tuple[int, ...], targets: tuple[int, ...], *, same: bool
) -> set[tuple[int, int]]:
    """Return the pairs of classes that some two different pods make."""
    pairs = set(product(set(sources), set(targets)))
    if same:
        pairs -= {(c, c) for c in set(sources) if sources.count(c) == 1}
    return pairs


def _cell(reaches: Iterable[Reach]) -> Cell:
    distinct = set(reaches)
    allowed, undecided = NOTHING, NOTHING
    for one in distinct:
        allowed |= one.allowed
        undecided |= one.undecided
    return Cell(allowed, undecided, mixed=len(distinct) > 1)


def _groups(
    compiled: Compiled, classes: tuple[tuple[ObjectKey, ...], ...], by: By
) -> list[_Group]:
    class_of = {pod: index for index, pods in enumerate(classes) for pod in pods}
    members: dict[tuple[str, ...], list[ObjectKey]] = defaultdict(list)
    for key, index in class_of.items():
        pod = compiled.cluster.pods[key]
        members[_identity(pod, index, by)].append(key)
    groups = [
        (
            _endpoint(compiled, sorted(pods), by),
            tuple(class_of[pod] for pod in sorted(pods)),
        )
        for pods in members.values()
    ]
    return _distinct(sorted(groups, key=lambda group: group[0].id))


def _identity(pod: Pod, index: int, by: By) -> tuple[str, ...]:
    match by:
        case By.NAMESPACE:
            return (pod.key.namespace,)
        case By.CLASS:
            return (str(index),)
        case By.WORKLOAD if pod.owner is not None:
            return (pod.key.namespace, pod.owner.kind, pod.owner.name)
        case By.WORKLOAD | By.POD:
            return pod.key


def _endpoint(compiled: Compiled, pods: list[ObjectKey], by: By) -> Endpoint:
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
        if all(compiled.policy_set(direction, pod) for pod in pods)
    )
    return Endpoint(identity, kind, namespace, name, owner, tuple(pods), isolated)


def _distinct(groups: list[_Group]) -> list[_Group]:
    """Add a number to ids that several classes of one label set would share."""
    seen: dict[str, int] = {}
    numbered: list[_Group] = []
    for endpoint, classes in groups:
        count = seen[endpoint.id] = seen.get(endpoint.id, 0) + 1
        if count > 1:
            endpoint = _renamed(endpoint, f"{endpoint.id}#{count}")  # noqa: PLW2901 - same thing, other id
        numbered.append((endpoint, classes))
    return numbered


def _renamed(endpoint: Endpoint, identity: str) -> Endpoint:
    return Endpoint(
        identity,
        endpoint.kind,
        endpoint.namespace,
        endpoint.name,
        endpoint.owner,
        endpoint.pods,
        endpoint.isolated,
    )


def _outside_groups(
    compiled: Compiled, classes: tuple[tuple[ObjectKey, ...], ...]
) -> list[_OutsideGroup]:
    """Return outside endpoints with their way to, and from, each class of pods.

    Parts of the world that every pod treats alike are one endpoint.
    """
    alike: dict[tuple[tuple[Reach, ...], tuple[Reach, ...]], list[Outside]]
    alike = defaultdict(list)
    pods: list[End] = [PodEnd(members[0]) for members in classes]
    for part in outside_classes(compiled):
        end = AddressEnd(part.address)
        rows = tuple(reach(compiled, end, pod) for pod in pods)
        columns = tuple(reach(compiled, pod, end) for pod in pods)
        alike[rows, columns].append(part)
    return [
        (_addresses(joined(parts)), rows, columns)
        for (rows, columns), parts in alike.items()
    ]


def _addresses(cidrs: tuple[IPNetwork, ...]) -> Endpoint:
    more = f"+{len(cidrs) - 1}" if len(cidrs) > 1 else ""
    return Endpoint(f"{cidrs[0]}{more}", "Addresses", cidrs=cidrs)
