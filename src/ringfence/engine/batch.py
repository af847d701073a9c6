"""Batch files: many questions as JSON lines, read before any is answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringfence.engine.reference import (
    LAST_PORT,
    PortRef,
    Reference,
    ReferenceSyntaxError,
    parse_port,
    parse_protocol,
    parse_reference,
    split_port,
)
from ringfence.errors import InputError, Problem
from ringfence.model.flow import Protocol

MEMBERS = frozenset({"from", "to", "port", "protocol"})


@dataclass(frozen=True, slots=True)
class Ask:
    """One line of a batch: the words as written, and what they mean."""

    place: str
    source_text: str
    destination_text: str
    source: Reference
    destination: Reference
    port: PortRef

    @property
    def protocol(self) -> Protocol:
        """The protocol asked for, TCP by default."""
        return self.port.protocol or Protocol.TCP


def parse_batch(lines: Iterable[str], source: str, namespace: str) -> list[Ask]:
    """Return the questions of a batch file, in order; empty lines are passed over.

    Each line is a JSON object of ``from``, ``to``, ``port`` (number, name or null)
    and ``protocol`` (default TCP). Raises InputError with every malformed line.
    """
    asks: list[Ask] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        place = f"{source}:{number}"
        if not line.strip():
            continue
        try:
            asks.append(_parse_line(line, place, namespace))
        except (ReferenceSyntaxError, RecursionError) as error:
            problems.append(Problem(place, str(error)))
    if problems:
        raise InputError(problems)
    return asks


def _parse_line(line: str, place: str, namespace: str) -> Ask:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ReferenceSyntaxError(
            f"no JSON: {error.msg}, column {error.colno}"
        ) from None
    if not isinstance(record, dict):
        raise ReferenceSyntaxError(
            'a line is an object {"from", "to", "port", "protocol"}'
        )
    unknown = sorted(set(record) - MEMBERS)
    if unknown:
        raise ReferenceSyntaxError(
            f"unknown member {unknown[0]!r}; known are from, to, port, protocol"
        )
    source, destination = _text(record, "from"), _text(record, "to")
    return make_ask(place, source, destination, _port(record), namespace)


def make_ask(
    place: str, source: str, destination: str, port: PortRef, namespace: str
) -> Ask:
    """Return the question of these words.

    The port stands behind the destination (``TO:80/TCP``) or in ``port``; both
    together have to agree. Raises ReferenceSyntaxError.
    """
    bare, suffix = split_port(destination)
    return Ask(
        place,
        source,
        bare,
        parse_reference(source, namespace),
        parse_reference(bare, namespace),
        _agreed(suffix, port) if suffix is not None else port,
    )


def _agreed(suffix: PortRef, port: PortRef) -> PortRef:
    if port.port is not None and port.port != suffix.port:
        raise ReferenceSyntaxError(
            f"port {suffix.port} behind the destination contradicts port {port.port}"
        )
    protocols = {p for p in (suffix.protocol, port.protocol) if p is not None}
    if len(protocols) > 1:
        words = " and ".join(sorted(p.value for p in protocols))
        raise ReferenceSyntaxError(f"the protocols contradict each other: {words}")
    return PortRef(suffix.port, suffix.protocol or port.protocol)


def _text(record: dict[str, Any], member: str) -> str:
    value = record.get(member)
    if not isinstance(value, str):
        raise ReferenceSyntaxError(f'"{member}" is missing or no text')
    return value


def _port(record: dict[str, Any]) -> PortRef:
    port, word = record.get("port"), record.get("protocol")
    if word is not None and not isinstance(word, str):
        raise ReferenceSyntaxError('"protocol" is no text')
    protocol = parse_protocol(word) if word is not None else None
    if port is None:
        return PortRef(None, protocol)
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise ReferenceSyntaxError('"port" is no number, name or null')
    if isinstance(port, int):
        if not 0 <= port <= LAST_PORT:
            raise ReferenceSyntaxError(f"port {port} is not in 0-{LAST_PORT}")
        return PortRef(port, protocol)
    named = parse_port(port)
    if named.protocol is not None and protocol not in {None, named.protocol}:
        raise ReferenceSyntaxError(f'port {port!r} contradicts "protocol"')
    return PortRef(named.port, named.protocol or protocol)
