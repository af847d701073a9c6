import pytest

from ringfence.engine import select
from ringfence.engine.compiler import compile_cluster
from ringfence.model.labels import Requirement
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import METADATA_NAME, Namespace
from worlds import cluster, ingress, key, peer, pod, rule


def members(*things: Namespace, namespaces: str) -> set[ObjectKey]:
    """Return whom a peer means, for certain or perhaps, in a world of two pods."""
    world = cluster(
        pod("a/web"), pod("b/web"), ingress("a/in", "", rule([peer("", namespaces)]))
    )
    spaces = {**world.namespaces, **{thing.name: thing for thing in things}}
    world = cluster(*world.pods.values(), *world.policies.values(), *spaces.values())
    (found,) = compile_cluster(world).members.values()
    return {*found.certain, *found.possible}


def test_a_namespace_of_unknown_labels_is_found_by_any_but_another_name() -> None:
    unknown = Namespace("b", {METADATA_NAME: "b"}, declared=False)
    assert members(unknown, namespaces="env=prod") == {key("b/web")}
    assert members(unknown, namespaces=f"env=prod,{METADATA_NAME}=b") == {key("b/web")}
    assert members(unknown, namespaces=f"env=prod,{METADATA_NAME}=c") == set()
    assert members(namespaces="env=prod") == set()


def test_a_selector_is_held_only_against_pods_with_a_label_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = []

    def counted(term: Requirement, labels: Labels) -> bool:
        held.append(term)
        return real(term, labels)

    real = select.requirement_holds
    monkeypatch.setattr(select, "requirement_holds", counted)
    apps = range(100)
    pods = [pod(f"p{n}", f"app=x{n}") for n in apps]
    policies = [
        ingress(f"in{n}", f"app=x{n}", rule([peer(f"app in (x{n},x{n + 1})")]))
        for n in apps
    ]
    compiled = compile_cluster(cluster(*pods, *policies))
    assert len(compiled.policy_sets) == 100
    assert len(held) < 400
