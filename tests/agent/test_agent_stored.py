"""What an older or a newer server has stored: not understood, it allows nothing."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.cluster import Manifest, path_of, policy
from agent.stage import CLIENT, FAR, SERVER, Stage, app
from controlplane.servers import ControlPlane

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

CLIENT_MAY = {"from": [{"podSelector": app("client")}]}
FAR_MAY = {"from": [{"podSelector": app("far")}]}
ANYBODY: list[Any] = [{}]
NEAR = {"key": "app", "operator": "Near", "values": ["client", "far"]}
ODD_PEERS = {
    "operator": {"podSelector": {"matchExpressions": [NEAR]}},
    "key": {"podSelector": {"matchLabels": {"a b c": "client"}}},
    "cidr": {"ipBlock": {"cidr": "10.244.0.0/33"}},
    "except": {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["::/0"]}},
    "field": {"serviceSelector": {"matchLabels": {"app": "client"}}},
}
"""What no server takes today; a field that it does not know it does not tell either."""


def store(plane: ControlPlane, manifest: Manifest) -> None:
    """Write an object past the server's validation (etcd's gRPC gateway, /v3/kv)."""
    meta = manifest["metadata"]
    kept = {**manifest, "metadata": {"uid": meta["name"], **meta}}
    key = f"/registry/networkpolicies/{meta['namespace']}/{meta['name']}"
    texts = {"key": key, "value": json.dumps(kept)}
    body = {name: base64.b64encode(text.encode()) for name, text in texts.items()}
    store = http.client.HTTPConnection("127.0.0.1", plane.store)
    try:
        store.request(
            "POST", "/v3/kv/put", json.dumps({n: of.decode() for n, of in body.items()})
        )
        response = store.getresponse()
        assert response.status == http.client.OK, response.read()
    finally:
        store.close()


class Storage:
    """Objects that were stored, removed again at the end."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._paths: set[str] = set()

    def put(self, manifest: Manifest) -> None:
        store(self._plane, manifest)
        self._paths.add(path_of(manifest))

    def clear(self) -> None:
        while self._paths:
            self._plane.ask("DELETE", self._paths.pop())


@pytest.fixture
def storage(stage: Stage) -> Iterator[Storage]:
    made = Storage(stage.plane)
    yield made
    made.clear()


def unread(stage: Stage) -> float:
    sample = 'ringfence_objects_not_understood{kind="NetworkPolicy"}'
    return stage.agents["n1"].metric(sample)


@pytest.mark.parametrize("odd", ODD_PEERS)
def test_a_peer_that_is_not_understood_allows_nobody(
    stage: Stage, storage: Storage, odd: str
) -> None:
    rules = [{"from": [ODD_PEERS[odd]]}, FAR_MAY]
    name = f"shop/odd-{odd}"
    storage.put(policy(name, podSelector=app("server"), ingress=rules))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "nobody gets in")
    assert stage.open(FAR, SERVER)
    stage.deny_now(CLIENT)
    assert stage.shut(FAR, CLIENT)
    assert unread(stage) == 1
    log = stage.agents["n1"].said()
    assert "not understood, so it allows nothing" in log
    assert f"NetworkPolicy {name}" in log
    assert stage.agents["n1"].ready()
    storage.clear()
    stage.until(lambda: stage.open(CLIENT, SERVER), "the policy is gone")
    stage.until(lambda: unread(stage) == 0, "that is told")


def test_a_selector_that_is_not_understood_isolates_the_namespace(
    stage: Stage, storage: Storage
) -> None:
    storage.put(
        policy("shop/odd", podSelector={"matchExpressions": [NEAR]}, ingress=ANYBODY)
    )
    stage.until(lambda: stage.shut(CLIENT, SERVER), "a pod is shut")
    stage.until(lambda: stage.shut(CLIENT, FAR), "another one is shut")
    stage.cluster.put(policy("shop/p", podSelector=app("server"), ingress=[CLIENT_MAY]))
    stage.until(lambda: stage.open(CLIENT, SERVER), "another policy allows it")


def test_host_bits_mean_the_network_that_they_are_in(
    stage: Stage, storage: Storage
) -> None:
    blocks = ("10.244.1.77/24", "fd00:10:244:1::77/64")
    rules = [{"from": [{"ipBlock": {"cidr": block}} for block in blocks]}]
    storage.put(policy("shop/bits", podSelector=app("server"), ingress=rules))
    stage.until(lambda: stage.shut(FAR, SERVER), "the other node's pods are out")
    assert stage.open(CLIENT, SERVER)


def test_a_policy_that_is_put_right_is_understood(
    stage: Stage, storage: Storage
) -> None:
    odd = [{"from": [ODD_PEERS["operator"]]}]
    storage.put(policy("shop/odd", podSelector=app("server"), ingress=odd))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "nobody gets in")
    storage.put(policy("shop/odd", podSelector=app("server"), ingress=[CLIENT_MAY]))
    stage.until(lambda: stage.open(CLIENT, SERVER), "the rule is understood")
    stage.until(lambda: unread(stage) == 0, "that is told")


def test_an_odd_annotation_is_told_and_changes_nothing(stage: Stage) -> None:
    stage.deny_now(SERVER)
    annotate(stage, "loose")
    agent = stage.agents["n1"]
    said = 'Namespace shop: metadata.annotations[ringfence.dev/mode]: no mode \\"loose'
    stage.until(lambda: said in agent.said(), "it is told")
    assert stage.shut(CLIENT, SERVER)
    annotate(stage, None)


def annotate(stage: Stage, mode: str | None) -> None:
    change = {"metadata": {"annotations": {"ringfence.dev/mode": mode}}}
    path, kind = "/api/v1/namespaces/shop", "application/merge-patch+json"
    stage.plane.ask("PATCH", path, change, kind)
