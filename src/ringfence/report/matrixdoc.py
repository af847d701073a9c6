"""The matrix document, ``ringfence/matrix/v1`` (docs/documents.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringfence.analysis.focus import Part, Table
from ringfence.analysis.matrix import Cell, Endpoint
from ringfence.model.flow import PORT_PROTOCOLS
from ringfence.sets.conns import ConnSet

SCHEMA = "ringfence/matrix/v1"
PROTOCOLS = tuple(protocol.value for protocol in PORT_PROTOCOLS)

HEAD = '{"from": '
BETWEEN = f", {HEAD}"
MOST_BETWEENS = 500_000
"""How many pieces of text are kept for later rows: about 100 MB."""


def matrix_chunks(matrix: Table) -> Iterator[str]:
    """Yield the document as pieces of JSON text; a flow it does not list is denied.

    Of a part only flows within its ``focus`` are spoken of. A row at a time, so
    that a large matrix is never held as one text.
    """
    head = {"schema": SCHEMA, "by": matrix.by.value, **_focus(matrix)}
    endpoints = [_endpoint(endpoint) for endpoint in matrix.endpoints]
    yield json.dumps({**head, "endpoints": endpoints})[:-1]
    for member, undecided in (("flows", False), ("undecided", True)):
        yield f', "{member}": ['
        yield from _flows(matrix, undecided=undecided)
        yield "]"
    yield "}"


def _focus(matrix: Table) -> dict[str, Any]:
    """Return what a part speaks of: endpoints by id, ``null`` for any; ports."""
    if not isinstance(matrix, Part):
        return {}
    focus = matrix.focus
    ids = [endpoint.id for endpoint in matrix.endpoints]
    document = {
        "from": focus.sources and [ids[row] for row in matrix.sources],
        "to": focus.targets and [ids[column] for column in matrix.targets],
        "ports": "all" if focus.conns is None else ports_document(focus.conns),
    }
    return {"focus": document}


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


def _flows(matrix: Table, *, undecided: bool) -> Iterator[str]:
    """Yield the flows with what parts them, a piece of text for each stretch."""
    if undecided and matrix.decided:
        return
    ids = [json.dumps(endpoint.id) for endpoint in matrix.endpoints]
    betweens: dict[Cell, list[str]] = {}
    lead = HEAD
    for row, source in enumerate(ids):
        for cell, columns in matrix.row(row):
            conns = cell.undecided if undecided else cell.allowed
            if not (conns and columns):
                continue
            between = betweens.get(cell)
            if between is None:
                if len(ids) * len(betweens) > MOST_BETWEENS:
                    betweens.clear()
                tail = _tail(conns, mixed=cell.mixed)
                between = [f', "to": {target}{tail}{BETWEEN}' for target in ids]
                betweens[cell] = between
            # One join a stretch, of pieces that rows share: there are millions.
            pieces = [lead, *map(between.__getitem__, columns)]
            pieces[-1] = pieces[-1].removesuffix(BETWEEN)
            yield source.join(pieces)
            lead = BETWEEN


def _tail(conns: ConnSet, *, mixed: bool) -> str:
    ports = json.dumps(ports_document(conns))
    return f', "ports": {ports}, "mixed": true}}' if mixed else f', "ports": {ports}}}'


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
