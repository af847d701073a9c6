"""How values are written for people: ends, ports, places."""

from __future__ import annotations

from ringfence.model.flow import (
    AddressEnd,
    Direction,
    End,
    InternetEnd,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.meta import Position
from ringfence.model.verdict import RuleMatch

RULE_FIELD = {Direction.INGRESS: "ingress", Direction.EGRESS: "egress"}
PEER_FIELD = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def end_id(end: End) -> str:
    """Name an end in the endpoint grammar."""
    match end:
        case PodEnd(key):
            return str(key)
        case NodeEnd(name):
            return f"node/{name}"
        case AddressEnd(address):
            return str(address)
        case InternetEnd():
            return "internet"


def port_words(protocol: Protocol, port: int | None) -> str:
    """Name a port: ``:80/TCP``, ``:*/TCP`` for every port, ``/ICMP`` without ports."""
    if not protocol.has_ports:
        return f"/{protocol.value}"
    return f":{'*' if port is None else port}/{protocol.value}"


def place(position: Position) -> str:
    """Name a place as ``file:line``, as the source where it has no lines, or empty."""
    return f"{position.source}:{position.line}" if position.line else position.source


def match_field(match: RuleMatch) -> str:
    """Return the field path of the entry that matches, as in ``ingress[0].from[1]``."""
    base = f"{RULE_FIELD[match.direction]}[{match.rule}]"
    if match.peer is not None:
        return f"{base}.{PEER_FIELD[match.direction]}[{match.peer}]"
    return base
