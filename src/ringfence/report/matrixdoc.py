"""The matrix document, ``ringfence/matrix/v1`` (docs/documents.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.analysis.matrix import Endpoint, Matrix
from ringfence.model.flow import PORT_PROTOCOLS
from ringfence.sets.conns import ConnSet

SCHEMA = "ringfence/matrix/v1"
PROTOCOLS = tuple(protocol.value for protocol in PORT_PROTOCOLS)


def matrix_document(matrix: Matrix) -> dict[str, Any]:
    """Return the document; a flow that it does not list is denied."""
    return {
        "schema": SCHEMA,
        "by": matrix.by.value,
        "endpoints": [_endpoint(endpoint) for endpoint in matrix.endpoints],
        "flows": list(_flows(matrix, undecided=False)),
        "undecided": list(_flows(matrix, undecided=True)),
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.kind == "Addresses":
        return {
            "id": endpoint.id,
            "kind": endpoint.kind,
            "cidrs": [str(cidr) for cidr in endpoint.cidrs],
        }
    owner = endpoint.owner
    return {
        "id": endpoint.id,
        "kind": endpoint.kind,
        "namespace": endpoint.namespace,
        "name": endpoint.name,
        "owner": {"kind": owner.kind, "name": owner.name} if owner else None,
        "pods": [str(pod) for pod in endpoint.pods],
        "isolated": [direction.value for direction in endpoint.isolated],
    }


def _flows(matrix: Matrix, *, undecided: bool) -> Iterator[dict[str, Any]]:
    for (row, column), cell in sorted(matrix.cells.items()):
        conns = cell.undecided if undecided else cell.allowed
        if not conns:
            continue
        flow = {
            "from": matrix.endpoints[row].id,
            "to": matrix.endpoints[column].id,
            "ports": ports_document(conns),
        }
        yield {**flow, "mixed": True} if cell.mixed else flow


def ports_document(conns: ConnSet) -> str | list[dict[str, Any]]:
    """Return ``"all"`` or the ranges; ``endPort`` only where a range has several.

    ``{"protocol": "OTHER"}`` stands for every protocol without ports.
    """
    if conns.is_all(PROTOCOLS):
        return "all"
    ranges: list[dict[str, Any]] = []
    for protocol, stretches in conns.ports:
        for low, high in stretches:
            listed = {"protocol": protocol, "port": low}
            ranges.append(listed if low == high else {**listed, "endPort": high})
    return [*ranges, {"protocol": "OTHER"}] if conns.other else ranges
