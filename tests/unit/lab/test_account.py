"""A run is told truly: what got through, and where the answers differ."""

from __future__ import annotations

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.lab.account import Told, document, matrix_lines, summary
from ringfence.lab.crosscheck import Check
from ringfence.lab.plan import Fate
from ringfence.lab.scope import Asked
from ringfence.model.flow import Protocol
from ringfence.model.verdict import Outcome
from worlds import cluster, flow, pod

ALLOW, DENY, UNDECIDED = Outcome.ALLOW, Outcome.DENY, Outcome.UNDECIDED
THERE = flow("a", "b", 80)


def check(predicted: Outcome, interpreted: Outcome, packet: Fate) -> Check:
    return Check(THERE, predicted, interpreted, packet, ())


def told(*checks: Check) -> Told:
    asked = Asked("a", "b", Protocol.TCP, 80, tuple(c.flow for c in checks))
    return Told(asked, checks)


GOOD = check(ALLOW, ALLOW, Fate.CONNECTED)
SHUT = check(DENY, DENY, Fate.DROPPED)


@pytest.mark.parametrize(
    ("predicted", "interpreted", "packet", "agree"),
    [
        (ALLOW, ALLOW, Fate.CONNECTED, True),
        (DENY, DENY, Fate.DROPPED, True),
        (DENY, DENY, Fate.REFUSED, True),
        (ALLOW, ALLOW, Fate.DROPPED, False),
        (ALLOW, DENY, Fate.CONNECTED, False),
        (DENY, ALLOW, Fate.DROPPED, False),
        (UNDECIDED, UNDECIDED, Fate.DROPPED, False),
    ],
)
def test_all_three_have_to_say_the_same(
    predicted: Outcome, interpreted: Outcome, packet: Fate, *, agree: bool
) -> None:
    assert check(predicted, interpreted, packet).agree is agree


def test_a_group_passes_only_as_a_whole() -> None:
    found = document(told(GOOD, SHUT))
    assert found == {
        "from": "a",
        "to": "b",
        "protocol": "TCP",
        "port": 80,
        "predicted": "DENY",
        "interpreted": "DENY",
        "packet": "dropped",
        "agree": True,
    }


def test_the_summary_counts_flows_and_disagreements() -> None:
    wrong = check(ALLOW, ALLOW, Fate.DROPPED)
    assert summary([told(GOOD, SHUT)]).endswith(
        "for all 2 flows (1 connected, 1 dropped)"
    )
    assert "packets for the one flow (" in summary([told(GOOD)])
    found = summary([told(GOOD), told(wrong)])
    assert found == "1 of 2 flows disagree (1 connected, 1 dropped)"


def test_the_matrix_lists_the_ports_that_packets_got_through() -> None:
    compiled = compile_cluster(cluster(pod("a", "x=1"), pod("b"), pod("c", "x=1")))
    checks = [
        Check(flow("a", "b", 80), ALLOW, ALLOW, Fate.CONNECTED, ()),
        Check(flow("a", "b", 81), DENY, DENY, Fate.REFUSED, ()),
        Check(flow("b", "a", 80), DENY, DENY, Fate.DROPPED, ()),
        Check(flow("a", "c", 80), ALLOW, ALLOW, Fate.CONNECTED, ()),
    ]
    lines = [line.split() for line in matrix_lines(compiled, checks)]
    assert lines[1:3] == [
        ["[1]", "default/a", "(and", "1", "like", "it)", "all", "80"],
        ["[2]", "default/b", ".", "-"],
    ]
