"""Pods that are taken as they are met, and those that need the strict look."""

from __future__ import annotations

import pytest

from ringfence.errors import InputError
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster
from ringfence.model.meta import ObjectKey

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
"""
RARE = POD + "status: {podIP: 10.0.0.1}\n"


def cluster(*documents: str) -> Cluster:
    text = "---\n".join(documents)
    return decode_documents(read_documents(text.encode(), "in.yaml"), Options()).cluster


@pytest.mark.parametrize(
    "pods", [(POD, POD), (POD, RARE), (RARE, POD), (RARE, RARE)], ids=str
)
def test_of_two_pods_of_a_name_the_second_is_told(pods: tuple[str, str]) -> None:
    with pytest.raises(InputError) as error:
        cluster(*pods)
    second = pods[0].count("\n") + 2
    (problem,) = error.value.problems
    assert problem.place.startswith(f"in.yaml:{second}:")
    assert "declared twice, first at in.yaml:1:" in problem.message


def test_a_third_pod_of_a_name_is_told_too() -> None:
    with pytest.raises(InputError) as error:
        cluster(POD, POD, RARE)
    assert len(error.value.problems) == 2


def test_a_generated_name_is_none_that_a_pod_has() -> None:
    generated = POD.replace("name: a", "generateName: a")
    found = cluster(generated, POD.replace("name: a", "name: a0"))
    assert found.pods.keys() == {ObjectKey("default", "a0"), ObjectKey("default", "a1")}


def test_ordinary_and_other_pods_are_all_there() -> None:
    found = cluster(POD, RARE.replace("name: a", "name: b"))
    assert {key.name for key in found.pods} == {"a", "b"}
