"""Exposure as a list: one line an endpoint, direction and audience."""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.analysis.exposure import Audience, Exposure
from ringfence.model.flow import Direction
from ringfence.report.difftext import address_words
from ringfence.report.listing import Listing, Row
from ringfence.report.matrixdoc import ports_document
from ringfence.report.matrixtext import conns_words

_WAYS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def exposed(found: Iterable[Exposure]) -> Listing:
    """List what is open to pods that may come and to outside addresses."""
    return Listing(
        "ringfence/exposed/v1",
        ("ENDPOINT", "OPEN", "AUDIENCE", "PORTS"),
        tuple(map(_row, found)),
    )


def _row(one: Exposure) -> Row:
    who = one.audience.value
    if one.audience is Audience.ADDRESSES:
        who = address_words(one.cidrs)
    ports = conns_words(one.conns) + ("*" if one.mixed else "")
    return Row(
        one.endpoint.id,
        (one.endpoint.id, _WAYS[one.direction], who, ports),
        {
            "endpoint": one.endpoint.id,
            "pods": [str(pod) for pod in one.endpoint.pods],
            "direction": one.direction.value,
            "audience": one.audience.name.lower(),
            "cidrs": [str(cidr) for cidr in one.cidrs],
            "ports": ports_document(one.conns),
            "mixed": one.mixed,
        },
    )
