"""Exposure as a list: one line an endpoint, direction and audience."""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.analysis.entries import Entry
from ringfence.analysis.exposure import Audience, Exposure
from ringfence.engine.compiled import PeerSelector
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.report.difftext import address_words
from ringfence.report.entrytext import entry_section
from ringfence.report.listing import Listing, Row
from ringfence.report.matrixdoc import ports_document
from ringfence.report.matrixtext import conns_words

_WAYS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def exposed(found: Iterable[Exposure], entries: Iterable[Entry]) -> Listing:
    """List what is open to pods that may come and to addresses, then the ways in."""
    return Listing(
        "ringfence/exposed/v1",
        ("ENDPOINT", "OPEN", "AUDIENCE", "PORTS"),
        tuple(map(_row, found)),
        (entry_section(entries),),
    )


def _row(one: Exposure) -> Row:
    who = one.audience.value
    if one.audience is Audience.ADDRESSES:
        who = address_words(one.cidrs)
    elif one.selector is not None:
        who = _meant(one.selector)
    ports = conns_words(one.conns) + ("*" if one.mixed else "")
    return Row(
        one.endpoint.id,
        (one.endpoint.id, _WAYS[one.direction], who, ports),
        {
            "endpoint": one.endpoint.id,
            "pods": [str(pod) for pod in one.endpoint.pods],
            "direction": one.direction.value,
            "audience": one.audience.name.lower(),
            "selector": _selector(one.selector),
            "cidrs": [str(cidr) for cidr in one.cidrs],
            "ports": ports_document(one.conns),
            "mixed": one.mixed,
        },
    )


def _meant(selector: PeerSelector) -> str:
    needs = selector.pod_selector
    pods = "pods" if needs == EVERYTHING else f"pods {needs}"
    if selector.namespace_selector is None:
        return f"{pods} of namespace {selector.namespace}"
    if selector.namespace_selector == EVERYTHING:
        return f"{pods} of any namespace"
    return f"{pods} of namespaces {selector.namespace_selector}"


def _selector(selector: PeerSelector | None) -> dict[str, str | None] | None:
    if selector is None:
        return None
    spaces = selector.namespace_selector
    return {
        "namespace": selector.namespace,
        "namespaceSelector": None if spaces is None else str(spaces),
        "podSelector": str(selector.pod_selector),
    }
