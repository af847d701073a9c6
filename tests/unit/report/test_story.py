"""What a person reads, line by line."""

from __future__ import annotations

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Protocol
from ringfence.model.meta import Position
from ringfence.model.netpol import NetworkPolicy
from ringfence.questions.answer import Answer, answer
from ringfence.questions.batch import make_ask
from ringfence.questions.resolve import resolve
from ringfence.report.story import brief_reason, derivation, headline
from ringfence.report.verdictdoc import verdict_document
from worlds import block, cluster, egress, ingress, peer, pod, rule, tcp

SHOP = cluster(
    pod("web", "app=Web", "10.0.0.1"),
    pod("db-0", "app=db", "10.0.0.2"),
    pod("db-1", "app=db", "10.0.0.3"),
    NetworkPolicy(
        ingress("x", "").key,
        ingress("x", "app=db").pod_selector,
        ingress("x", "").policy_types,
        (rule([peer("app=web")], [tcp(5432)]),),
        position=Position("db.yaml", 3, 1),
    ),
)


def asked(world: Cluster, source: str, to: str) -> Answer:
    ask = make_ask("", (source, to), None, None, "default")
    question = resolve(world, ask.source, ask.destination, ask.port)
    return answer(compile_cluster(world), question)


def test_a_denied_flow_is_told_with_both_ends_nearest_miss_and_fix() -> None:
    found = asked(SHOP, "web", "db-0:5432")
    assert headline("web", "db-0", found) == "DENY  web -> db-0:5432/TCP"
    assert list(derivation(found)) == [
        (
            "  egress  of default/web : ALLOWED not isolated: "
            "no policy selects it for Egress"
        ),
        "  ingress of default/db-0: ISOLATED by default/x — no rule matches",
        (
            "    nearest: default/x ingress[0].from[0]  "
            'pod label app wanted "web", pod has "Web" (case)'
        ),
        "  fix ingress: default/x: label pod default/web app=web",
    ]


def test_a_group_shows_how_many_pairs_are_allowed_and_one_that_is_not() -> None:
    found = asked(SHOP, "web", "app=db:5432")
    assert "(0 of 2 pairs allowed)" in headline("web", "app=db", found)
    assert next(derivation(found)) == (
        "  first denied: default/web -> default/db-0:5432/TCP"
    )


def test_the_brief_reason_names_the_isolating_policies() -> None:
    assert brief_reason(asked(SHOP, "web", "db-0:5432")) == (
        "ingress of default/db-0: isolated by default/x"
    )


def test_a_reason_that_both_ends_have_is_told_once() -> None:
    found = asked(SHOP, "fd00::9", "web:80")
    assert brief_reason(found) == "the ends share no address family"


def test_an_undecided_flow_names_the_missing_fact() -> None:
    world = cluster(pod("a"), pod("b"), ingress("p", "", rule([block("10.0.0.0/8")])))
    found = asked(world, "a", "b:80")
    assert found.outcome.value == "UNDECIDED"
    assert any("unknown: the address of pod default/a" in x for x in derivation(found))


def test_the_document_of_an_allowed_flow_has_the_rule_that_allows() -> None:
    world = cluster(
        pod("a", "app=a"), pod("b"), egress("out", "app=a", rule([], [tcp(80)]))
    )
    found = asked(world, "a", "b:80")
    document = verdict_document("a", "b", found_protocol(found), 80, found)
    assert document["verdict"] == "ALLOW"
    assert document["egress"]["allowedBy"] == [
        {
            "policy": "default/out",
            "field": "egress[0]",
            "rule": 0,
            "peer": None,
            "port": 0,
        }
    ]
    assert document["ingress"]["isolated"] is False


def found_protocol(found: Answer) -> Protocol:
    assert found.flow is not None
    return found.flow.protocol


@pytest.mark.parametrize(
    ("to", "outcome"), [("db-0:80", "DENY"), ("web:80", "ALLOW"), ("db-0", "DENY")]
)
def test_the_verdict_is_the_first_word(to: str, outcome: str) -> None:
    assert headline("web", to, asked(SHOP, "web", to)).startswith(outcome)
