"""Lists: the same facts as a table, a JSON document, or names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ringfence.analysis.matrix import Cell, Matrix
from ringfence.analysis.overview import PodView, PolicyView
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.report.matrixdoc import ports_document
from ringfence.report.matrixtext import cell_words
from ringfence.report.words import place


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its name in the endpoint grammar, its cells, its document."""

    name: str
    cells: tuple[str, ...]
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A table below the list; ``name`` is its member of the document."""

    name: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    items: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list with the head of its table; ``schema`` names its document."""

    schema: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    sections: tuple[Section, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON document."""
        items = [row.document for row in self.rows]
        more = {section.name: list(section.items) for section in self.sections}
        return {"schema": self.schema, "items": items, **more}

    def tables(self) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        """Yield the head and the lines of each table that has any."""
        if self.rows:
            yield self.header, [row.cells for row in self.rows]
        for section in self.sections:
            if section.lines:
                yield section.header, list(section.lines)

    def names(self) -> Iterator[str]:
        """Yield the names, each once."""
        yield from dict.fromkeys(row.name for row in self.rows)


def policies(views: Iterable[PolicyView]) -> Listing:
    """List policies with the pods they select."""
    return Listing(
        "ringfence/policies/v1",
        ("NAMESPACE", "NAME", "POD-SELECTOR", "TYPES", "PODS", "DEFINED AT"),
        tuple(map(_policy_row, views)),
    )


def _policy_row(view: PolicyView) -> Row:
    policy = view.policy
    types = [str(d) for d in Direction if d in policy.policy_types]
    return Row(
        f"{policy.key.namespace}/netpol/{policy.key.name}",
        (
            *policy.key,
            str(policy.pod_selector),
            ",".join(types),
            str(len(view.pods)),
            place(policy.position),
        ),
        {
            "namespace": policy.key.namespace,
            "name": policy.key.name,
            "podSelector": str(policy.pod_selector),
            "policyTypes": types,
            "pods": [str(pod) for pod in view.pods],
            "file": policy.position.source,
            "line": policy.position.line,
        },
    )


def pods(views: Iterable[PodView]) -> Listing:
    """List pods with what isolates them, both directions."""
    return Listing(
        "ringfence/pods/v1",
        ("NAMESPACE", "NAME", "INGRESS", "EGRESS", "ADDRESSES", "NODE"),
        tuple(map(_pod_row, views)),
    )


def _pod_row(view: PodView) -> Row:
    pod = view.pod
    return Row(
        str(pod.key),
        (
            *pod.key,
            _policy_words(view.ingress),
            _policy_words(view.egress),
            ",".join(map(str, pod.addresses)) or "-",
            pod.node or "-",
        ),
        _pod_document(view),
    )


def _policy_words(keys: tuple[ObjectKey, ...]) -> str:
    return ",".join(key.name for key in keys) or "open"


def _pod_document(view: PodView) -> dict[str, Any]:
    pod = view.pod
    return {
        "namespace": pod.key.namespace,
        "name": pod.key.name,
        "labels": dict(pod.labels),
        "addresses": [str(address) for address in pod.addresses],
        "node": pod.node,
        "hostNetwork": pod.host_network,
        "isolated": {
            direction.value: [str(key) for key in view.policies(direction)]
            for direction in Direction
        },
    }


def isolated(views: Iterable[PodView]) -> Listing:
    """List each direction of each pod that some policy isolates."""
    return Listing(
        "ringfence/isolated/v1",
        ("NAMESPACE", "NAME", "DIRECTION", "POLICIES"),
        tuple(
            _isolated_row(view, direction)
            for view in views
            for direction in Direction
            if view.policies(direction)
        ),
    )


def _isolated_row(view: PodView, direction: Direction) -> Row:
    keys = view.policies(direction)
    return Row(
        str(view.pod.key),
        (*view.pod.key, str(direction), _policy_words(keys)),
        {
            "namespace": view.pod.key.namespace,
            "name": view.pod.key.name,
            "direction": direction.value,
            "policies": [str(key) for key in keys],
        },
    )


def paths(matrix: Matrix, chosen: set[ObjectKey]) -> Listing:
    """List what may pass from or to endpoints that hold one of these pods."""
    mine = {i for i, e in enumerate(matrix.endpoints) if not chosen.isdisjoint(e.pods)}
    return Listing(
        "ringfence/paths/v1",
        ("FROM", "TO", "PORTS"),
        tuple(
            _path_row(matrix, row, column, cell)
            for row, column, cell in matrix.cells()
            if row in mine or column in mine
        ),
    )


def _path_row(matrix: Matrix, row: int, column: int, cell: Cell) -> Row:
    source, destination = matrix.endpoints[row].id, matrix.endpoints[column].id
    return Row(
        f"{source} {destination}",
        (source, destination, cell_words(cell)),
        {
            "from": source,
            "to": destination,
            "ports": ports_document(cell.allowed),
            "undecided": ports_document(cell.undecided),
            "mixed": cell.mixed,
        },
    )
