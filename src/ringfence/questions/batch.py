"""Batch files: many questions as JSON lines, read before any is answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringfence.errors import InputError, Problem
from ringfence.model.flow import Protocol
from ringfence.questions.reference import (
    LAST_PORT,
    PortRef,
    Reference,
    ReferenceSyntaxError,
    parse_port,
    parse_protocol,
    parse_reference,
    split_port,
)

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
    return make_ask(
        place, (source, destination), _port(record), _protocol(record), namespace
    )


def make_ask(
    place: str,
    ends: tuple[str, str],
    port: PortRef | None,
    protocol: Protocol | None,
    namespace: str,
) -> Ask:
    """Return the question of these words.

    The port stands behind the destination (``TO:80/TCP``) or in ``port``; what is
    said twice has to agree. Raises ReferenceSyntaxError.
    """
    source, destination = ends
    bare, suffix = split_port(destination)
    said = [one for one in (suffix, port) if one is not None]
    ports = dict.fromkeys(one.port for one in said)
    protocols = dict.fromkeys([*(one.protocol for one in said), protocol])
    protocols.pop(None, None)
    if len(ports) > 1:
        raise ReferenceSyntaxError(f"the ports contradict each other: {_words(ports)}")
    if len(protocols) > 1:
        words = _words(p.value for p in protocols if p is not None)
        raise ReferenceSyntaxError(f"the protocols contradict each other: {words}")
    target = PortRef(next(iter(ports), None), next(iter(protocols), None))
    if target.protocol and not target.protocol.has_ports and target.port is not None:
        word = target.protocol.value
        raise ReferenceSyntaxError(f"{word} has no ports: leave {target.port} out")
    return Ask(
        place,
        source,
        bare,
        parse_reference(source, namespace),
        parse_reference(bare, namespace),
        target,
    )


def _words(values: Iterable[object]) -> str:
    return " and ".join("*" if value is None else str(value) for value in values)


def _text(record: dict[str, Any], member: str) -> str:
    value = record.get(member)
    if not isinstance(value, str):
        raise ReferenceSyntaxError(f'"{member}" is missing or no text')
    return value


def _protocol(record: dict[str, Any]) -> Protocol | None:
    word = record.get("protocol")
    if word is None:
        return None
    if not isinstance(word, str):
        raise ReferenceSyntaxError('"protocol" is no text')
    return parse_protocol(word)


def _port(record: dict[str, Any]) -> PortRef | None:
    port = record.get("port")
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise ReferenceSyntaxError('"port" is no number, name or null')
    if isinstance(port, str):
        return parse_port(port)
    if not 0 <= port <= LAST_PORT:
        raise ReferenceSyntaxError(f"port {port} is not in 0-{LAST_PORT}")
    return PortRef(port)
