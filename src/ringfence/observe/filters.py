"""Hubble's filters: the same flag again is "or", another flag "and", --not turns one.

A flag's values are read once into a test of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from ringfence.engine.select import selects
from ringfence.errors import InputError, Problem
from ringfence.manifest.labelquery import LabelQueryError, parse_label_query
from ringfence.model.flow import IPNetwork
from ringfence.observe.hubble import EVENT_TYPES
from ringfence.observe.instants import SECOND, instant_of
from ringfence.observe.parse import TCP_FLAGS
from ringfence.observe.record import (
    POD_LABEL,
    RESERVED,
    RESERVED_LABEL,
    FlowRecord,
    Party,
    Verdict,
)

Test: TypeAlias = Callable[[FlowRecord], bool]
PartyTest: TypeAlias = Callable[[Party], bool]


class FilterError(ValueError):
    """A filter's value makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What every record has to pass: all of ``wanted``, none of ``unwanted``."""

    wanted: tuple[Test, ...] = ()
    unwanted: tuple[Test, ...] = ()

    def pass_(self, record: FlowRecord) -> bool:
        """Whether a record is to be shown."""
        return all(test(record) for test in self.wanted) and not any(
            test(record) for test in self.unwanted
        )


def filters(
    wanted: Mapping[str, Iterable[str]], unwanted: Mapping[str, Iterable[str]]
) -> Filters:
    """Return the filters that flags' values mean, by the flags' names.

    A pod without a namespace is in that of ``--namespace``, else in ``default``.
    Raises InputError with every value that makes no sense.
    """
    namespaces = tuple(wanted.get("namespace", ()))
    problems = [*_problems("--", wanted), *_problems("--not --", unwanted)]
    if problems:
        raise InputError(problems)
    return Filters(
        tuple(_flag(name, values, namespaces) for name, values in wanted.items()),
        tuple(_flag(name, values, namespaces) for name, values in unwanted.items()),
    )


def _problems(dashes: str, flags: Mapping[str, Iterable[str]]) -> Iterator[Problem]:
    for name, values in flags.items():
        for value in values:
            try:
                _flag(name, (value,), ())
            except FilterError as error:
                yield Problem(f"{dashes}{name}", str(error))


def _flag(name: str, values: Iterable[str], namespaces: tuple[str, ...]) -> Test:
    side, found, kind = name.partition("-")
    if name in _WHOLE:
        tests = [_WHOLE[name](value) for value in values]
        return lambda record: any(test(record) for test in tests)
    if not found or side not in _SIDES:
        side, kind = "", name
    if kind == "port":
        ports = {_port(value) for value in values}
        return lambda record: bool(ports & _ports(record, side))
    parties = [
        pod_test(value, namespaces) if kind == "pod" else _PARTIES[kind](value)
        for value in values
    ]
    sides = _SIDES[side]
    return lambda record: any(
        test(party) for party in sides(record) for test in parties
    )


_SIDES: dict[str, Callable[[FlowRecord], tuple[Party, ...]]] = {
    "": lambda record: (record.source, record.destination),
    "from": lambda record: (record.source,),
    "to": lambda record: (record.destination,),
}


def _ports(record: FlowRecord, side: str) -> set[int]:
    if record.ports is None:
        return set()
    source, destination = record.ports
    return {"": {source, destination}, "from": {source}, "to": {destination}}[side]


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) < 1 << 16):
        raise FilterError(f'"{value}" is no number from 0 to 65535')
    return int(value)


def pod_test(value: str, namespaces: tuple[str, ...]) -> PartyTest:
    """Return the test for ``[namespace/]name``, where the name may be cut short."""
    namespace, found, name = value.rpartition("/")
    inside = {namespace} if found else set(namespaces) or {"default"}
    return lambda party: (
        bool(party.pod) and party.namespace in inside and party.pod.startswith(name)
    )


def _namespace(value: str) -> PartyTest:
    return lambda party: party.namespace == value


def _ip(value: str) -> PartyTest:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise FilterError(f'"{value}" is no IP address or CIDR') from None
    return lambda party: _inside(party.address, network)


def _inside(address: str, network: IPNetwork) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found.version == network.version and found in network


def _label(value: str) -> PartyTest:
    if value.startswith(RESERVED_LABEL):
        return lambda party: value in party.labels
    try:
        selector = parse_label_query(value.removeprefix(POD_LABEL))
    except LabelQueryError as error:
        raise FilterError(f'"{value}": {error}') from error
    return lambda party: bool(party.pod) and selects(selector, _labels(party))


def _labels(party: Party) -> dict[str, str]:
    pairs = (label.removeprefix(POD_LABEL).partition("=") for label in party.labels)
    return {key: value for key, _, value in pairs}


def _workload(value: str) -> PartyTest:
    """Read ``[namespace/]name`` or ``Kind/name`` (with the kind's capital)."""
    head, _, name = value.rpartition("/")
    return lambda party: any(
        of.name == name and head in {"", party.namespace, of.kind}
        for of in party.workloads
    )


_IDENTITIES = (
    *RESERVED,
    "unknown",
    *("unmanaged", "health", "init", "ingress", "world-ipv4", "world-ipv6"),
)
"""Our words for ends that are no pods, and then those that only Hubble has."""


def _identity(value: str) -> PartyTest:
    if value.isascii() and value.isdigit():
        return lambda party: party.identity == int(value)
    if value not in _IDENTITIES:
        raise FilterError(f'"{value}" is no identity: {", ".join(_IDENTITIES)}')
    return lambda party: party.reserved == value


_PARTIES: dict[str, Callable[[str], PartyTest]] = {
    "namespace": _namespace,
    "ip": _ip,
    "label": _label,
    "workload": _workload,
    "identity": _identity,
}


def _verdict(value: str) -> Test:
    meant = {"ALLOWED": "FORWARDED", "DENIED": "DROPPED", "AUDITED": "AUDIT"}
    word = meant.get(value.upper(), value.upper())
    if word not in {verdict.value for verdict in Verdict}:
        known = ", ".join(verdict.value for verdict in Verdict)
        raise FilterError(f'"{value}" is no verdict: {known}, DENIED or ALLOWED')
    return lambda record: record.verdict.value == word


def _protocol(value: str) -> Test:
    names = {"ICMP": {"ICMPv4", "ICMPv6"}, "ICMPV4": {"ICMPv4"}, "ICMPV6": {"ICMPv6"}}
    known = names.get(value.upper(), {value.upper()})
    if not known <= {"TCP", "UDP", "SCTP", "ICMPv4", "ICMPv6"}:
        raise FilterError(f'"{value}" is no protocol: tcp, udp, sctp, icmp, icmpv4/6')
    return lambda record: record.protocol in known


def _direction(value: str) -> Test:
    word = value.upper()
    if word not in {"INGRESS", "EGRESS"}:
        raise FilterError(f'"{value}" is no direction: ingress or egress')
    return lambda record: record.direction == word


def _type(value: str) -> Test:
    """Read ``TYPE[:SUB]``; a denial is a drop, too."""
    name, found, sub = value.partition(":")
    if name not in EVENT_TYPES.values():
        raise FilterError(f'"{name}" is no type: {", ".join(EVENT_TYPES.values())}')

    def test(record: FlowRecord) -> bool:
        dropped = name == "drop" and record.verdict is Verdict.DROPPED
        policies = {str(of) for of in record.policies} or {"none"}
        return (record.type == name or dropped) and (not found or sub in policies)

    return test


def _flags(value: str) -> Test:
    """Read TCP flags, all of which have to be set: ``syn``, ``syn,ack``."""
    wanted = {name.strip().upper() for name in value.split(",")}
    if not wanted <= {*TCP_FLAGS, "NS"}:
        raise FilterError(f'"{value}" are no TCP flags: {", ".join(TCP_FLAGS).lower()}')
    return lambda record: wanted <= {*record.flags}


def _policy(value: str) -> Test:
    namespace, found, name = value.rpartition("/")
    return lambda record: any(
        of.name == name and (not found or of.namespace == namespace)
        for of in record.policies
    )


def _version(value: str) -> Test:
    return lambda record: str(record.version) == value


_WHOLE: dict[str, Callable[[str], Test]] = {
    "verdict": _verdict,
    "protocol": _protocol,
    "traffic-direction": _direction,
    "type": _type,
    "tcp-flags": _flags,
    "policy": _policy,
    "node-name": lambda value: lambda record: record.node == value,
    "drop-reason-desc": lambda value: lambda record: record.reason == value.upper(),
    "ip-version": _version,
}

NAMES = (
    *_WHOLE,
    *(
        f"{side}{kind}"
        for kind in (*_PARTIES, "pod", "port")
        for side in ("", "from-", "to-")
    ),
)
"""Every filter that ``filters`` takes."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str, now: int) -> int:
    """Read a time: RFC 3339, or how long ago, as ``90s``, ``5m`` or ``1h30m``.

    ``now`` and the result are nanoseconds since 1970. Raises FilterError.
    """
    instant = instant_of(text)
    if instant is not None:
        return instant
    ago, digits = 0, ""
    for letter in text:
        if letter in "0123456789":
            digits += letter
        elif letter in _UNITS and digits:
            ago += int(digits) * _UNITS[letter]
            digits = ""
        else:
            digits = "?"
            break
    if digits or not text:
        raise FilterError(f'"{text}" is no time: 5m, 1h30m or 2026-11-21T12:00:00Z')
    return now - ago * SECOND
