"""The difference of two clusters: what changes, how it is grouped, and why."""

from __future__ import annotations

from dataclasses import replace

from ringfence.analysis.change.causes import How
from ringfence.analysis.change.difference import Change, Difference, Kind, difference
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.netpol import Peer
from ringfence.model.verdict import Outcome
from ringfence.model.workload import METADATA_NAME, ContainerPort, Namespace, Owner, Pod
from ringfence.report.difftext import cause_words, ends_words, step_words
from worlds import block, cluster, egress, ingress, key, peer, pod, rule, tcp

WEB = pod("web", "app=web", "10.0.0.1")
DB = pod("db", "app=db", "10.0.0.2")
JOB = pod("tools/job", "app=job", "10.0.0.3")
DENY = ingress("db", "app=db")
FROM_WEB = ingress("db", "app=db", rule([peer("app=web")], [tcp(5432)]))


def found(base: Cluster, head: Cluster) -> Difference:
    return difference(compile_cluster(base), compile_cluster(head))


def words(change: Change) -> str:
    ends = f"{ends_words(change.sources)} -> {ends_words(change.destinations)}"
    why = "; ".join(cause_words(change.causes))
    return f"{change.step.kind.value} {ends} {step_words(change.step)} {why}"


def told(base: Cluster, head: Cluster) -> list[str]:
    return [words(change) for change in found(base, head).changes]


def test_a_policy_that_comes_and_isolates_reads_as_one_line() -> None:
    base = cluster(WEB, DB, JOB)
    assert told(base, cluster(WEB, DB, JOB, DENY)) == [
        "NARROWED *, 0.0.0.0/0 -> default/pod/db all by default/db (added)"
    ]
    assert told(cluster(WEB, DB, JOB, DENY), base) == [
        "BROADENED *, 0.0.0.0/0 -> default/pod/db all by default/db (removed)"
    ]


def test_a_port_that_is_added_to_a_rule_is_the_cause() -> None:
    wider = ingress("db", "app=db", rule([peer("app=web")], [tcp(5432), tcp(80)]))
    (line,) = told(cluster(WEB, DB, FROM_WEB), cluster(WEB, DB, wider))
    assert line == (
        "BROADENED default/pod/web -> default/pod/db :80 "
        "by default/db ingress[0].ports[1] (added)"
    )


def test_a_rule_written_otherwise_is_no_change() -> None:
    two = ingress(
        "db",
        "app=db",
        rule([peer("app=web")], [tcp(1)]),
        rule([peer("app=x")], [tcp(1)]),
    )
    one = ingress("db", "app=db", rule([peer("app=x"), peer("app=web")], [tcp(1, 1)]))
    same = found(cluster(WEB, DB, two), cluster(WEB, DB, one))
    assert not same
    assert same.kinds == dict.fromkeys(Kind, 0)


def test_a_relabelled_pod_is_the_cause_and_the_rule_is_named() -> None:
    other = replace(WEB, labels={"app": "api"})
    (line,) = told(cluster(WEB, DB, FROM_WEB), cluster(other, DB, FROM_WEB))
    assert line == (
        "NARROWED default/pod/web -> default/pod/db :5432 by default/db "
        "ingress[0].from[0]; because labels of default/pod/web: app=web -> app=api"
    )


def test_labels_that_no_selector_looks_at_are_no_cause() -> None:
    other = replace(WEB, labels={"app": "web", "version": "2"})
    assert told(cluster(WEB, DB, FROM_WEB), cluster(other, DB, FROM_WEB)) == []


def test_a_relabelled_namespace_is_the_cause() -> None:
    def world(stage: str) -> Cluster:
        space = Namespace("tools", {METADATA_NAME: "tools", "stage": stage})
        policy = ingress("db", "app=db", rule([peer(None, "stage=prod")]))
        return cluster(space, DB, JOB, policy)

    (line,) = told(world("test"), world("prod"))
    assert line.startswith(
        "BROADENED tools/pod/job -> default/pod/db all by default/db"
    )
    assert line.endswith("because labels of ns/tools: stage=test -> stage=prod")


def test_a_pod_that_comes_is_the_cause_of_what_it_can_do() -> None:
    new = pod("new", "", "10.0.0.9")
    lines = told(cluster(WEB, DB, FROM_WEB), cluster(WEB, DB, new, FROM_WEB))
    assert lines
    assert all(line.endswith("because default/pod/new came") for line in lines)
    assert all(line.startswith("BROADENED") for line in lines)


def test_a_namespace_that_goes_is_named_as_such() -> None:
    lines = told(cluster(WEB, DB, JOB), cluster(WEB, DB))
    assert lines
    assert all("because ns/tools went" in line for line in lines)


def replicas(count: int, suffix: str) -> list[Pod]:
    return [
        replace(pod(f"web-{suffix}-{n}", "app=web"), owner=Owner("ReplicaSet", "web"))
        for n in range(count)
    ]


def test_more_replicas_and_other_names_are_no_change() -> None:
    base = cluster(DB, FROM_WEB, *replicas(2, "a"))
    assert not found(base, cluster(DB, FROM_WEB, *replicas(5, "a")))
    assert not found(base, cluster(DB, FROM_WEB, *replicas(2, "b")))
    assert not found(base, cluster(DB, FROM_WEB, *replicas(1, "b")))


def test_a_new_replica_set_of_a_deployment_is_no_change() -> None:
    def of(suffix: str) -> Pod:
        owned = pod(f"web-{suffix}-x", f"app=web,pod-template-hash={suffix}")
        return replace(owned, owner=Owner("ReplicaSet", f"web-{suffix}"))

    assert not found(cluster(DB, FROM_WEB, of("1f")), cluster(DB, FROM_WEB, of("2e")))


def test_address_ranges_are_merged_and_cut_where_either_side_cuts() -> None:
    def world(cidr: str) -> Cluster:
        return cluster(WEB, ingress("in", "app=web", rule([block(cidr)])))

    (line,) = told(world("192.0.2.0/25"), world("192.0.2.0/24"))
    assert line == (
        "BROADENED 192.0.2.128/25 -> default/pod/web all "
        "by default/in ingress[0].from[0] (added)"
    )


def test_a_block_is_named_by_what_it_leaves_out_where_that_is_shorter() -> None:
    def world(*holes: str) -> Cluster:
        peers = [block("10.0.0.0/8", *holes)]
        return cluster(WEB, ingress("in", "app=web", rule(peers)))

    (line,) = told(cluster(WEB, ingress("in", "app=web")), world("10.1.0.0/16"))
    assert line.startswith("BROADENED 10.0.0.0/8 except 10.1.0.0/16 -> default/pod/web")
    (line,) = told(cluster(WEB, ingress("in", "app=web")), world("10.0.0.0/9"))
    assert line.startswith("BROADENED 10.128.0.0/9 -> default/pod/web")
    lines = told(world("10.1.0.0/16"), cluster(WEB))
    assert lines[0].startswith(
        "BROADENED 0.0.0.0/0 except (10.0.0.0/8 except 10.1.0.0/16) -> default/pod/web"
    )


def test_what_cannot_be_decided_is_a_kind_of_its_own() -> None:
    unplaced = pod("unplaced", "app=web")
    policy = ingress("db", "app=db", rule([block("10.0.0.0/8")]))
    result = found(cluster(unplaced, DB, DENY), cluster(unplaced, DB, policy))
    kinds = {change.step.kind for change in result.changes}
    assert kinds == {Kind.BROADENED, Kind.UNDECIDED}
    undecided = next(c for c in result.changes if c.step.kind is Kind.UNDECIDED)
    assert undecided.step.opens
    assert undecided.causes.unknown
    (line,) = undecided.causes.by
    assert line.match is not None
    assert (line.policy.name, line.how, line.match.peer) == ("db", How.ADDED, 0)


def test_facts_that_lack_are_named_at_the_end_that_did_not_change() -> None:
    unplaced = pod("unplaced", "app=web")
    policy = ingress("db", "app=db", rule([block("10.0.0.0/8")]))
    shut = egress("shut", "app=web")
    shut_in, open_ = (cluster(unplaced, DB, policy, *more) for more in ((shut,), ()))
    for base, head in ((shut_in, open_), (open_, shut_in)):
        changes = found(base, head).changes
        (change,) = [c for c in changes if c.step.kind is Kind.UNDECIDED]
        assert [line.policy.name for line in change.causes.by] == ["shut"]
        (fact,) = change.causes.unknown
        assert fact.startswith("the address of pod default/unplaced is unknown")


def test_what_may_pass_no_longer_is_told_by_the_line_that_went() -> None:
    unplaced = pod("unplaced", "app=web")
    far, near = block("10.0.0.0/8"), peer("app=db")

    def world(*peers: Peer) -> Cluster:
        rules = rule(list(peers), [tcp(80), tcp(443)])
        return cluster(unplaced, DB, ingress("db", "app=db", rules))

    result = found(world(far, near), world(near))
    (change,) = [c for c in result.changes if c.step.was is Outcome.UNDECIDED]
    (line, *more) = change.causes.by
    assert line.match is not None
    assert (line.how, line.match.peer) == (How.REMOVED, 0)
    assert {each.match and each.match.peer for each in more} <= {0}


def test_rules_of_a_direction_that_is_not_listed_are_no_cause() -> None:
    unplaced = pod("unplaced", "app=web")
    idle = replace(
        ingress("db", "app=db", rule([peer("app=web")])),
        policy_types=frozenset({Direction.EGRESS}),
    )
    other = ingress("late", "app=db", rule([block("10.0.0.0/8")]))
    result = found(cluster(unplaced, DB, DENY), cluster(unplaced, DB, idle, other))
    changes = [c for c in result.changes if c.step.now is Outcome.UNDECIDED]
    by = {line.policy.name for change in changes for line in change.causes.by}
    assert by == {"late"}


def test_an_edit_of_named_ports_is_told_by_the_pods_ports() -> None:
    def world(number: int) -> Cluster:
        named = pod(
            "web", "app=web", "10.0.0.1", ports=[ContainerPort(number, name="h")]
        )
        return cluster(named, DB, ingress("in", "app=web", rule((), [tcp("h")])))

    lines = told(world(80), world(81))
    assert len(lines) == 2
    assert all("ports of default/web: 80/TCP h -> 81/TCP h" in line for line in lines)


def test_two_edits_are_two_lines() -> None:
    base = cluster(WEB, DB, JOB, DENY, ingress("tools/job", "app=job"))
    head = cluster(WEB, DB, JOB)
    lines = told(base, head)
    assert len(lines) == 2
    assert {line.rpartition(" by ")[2] for line in lines} == {
        "default/db (removed)",
        "tools/job (removed)",
    }


def test_every_line_of_a_policy_knows_what_became_of_it() -> None:
    result = found(cluster(WEB, DB, DENY), cluster(WEB, DB, FROM_WEB))
    ((line,),) = (change.causes.by for change in result.changes)
    assert line.how is How.ADDED
    assert line.policy == key("db")
