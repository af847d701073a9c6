"""Layers: later objects stand in the place of earlier ones, or take them away."""

from __future__ import annotations

import pytest

from ringfence.errors import InputError
from ringfence.manifest.overlay import overlaid
from ringfence.manifest.reader import Item, read_documents

BASE = """
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {v: "1"}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
"""
POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s, labels: {v: '2'}}}"
REMOVAL = "{apiVersion: v1, kind: Pod, metadata: {name: %s}, $patch: delete}"


def laid(*texts: str) -> list[Item]:
    layers = (
        read_documents(text.encode(), f"{n}.yaml") for n, text in enumerate(texts)
    )
    return overlaid(layers, "default")


def names(items: list[Item]) -> list[str]:
    return [f"{item.kind}/{item.value['metadata']['name']}" for item in items]


def test_a_later_object_replaces_the_one_of_its_name() -> None:
    found = laid(BASE, POD % "web")
    assert names(found) == ["Pod/web", "Pod/db", "Namespace/web"]
    assert found[0].value["metadata"]["labels"] == {"v": "2"}


def test_the_namespace_of_what_names_none_counts() -> None:
    other = "{kind: Pod, metadata: {name: web, namespace: default}}"
    assert len(laid(BASE, other)) == 3
    other = "{kind: Pod, metadata: {name: web, namespace: shop}}"
    assert len(laid(BASE, other)) == 4


def test_a_removal_takes_the_object_away() -> None:
    assert names(laid(BASE, REMOVAL % "web")) == ["Pod/db", "Namespace/web"]


def test_what_was_removed_may_come_again() -> None:
    found = laid(BASE, REMOVAL % "web", POD % "web")
    assert names(found) == ["Pod/db", "Namespace/web", "Pod/web"]


def test_removing_what_is_not_there_is_an_error_with_what_is_near() -> None:
    with pytest.raises(InputError) as error:
        laid(BASE, REMOVAL % "wep")
    assert str(error.value) == (
        "1.yaml:1:46: Pod default/wep is not there, so nothing can be removed "
        "(did you mean web?)"
    )


def test_twins_of_one_layer_stay_twins_for_the_decoder_to_refuse() -> None:
    twins = POD % "web" + "\n---\n" + POD % "web"
    assert names(laid(BASE, twins)).count("Pod/web") == 2


def test_objects_without_a_name_are_never_replaced() -> None:
    made = "{apiVersion: v1, kind: Pod, metadata: {generateName: web-}}"
    assert len(laid(made, made)) == 2


def test_what_is_no_object_is_a_problem() -> None:
    with pytest.raises(InputError, match="must be an object"):
        laid("[1]")
