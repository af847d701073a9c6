"""Records are told to a person in Hubble's lines."""

from __future__ import annotations

from dataclasses import replace

from flowrecords import DENIED, WEB
from ringfence.observe.lines import compact, listed, tabled
from ringfence.observe.record import Party, Verdict


def test_the_compact_line_names_both_ends_and_the_policies() -> None:
    assert compact(DENIED) == (
        "Nov 21 10:00:00.123: 203.0.113.7:40000 (world) -> shop/web-7c:80 "
        "(Deployment/web) policy-verdict:shop/web-in INGRESS DENIED (TCP Flags: SYN)"
    )


def test_the_node_is_named_where_asked_for() -> None:
    assert compact(DENIED, node=True).startswith("Nov 21 10:00:00.123 [n1]: 203.")


def test_an_audited_denial_is_called_so() -> None:
    assert " AUDITED (" in compact(replace(DENIED, verdict=Verdict.AUDIT))


def test_a_reply_is_drawn_backwards() -> None:
    told = compact(replace(DENIED, type="trace", reply=True))
    assert "shop/web-7c:80 (Deployment/web) <- 203.0.113.7:40000 (world) trace" in told


def test_an_unknown_direction_is_drawn_as_such() -> None:
    assert " <> " in compact(replace(DENIED, reply=None))


def test_a_contested_address_names_its_claimants() -> None:
    both = Party("10.0.0.9", claimants=("a/x", "b/y"), labels=("reserved:unknown",))
    told = compact(replace(DENIED, source=both, policies=()))
    assert "10.0.0.9:40000 (one of a/x, b/y)" in told
    assert "policy-verdict:none INGRESS" in told


def test_an_ipv6_address_is_told_apart_from_its_port() -> None:
    told = compact(replace(DENIED, source=Party("2001:db8::7"), version=6))
    assert "[2001:db8::7]:40000" in told


def test_the_list_tells_the_nearest_miss() -> None:
    lines = list(listed(DENIED))
    assert "     DENIES: shop/web-in" in lines
    assert "    NEAREST: shop/web-in ingress[0].from[0]: why not" in lines
    assert "DESTINATION: shop/web-7c:80 (Deployment/web)" in lines


def test_the_table_has_a_row_a_record() -> None:
    head, *rows = tabled([DENIED, replace(DENIED, destination=WEB)])
    assert head.split() == [
        "TIMESTAMP",
        "SOURCE",
        "DESTINATION",
        "TYPE",
        "VERDICT",
        "SUMMARY",
    ]
    assert len(rows) == 2
