"""Filters choose records as Hubble's do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowrecords import DENIED
from ringfence.errors import InputError
from ringfence.observe.filters import NAMES, FilterError, filters, moment
from ringfence.observe.instants import SECOND
from ringfence.observe.record import FlowRecord, Party, Verdict

DATABASE = Party("10.0.0.2", "data", "db-0", ("k8s:app=db", "k8s:tier=1"))
TO_DATABASE = replace(
    DENIED,
    verdict=Verdict.FORWARDED,
    source=DENIED.destination,
    destination=DATABASE,
    ports=(40001, 5432),
    flags=("SYN", "ACK"),
    direction="EGRESS",
    policies=(),
)
PING = replace(DENIED, protocol="ICMPv6", ports=None, flags=(), version=6)


def shown(wanted: dict[str, str], unwanted: dict[str, str] | None = None) -> str:
    """Return which of the three records pass: d(enied), t(o database), p(ing)."""
    made = filters(_split(wanted), _split(unwanted or {}))
    named: dict[str, FlowRecord] = {"d": DENIED, "t": TO_DATABASE, "p": PING}
    return "".join(name for name, record in named.items() if made.pass_(record))


def _split(flags: dict[str, str]) -> dict[str, list[str]]:
    return {name: values.split() for name, values in flags.items()}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("verdict", "DROPPED", "dp"),
        ("verdict", "denied", "dp"),
        ("verdict", "DROPPED FORWARDED", "dtp"),
        ("namespace", "data", "t"),
        ("from-namespace", "shop", "t"),
        ("to-namespace", "shop", "dp"),
        ("pod", "shop/web", "dtp"),
        ("from-pod", "shop/web-7c", "t"),
        ("to-pod", "data/db", "t"),
        ("pod", "web", ""),
        ("ip", "203.0.113.0/24", "dp"),
        ("ip", "10.0.0.2", "t"),
        ("from-ip", "10.0.0.1", "t"),
        ("to-ip", "10.0.0.1", "dp"),
        ("port", "80", "d"),
        ("port", "40001", "t"),
        ("from-port", "40000", "d"),
        ("to-port", "80 5432", "dt"),
        ("protocol", "tcp", "dt"),
        ("protocol", "icmp", "p"),
        ("protocol", "ICMPv6", "p"),
        ("label", "app=db", "t"),
        ("label", "k8s:app=db,tier=2", ""),
        ("to-label", "tier", "t"),
        ("from-label", "reserved:world", "dp"),
        ("workload", "web", "dtp"),
        ("to-workload", "shop/web", "dp"),
        ("workload", "Deployment/web", "dtp"),
        ("identity", "world", "dp"),
        ("identity", "2", "dp"),
        ("traffic-direction", "egress", "t"),
        ("type", "policy-verdict", "dtp"),
        ("type", "drop", "dp"),
        ("type", "policy-verdict:none", "t"),
        ("type", "trace", ""),
        ("tcp-flags", "syn", "dt"),
        ("tcp-flags", "syn,ack", "t"),
        ("policy", "shop/web-in", "dp"),
        ("policy", "web-in", "dp"),
        ("node-name", "n1", "dtp"),
        ("drop-reason-desc", "policy_denied", "dtp"),
        ("ip-version", "6", "p"),
    ],
)
def test_a_flag_chooses(name: str, values: str, expected: str) -> None:
    assert name in NAMES
    assert shown({name: values}) == expected


def test_different_flags_have_to_hold_together() -> None:
    assert shown({"verdict": "DROPPED", "port": "80"}) == "d"


def test_not_turns_a_flag() -> None:
    assert shown({"verdict": "DROPPED"}, {"port": "80"}) == "p"
    assert shown({}, {"protocol": "icmp", "port": "5432"}) == "d"


def test_a_pod_without_namespace_is_in_the_one_asked_for() -> None:
    assert shown({"pod": "web", "namespace": "shop"}) == "dtp"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "MAYBE"),
        ("ip", "10.0.0.300"),
        ("port", "http"),
        ("port", "65536"),
        ("protocol", "gre"),
        ("traffic-direction", "up"),
        ("tcp-flags", "syn,xyz"),
        ("label", "app in"),
        ("type", "policy"),
        ("to-identity", "me"),
    ],
)
def test_a_value_without_sense_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        filters({name: [value]}, {})
    (problem,) = caught.value.problems
    assert problem.place == f"--{name}"


def test_every_value_without_sense_is_told() -> None:
    with pytest.raises(InputError) as caught:
        filters({"port": ["80", "a", "b"]}, {"ip": ["c"]})
    places = [problem.place for problem in caught.value.problems]
    assert places == ["--port", "--port", "--not --ip"]


def test_moments_are_absolute_or_ago() -> None:
    assert moment("1970-01-01T00:00:10Z", 0) == 10 * SECOND
    assert moment("1h30m", 10_000 * SECOND) == 4600 * SECOND
    for text in ("", "5", "m5", "yesterday"):
        with pytest.raises(FilterError):
            moment(text, 0)
