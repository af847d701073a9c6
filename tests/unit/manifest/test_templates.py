"""Pod templates: which stand for pods, how many, and what the pods are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringfence.errors import InputError
from ringfence.manifest.templates import MOST_PODS, WorkloadKey, expand_templates
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey, Position
from ringfence.model.workload import Owner, Pod, Workload

LABELS = {"app": "web"}


def key(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def workload(
    kind: str, name: str = "web", replicas: int | None = 1, owner: Owner | None = None
) -> Workload:
    template = Pod(key(name), LABELS, owner=Owner(kind, name))
    selector = None if kind in {"Job", "CronJob"} else EVERYTHING
    where = Position("w.yaml", 3, 1)
    return Workload(kind, key(name), template, replicas, selector, owner, where)


def pod(name: str, owner: Owner | None = None) -> Pod:
    return Pod(key(name), {**LABELS, "pod-template-hash": "5d"}, owner=owner)


def expand(
    workloads: list[Workload],
    pods: tuple[Pod, ...] = (),
    nodes: tuple[str, ...] = (),
) -> dict[ObjectKey, Pod]:
    by_key: dict[WorkloadKey, Workload] = {(w.kind, w.key): w for w in workloads}
    return expand_templates(by_key, {p.key: p for p in pods}, nodes)


def names(made: dict[ObjectKey, Pod]) -> list[str]:
    return [key.name for key in made]


def test_replicas_are_numbered_pods_with_the_labels_of_the_template() -> None:
    made = expand([workload("Deployment", replicas=3)])
    assert names(made) == ["web-0", "web-1", "web-2"]
    assert made[key("web-2")].labels == LABELS
    assert made[key("web-2")].owner == Owner("Deployment", "web")


def test_no_replicas_are_no_pods() -> None:
    assert expand([workload("StatefulSet", replicas=0)]) == {}


def test_taken_names_are_passed_over() -> None:
    stranger = Pod(key("web-1"), {"app": "other"})
    both = [workload("Deployment", replicas=2), workload("StatefulSet", replicas=1)]
    assert names(expand(both, (stranger,))) == ["web-0", "web-2", "web-3"]


def test_a_daemon_set_has_one_pod_a_node() -> None:
    made = expand([workload("DaemonSet", replicas=None)], nodes=("n2", "n1"))
    assert [(p.key.name, p.node) for p in made.values()] == [
        ("web-0", "n1"),
        ("web-1", "n2"),
    ]


def test_a_daemon_set_without_known_nodes_has_one_pod() -> None:
    made = expand([workload("DaemonSet", replicas=None)])
    assert [p.node for p in made.values()] == [None]


def test_a_node_named_in_the_template_is_kept() -> None:
    placed = workload("Deployment")
    placed = replace(placed, template=replace(placed.template, node="n1"))
    assert [p.node for p in expand([placed], nodes=("n1", "n2")).values()] == ["n1"]


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        ("Deployment", Owner("Deployment", "web")),
        ("Deployment", Owner("ReplicaSet", "web-5d")),
        ("CronJob", Owner("Job", "web-28")),
        ("Deployment", None),
        ("StatefulSet", None),
    ],
)
def test_a_workload_whose_pods_are_there_is_not_expanded(
    kind: str, owner: Owner | None
) -> None:
    assert expand([workload(kind)], (pod("web-5d-x", owner),)) == {}


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        ("Deployment", Owner("ReplicaSet", "shop-5d")),
        ("Deployment", Owner("StatefulSet", "web-db")),
        ("StatefulSet", Owner("ReplicaSet", "web-5d")),
        ("Job", None),
    ],
)
def test_pods_of_others_do_not_stand_for_a_workload(
    kind: str, owner: Owner | None
) -> None:
    assert names(expand([workload(kind)], (pod("web-5d-x", owner),))) == ["web-0"]


def test_pods_of_another_namespace_do_not_stand_for_a_workload() -> None:
    elsewhere = replace(pod("web-5d-x"), key=ObjectKey("data", "web-5d-x"))
    assert names(expand([workload("Deployment")], (elsewhere,))) == ["web-0"]


@pytest.mark.parametrize(
    ("parent", "child"), [("Deployment", "ReplicaSet"), ("CronJob", "Job")]
)
def test_a_workload_made_by_another_is_not_expanded_twice(
    parent: str, child: str
) -> None:
    chain = [workload(parent), workload(child, "web-5d", owner=Owner(parent, "web"))]
    assert names(expand(chain)) == ["web-0"]
    owned = pod("web-5d-x", Owner(child, "web-5d"))
    assert expand(chain, (owned,)) == {}


def test_a_replica_set_whose_deployment_is_not_there_is_expanded() -> None:
    orphan = workload("ReplicaSet", "web-5d", owner=Owner("Deployment", "web"))
    assert names(expand([orphan])) == ["web-5d-0"]


def test_owners_that_name_each_other_are_still_expanded() -> None:
    one = workload("StatefulSet", "a", owner=Owner("StatefulSet", "b"))
    two = workload("StatefulSet", "b", owner=Owner("StatefulSet", "a"))
    assert names(expand([one, two])) == ["a-0", "b-0"]


def test_a_crowd_is_refused_before_it_is_made() -> None:
    crowd = [workload("Deployment", replicas=2_000_000_000), workload("Job")]
    with pytest.raises(InputError) as caught:
        expand(crowd)
    (problem,) = caught.value.problems
    assert problem.place == "w.yaml:3:1"
    assert "Deployment shop/web alone for 2000000000" in problem.message
    assert str(MOST_PODS) in problem.message
