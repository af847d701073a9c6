"""Findings are told in lines that fit a terminal, and as one document."""

from __future__ import annotations

from ringfence.doctor.findings import Finding, Status, document, lines

GOOD = Finding("nft", Status.OK, "nftables v1.0.6")
BAD = Finding("bridge cni0", Status.PROBLEM, "packets pass by", "Why. " * 30, "do it")
DARK = Finding("kube-proxy", Status.UNKNOWN, "no mark")


def test_a_finding_begins_with_its_status_and_goes_on_indented() -> None:
    first, *rest = lines([BAD])
    assert first == "problem      bridge cni0: packets pass by"
    assert rest[-3] == " " * 13 + "To do: do it"
    assert all(line.startswith(" " * 13) for line in rest[:-2])


def test_no_line_is_wider_than_a_terminal() -> None:
    assert max(map(len, lines([GOOD, BAD, DARK]))) <= 88


def test_a_narrow_terminal_loses_no_word() -> None:
    wide, narrow = (list(lines([GOOD, BAD, DARK], width)) for width in (88, 60))
    assert max(map(len, narrow)) <= 60
    assert " ".join(narrow).split() == " ".join(wide).split()


def test_the_last_line_counts() -> None:
    *_, last = lines([GOOD, BAD, DARK])
    said = "1 problem, no warnings, 1 that cannot be told, 1 in order"
    assert last == said


def test_the_document_has_every_finding_in_order() -> None:
    told = document([BAD, DARK])
    assert told["problems"] == 1
    assert [one["status"] for one in told["findings"]] == ["problem", "unknown"]
    assert told["findings"][0]["remedy"] == "do it"
