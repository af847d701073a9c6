"""Lists and changes of the API become events, and facts about the own node."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from ringfence.agent.state import Intake, cluster_of
from ringfence.engine.following.events import Event, Kind
from ringfence.errors import Problem
from ringfence.manifest.stored import Stored
from ringfence.model.cluster import Cluster
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Namespace, Node, Pod
from ringfence.ruleset.enforcement import ENFORCE, Enforcement

KINDS = ("Namespace", "NetworkPolicy", "Node", "Pod", "Service")
WEB, DB = ObjectKey("shop", "web"), ObjectKey("shop", "db")


ADDRESS = ip_address("10.1.0.7")


def pod(key: ObjectKey, **labels: str) -> Stored:
    return Stored("Pod", key, Pod(key, labels, (ADDRESS,)))


def namespace(name: str, mode: str = "") -> Stored:
    return Stored("Namespace", name, Namespace(name, {}), mode=mode)


def intake(choice: Enforcement = ENFORCE, *, closed: bool = False) -> Intake:
    return Intake("n1", choice, closed=closed)


def test_nothing_is_synced_before_every_kind_was_listed() -> None:
    taken = intake()
    for kind in KINDS[:-1]:
        taken.relist(kind, [], Cluster())
    assert not taken.synced
    assert taken.missing == ("Service",)
    taken.relist("Service", [], Cluster())
    assert taken.synced


def test_what_a_list_no_longer_holds_is_gone() -> None:
    taken = intake()
    known = cluster_of([Event.put(Pod(WEB, {})), Event.put(Pod(DB, {}))])
    taken.relist("Pod", [pod(WEB)], known)
    assert Event(Kind.POD, DB) in taken.events()


def test_what_came_before_a_list_and_is_not_in_it_is_gone() -> None:
    taken = intake()
    taken.change("Pod", DB, pod(DB))
    taken.relist("Pod", [pod(WEB)], Cluster())
    assert Event(Kind.POD, DB) in taken.events()


def test_what_could_not_be_read_and_is_listed_no_more_is_forgotten() -> None:
    taken = intake()
    problems = (Problem("Namespace shop", "wrong"),)
    odd = Stored("Namespace", "shop", None, problems=problems, mode="audit")
    taken.relist("Namespace", [odd], Cluster())
    known = cluster_of(taken.events())
    assert taken.enforcement.audits("shop")
    taken.relist("Namespace", [], known)
    assert not taken.problems
    assert not taken.enforcement.audits("shop")


def test_a_list_does_not_remove_objects_of_another_kind() -> None:
    taken = intake()
    taken.change("Namespace", "shop", namespace("shop"))
    taken.relist("Pod", [], Cluster())
    assert taken.events() == [Event.put(Namespace("shop", {}))]


def test_the_last_word_on_an_object_counts() -> None:
    taken = intake()
    taken.change("Pod", WEB, pod(WEB, app="old"))
    taken.change("Pod", WEB, pod(WEB, app="new"))
    assert taken.events() == [Event.put(Pod(WEB, {"app": "new"}, (ADDRESS,)))]
    assert taken.events() == []


def test_an_unreadable_pod_counts_as_not_there_and_is_told() -> None:
    taken = intake()
    problem = Problem("Pod shop/web", "cannot be read")
    taken.change("Pod", WEB, Stored("Pod", WEB, None, problems=(problem,)))
    assert taken.events() == [Event(Kind.POD, WEB)]
    assert taken.problems == {(Kind.POD, WEB): (problem,)}
    taken.change("Pod", WEB, None)
    assert taken.problems == {}


def test_a_namespace_says_that_its_policies_are_only_audited() -> None:
    taken = intake()
    taken.change("Namespace", "shop", namespace("shop", "audit"))
    assert taken.enforcement.audits("shop")
    assert not taken.enforcement.audits("default")
    taken.change("Namespace", "shop", None)
    assert not taken.enforcement.audits("shop")


def test_a_namespace_is_enforced_where_the_node_audits() -> None:
    taken = intake(Enforcement(audit=True))
    taken.change("Namespace", "shop", namespace("shop", "enforce"))
    assert not taken.enforcement.audits("shop")
    assert taken.enforcement.audits("default")


def test_a_mode_that_nobody_knows_is_told_and_changes_nothing() -> None:
    taken = intake()
    taken.change("Namespace", "shop", namespace("shop", "Audit"))
    assert taken.enforcement == ENFORCE
    (problem,) = taken.problems[Kind.NAMESPACE, "shop"]
    assert 'no mode "Audit"' in str(problem)


def test_the_own_nodes_networks_are_guarded_where_unknown_pods_are_closed() -> None:
    networks = (ip_network("10.1.0.0/24"),)
    for closed, guarded in ((False, ()), (True, networks)):
        taken = intake(closed=closed)
        for name in ("n1", "n2"):
            node = Stored("Node", name, Node(name, {}, ()), pod_cidrs=networks)
            taken.change("Node", name, node)
        taken.change("Node", "n2", None)
        assert taken.enforcement.guarded == guarded


def test_a_pod_without_an_address_counts_as_not_there() -> None:
    taken = intake()
    taken.change("Pod", WEB, Stored("Pod", WEB, Pod(WEB, {})))
    assert taken.events() == [Event(Kind.POD, WEB)]
