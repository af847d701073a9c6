"""Entry points as a list: one line a way in and a port of pods behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ringfence.analysis.entries import Audience, Entry, Landing
from ringfence.analysis.gateways import Door
from ringfence.model.flow import Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import Outcome
from ringfence.report.difftext import address_words
from ringfence.report.listing import Section

MOST_PODS = 3
_WORDS = {Outcome.ALLOW: "yes", Outcome.DENY: "no", Outcome.UNDECIDED: "undecided"}
_KINDS = {"LoadBalancer": "svc", "NodePort": "svc"}


def entry_section(found: Iterable[Entry]) -> Section:
    """List where entry points lead and whether any pod and the outside may follow."""
    entries = list(found)
    return Section(
        "entries",
        ("ENTRY", "AT", "BACKEND", "PODS", "PORT", "ANY POD", "OUTSIDE"),
        tuple(line for entry in entries for line in _lines(entry)),
        tuple(map(_document, entries)),
    )


def _lines(entry: Entry) -> Iterator[tuple[str, ...]]:
    """Yield a line for each landing and each note."""
    door = entry.door
    head = (_name(door), _at(door), _backend(door))
    yield from ((*head, *_landing_words(landing)) for landing in entry.landings)
    yield from ((*head, note, "-", "-", "-") for note in entry.notes)


def _name(door: Door) -> str:
    kind = _KINDS.get(door.kind, door.kind.lower())
    return f"{door.key.namespace}/{kind}/{door.key.name}"


def _at(door: Door) -> str:
    ports = f":{','.join(map(str, door.ports))}" if door.ports else ""
    return f"{door.host or '*'}{ports}{door.path}"


def _backend(door: Door) -> str:
    if door.service is None:
        return "-"
    port = "" if door.port is None else f":{door.port}"
    return f"{door.service.namespace}/svc/{door.service.name}{port}"


def _landing_words(landing: Landing) -> tuple[str, str, str, str]:
    port = str(landing.port)
    if landing.protocol is not Protocol.TCP:
        port += f"/{landing.protocol.value}"
    audience = landing.audience
    return _pods(landing.pods), port, _any_pod(landing), _outside(audience)


def _pods(pods: tuple[ObjectKey, ...]) -> str:
    shown = ", ".join(pod.name for pod in pods[:MOST_PODS])
    more = len(pods) - MOST_PODS
    return f"{shown} and {more} more" if more > 0 else shown


def _any_pod(landing: Landing) -> str:
    audience = landing.audience
    if audience.own_namespace is not Outcome.ALLOW:
        return _WORDS[audience.any_pod]
    own = f"of {landing.pods[0].namespace}"
    match audience.any_pod:
        case Outcome.ALLOW:
            return _WORDS[Outcome.ALLOW]
        case Outcome.DENY:
            return own
        case Outcome.UNDECIDED:
            return f"{own}; others undecided"


def _outside(audience: Audience) -> str:
    words = [address_words(audience.cidrs)] if audience.cidrs else []
    if audience.undecided:
        words.append(f"undecided: {address_words(audience.undecided)}")
    return "; ".join(words) or "no"


def _document(entry: Entry) -> dict[str, Any]:
    door = entry.door
    return {
        "kind": door.kind,
        "namespace": door.key.namespace,
        "name": door.key.name,
        "host": door.host or None,
        "path": door.path or None,
        "ports": list(door.ports),
        "service": None if door.service is None else str(door.service),
        "servicePort": door.port,
        "landings": [_landing(landing) for landing in entry.landings],
        "notes": list(entry.notes),
    }


def _landing(landing: Landing) -> dict[str, Any]:
    audience = landing.audience
    return {
        "pods": [str(pod) for pod in landing.pods],
        "port": {"protocol": landing.protocol.value, "port": landing.port},
        "anyPod": str(audience.any_pod),
        "podsOfNamespace": str(audience.own_namespace),
        "outside": [str(cidr) for cidr in audience.cidrs],
        "outsideUndecided": [str(cidr) for cidr in audience.undecided],
    }
