from dataclasses import replace

import pytest

from ringfence.analysis.matrix import By, matrix
from ringfence.engine.compiled import Profile
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.explain import explain
from ringfence.model.cluster import Cluster
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.verdict import EndEvidence, Evidence, Miss, Outcome
from ringfence.model.workload import METADATA_NAME, Namespace
from worlds import block, cluster, egress, flow, ingress, peer, pod, rule, tcp


def told(world: Cluster, port: int | None = 80) -> Evidence:
    return explain(compile_cluster(world), flow("web", "db", port))


def missed(end: EndEvidence) -> Miss:
    assert end.nearest_miss is not None
    return end.nearest_miss


def test_an_open_pod_is_not_isolated_and_has_no_policies() -> None:
    evidence = told(cluster(pod("web"), pod("db")))
    assert evidence.verdict.outcome is Outcome.ALLOW
    assert not evidence.egress.isolated
    assert not evidence.ingress.isolated


def test_each_allowing_rule_is_named_with_its_peer_and_port() -> None:
    world = cluster(
        pod("web", "app=web"),
        pod("db"),
        ingress(
            "in",
            "",
            rule([peer("app=x")]),
            rule([peer("app=y"), peer("app=web")], [tcp(1), tcp(80)]),
        ),
    )
    (match,) = told(world).ingress.allowed_by
    assert (match.rule, match.peer, match.port) == (1, 1, 1)


def test_a_value_that_differs_in_case_is_called_out() -> None:
    world = cluster(
        pod("web", "app=Web"), pod("db"), ingress("in", "", rule([peer("app=web")]))
    )
    miss = missed(told(world).ingress)
    assert miss.terms == ('pod label app wanted "web", pod has "Web" (case)',)
    assert miss.field == "ingress[0].from[0]"
    assert miss.fix == "label pod default/web app=web"


def test_the_rule_that_fails_in_the_fewest_terms_is_nearest() -> None:
    world = cluster(
        pod("web", "app=web"),
        pod("db"),
        ingress(
            "in",
            "",
            rule([peer("app=x,tier=y")], [tcp(1)]),
            rule([peer("app=web")], [tcp(5432)]),
        ),
    )
    miss = missed(told(world).ingress)
    assert miss.field == "ingress[1].ports"
    assert miss.terms == ("port 80/TCP wanted, the rule has 5432/TCP",)


def test_a_bare_pod_selector_is_explained_as_the_policys_own_namespace() -> None:
    world = cluster(
        pod("web"), pod("other/db"), ingress("other/in", "", rule([peer("")]))
    )
    evidence = explain(compile_cluster(world), flow("web", "other/db"))
    assert (
        "pods of namespace other, this pod is in default"
        in (missed(evidence.ingress).terms[0])
    )


def test_without_any_rule_the_fix_is_a_rule_to_add() -> None:
    world = cluster(pod("web", "app=web"), pod("db"), ingress("in", ""))
    miss = missed(told(world).ingress)
    assert miss.policy is None
    assert miss.fix == (
        "add an ingress rule from pods app=web of namespace default, port 80/TCP"
    )


def test_an_unknown_address_is_the_missing_fact_of_an_ip_block() -> None:
    world = cluster(
        pod("web"), pod("db"), ingress("in", "", rule([block("10.0.0.0/8")]))
    )
    evidence = told(world)
    assert evidence.verdict.outcome is Outcome.UNDECIDED
    assert evidence.ingress.unknown == (
        "the address of pod default/web is unknown, ipBlock 10.0.0.0/8 may hold it",
    )


def test_an_except_that_holds_the_address_is_named() -> None:
    world = cluster(
        pod("web", "", "10.0.0.9"),
        pod("db", "", "10.0.1.1"),
        ingress("in", "", rule([block("10.0.0.0/8", "10.0.0.0/24")])),
    )
    (term,) = missed(told(world).ingress).terms
    assert term.endswith("lies in except 10.0.0.0/24 of ipBlock 10.0.0.0/8")


NEW_RULE = "add an ingress rule from pods app=web of namespace default, port 80/TCP"


@pytest.mark.parametrize(
    ("query", "fix"),
    [
        ("app notin (web),app", NEW_RULE),
        ("app=web,tier in (1,2),tier!=1", "label pod default/web tier=2"),
        ("app=web,tier in (1,2),tier notin (1,2)", NEW_RULE),
        ("app,app=a,app=b", NEW_RULE),
        ("app!=web", "remove label app from pod default/web"),
        (f"{METADATA_NAME}=x", f"label pod default/web {METADATA_NAME}=x"),
    ],
)
def test_a_label_is_a_fix_only_where_the_whole_peer_then_matches(
    query: str, fix: str
) -> None:
    world = cluster(
        pod("web", "app=web"), pod("db"), ingress("in", "app!=web", rule([peer(query)]))
    )
    assert missed(told(world).ingress).fix == fix


@pytest.mark.parametrize(
    ("policies", "fix"),
    [
        ([egress("out", "tier=1")], NEW_RULE),
        ([egress("out", "", rule()), egress("tier", "!tier", rule())], NEW_RULE),
        ([egress("out", "", rule()), egress("tier", "tier=1")], "label"),
        ([ingress("tier", "tier=1")], "label"),
        ([egress("other/out", "tier=1")], "label"),
    ],
)
def test_a_label_that_policies_of_the_other_end_select_is_no_fix(
    policies: list[NetworkPolicy], fix: str
) -> None:
    peers = [peer("app=web,tier=1")]
    world = cluster(
        pod("web", "app=web"), pod("db"), ingress("in", "!app", rule(peers)), *policies
    )
    wanted = "label pod default/web tier=1" if fix == "label" else fix
    assert missed(told(world).ingress).fix == wanted


def test_a_label_of_the_namespace_of_both_ends_is_no_fix_where_both_may_ask() -> None:
    things = (
        pod("web", "app=web"),
        pod("db"),
        ingress("in", "!app", rule([peer(None, "env=prod")])),
    )
    fix = "label namespace default env=prod"
    assert missed(told(cluster(*things)).ingress).fix == fix
    out = egress("out", "app=web", rule([peer(None, "!env")]))
    assert missed(told(cluster(*things, out)).ingress).fix == NEW_RULE


def test_every_except_that_holds_the_address_is_to_be_changed() -> None:
    world = cluster(
        pod("web", "", "10.0.0.9"),
        pod("db", "", "10.0.1.1"),
        ingress(
            "in",
            "",
            rule([block("10.0.0.0/8", "10.0.0.0/24", "10.1.0.0/16", "10.0.0.8/29")]),
        ),
    )
    miss = missed(told(world).ingress)
    assert miss.fix == (
        "take pod default/web (10.0.0.9) out of except 10.0.0.0/24 and 10.0.0.8/29"
    )


def test_a_denied_egress_shows_although_ingress_allows() -> None:
    world = cluster(pod("web", "app=web"), pod("db"), egress("out", "app=web"))
    evidence = told(world)
    assert evidence.verdict.outcome is Outcome.DENY
    assert evidence.egress.outcome is Outcome.DENY
    assert evidence.ingress.outcome is Outcome.ALLOW


def test_a_pod_reaches_itself_whatever_isolates_it() -> None:
    world = cluster(pod("web"), ingress("in", ""), egress("out", ""))
    evidence = explain(compile_cluster(world), flow("web", "web"))
    assert evidence.verdict.outcome is Outcome.ALLOW
    assert evidence.ingress.exempt


def test_every_port_is_denied_at_the_first_port_no_rule_has() -> None:
    world = cluster(
        pod("web"), pod("db"), ingress("in", "", rule([], [tcp(0, 79), tcp(81, 65535)]))
    )
    evidence = told(world, None)
    assert evidence.verdict.outcome is Outcome.DENY
    assert evidence.verdict.port == 80


def test_every_port_is_mended_by_an_entry_without_a_number() -> None:
    world = cluster(
        pod("web", "app=web"),
        pod("db"),
        ingress("in", "!app", rule([], [tcp(80)])),
        egress("out", "app=web"),
    )
    evidence = told(world, None)
    miss = missed(evidence.ingress)
    assert miss.terms == ("every TCP port from 0 wanted, the rule has 80/TCP",)
    assert miss.fix == "add every TCP port to ingress[0].ports"
    assert missed(evidence.egress).fix == (
        "add an egress rule to pods <any> of namespace default, every TCP port"
    )


def test_with_the_cilium_profile_a_block_never_matches_a_pod() -> None:
    world = cluster(
        pod("web", "", "10.0.0.1"),
        pod("db", "", "10.0.0.2"),
        ingress("in", "", rule([block("0.0.0.0/0")])),
    )
    compiled = replace(compile_cluster(world), profile=Profile.CILIUM)
    evidence = explain(compiled, flow("web", "db"))
    assert evidence.verdict.outcome is Outcome.DENY
    (term,) = missed(evidence.ingress).terms
    assert term == "with profile cilium ipBlock 0.0.0.0/0 never matches a pod"


def test_with_the_cilium_profile_rows_and_single_verdicts_agree() -> None:
    world = cluster(
        pod("web", "", "10.0.0.1"),
        pod("db", "", "10.0.0.2"),
        ingress("in", "", rule([block("0.0.0.0/0")])),
    )
    compiled = replace(compile_cluster(world), profile=Profile.CILIUM)
    result = matrix(compiled, By.POD)
    allowed = {
        (result.endpoints[row].kind, result.endpoints[column].kind)
        for row, column, _ in result.cells()
    }
    assert allowed == {("Addresses", "Pod"), ("Pod", "Addresses")}


def test_a_label_of_an_undeclared_namespace_is_a_missing_fact_not_a_miss() -> None:
    world = cluster(
        pod("elsewhere/web"),
        pod("db"),
        ingress("in", "", rule([peer(None, "env notin (prod)")])),
        Namespace("elsewhere", {METADATA_NAME: "elsewhere"}, declared=False),
    )
    evidence = explain(compile_cluster(world), flow("elsewhere/web", "db"))
    assert evidence.verdict.outcome is Outcome.UNDECIDED
    (term,) = missed(evidence.ingress).terms
    assert term.endswith("no manifest declares elsewhere")
