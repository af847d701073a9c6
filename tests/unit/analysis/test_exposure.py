"""What is open to pods that may come and to addresses outside."""

from __future__ import annotations

from ringfence.analysis.exposure import Audience, exposure
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.report.matrixtext import conns_words
from worlds import block, cluster, egress, ingress, peer, pod, rule, tcp


def opened(world: Cluster, name: str = "web") -> dict[str, str]:
    """Return audiences and ports that a pod takes connections from."""
    return {
        f"{one.audience.value} {' '.join(map(str, one.cidrs))}".strip(): conns_words(
            one.conns
        )
        for one in exposure(compile_cluster(world))
        if one.direction is Direction.INGRESS and one.endpoint.name == name
    }


def with_rules(*policies: object) -> Cluster:
    return cluster(pod("web", "app=web", "10.0.0.1"), *policies)  # type: ignore[arg-type]  # policies


def test_a_pod_that_nothing_isolates_is_open_to_everyone() -> None:
    assert opened(with_rules()) == {
        Audience.ANYWHERE.value: "all",
        "addresses 0.0.0.0/0": "all",
    }


def test_an_isolated_pod_is_open_to_nobody() -> None:
    assert opened(with_rules(ingress("deny", "app=web"))) == {}


def test_every_namespace_means_pods_and_no_addresses() -> None:
    policy = ingress("in", "app=web", rule([peer(None, "")], [tcp(80)]))
    assert opened(with_rules(policy)) == {Audience.ANYWHERE.value: "80"}


def test_an_empty_pod_selector_means_its_own_namespace() -> None:
    policy = ingress("in", "app=web", rule([peer("")], [tcp(80)]))
    assert opened(with_rules(policy)) == {Audience.NAMESPACE.value: "80"}


def test_a_selector_that_refuses_a_label_is_not_open_to_any_pod() -> None:
    for query in ("app!=x", "!app"):
        policy = ingress("in", "app=web", rule([peer(query, "")], [tcp(80)]))
        assert opened(with_rules(policy)) == {Audience.MEANT.value: "80"}


def test_pods_that_carry_the_right_labels_may_come() -> None:
    policy = ingress("in", "app=web", rule([peer("app=x", "env=prod")], [tcp(80)]))
    (one,) = exposure(compile_cluster(with_rules(policy)))[:1]
    assert one.audience is Audience.MEANT
    assert one.selector is not None
    assert str(one.selector.pod_selector) == "app=x"
    assert str(one.selector.namespace_selector) == "env=prod"


def test_a_selector_that_contradicts_itself_means_nobody() -> None:
    policy = ingress("in", "app=web", rule([peer("app=x,app!=x", "")], [tcp(80)]))
    assert opened(with_rules(policy)) == {}


def test_what_two_rules_cover_together_is_open_to_any_pod() -> None:
    rules = (
        rule([peer("app!=x", "")], [tcp(80)]),
        rule([peer("app=x", "")], [tcp(80)]),
    )
    found = opened(with_rules(ingress("in", "app=web", *rules)))
    assert found == {Audience.ANYWHERE.value: "80"}


def test_a_block_is_open_to_its_addresses_only() -> None:
    policy = ingress("in", "app=web", rule([block("192.0.2.0/24")], [tcp(80)]))
    assert opened(with_rules(policy)) == {"addresses 192.0.2.0/24": "80"}


def test_what_is_open_beyond_the_namespace_is_told_once() -> None:
    rules = (rule([peer("")], [tcp(81)]), rule([peer(None, "")], [tcp(80)]))
    assert opened(with_rules(ingress("in", "app=web", *rules))) == {
        Audience.ANYWHERE.value: "80",
        Audience.NAMESPACE.value: "80-81",
    }


def test_the_way_out_is_told_too() -> None:
    world = with_rules(egress("out", "app=web", rule([block("192.0.2.0/24")])))
    found = [
        (one.audience, str(one.cidrs[0]))
        for one in exposure(compile_cluster(world))
        if one.direction is Direction.EGRESS
    ]
    assert found == [(Audience.ADDRESSES, "192.0.2.0/24")]


def test_each_of_the_pods_that_are_alike_is_listed() -> None:
    policy = ingress("in", "app=web", rule([peer(None, "")], [tcp(80)]))
    pods = [pod(name, "app=web") for name in ("web", "web2")]
    other = pod("db", "app=db")
    found = [
        (one.endpoint.name, conns_words(one.conns))
        for one in exposure(compile_cluster(cluster(*pods, other, policy)))
        if one.direction is Direction.INGRESS and one.audience is Audience.ANYWHERE
    ]
    assert found == [("db", "all"), ("web", "80"), ("web2", "80")]
