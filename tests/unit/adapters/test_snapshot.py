"""Snapshots: what is written is read again, and nothing else is."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import strategies
from ringfence.adapters.inputs.files import MAGIC
from ringfence.adapters.inputs.snapshot import (
    SCHEMA,
    is_snapshot,
    read_snapshot,
    snapshot_bytes,
)
from ringfence.analysis.change.policychange import changed_policies
from ringfence.errors import InputError
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster

MANIFESTS = b"""\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, ports: [{containerPort: 80, name: http}]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: dump, namespace: other}
spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {}}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop, labels: {a: b}}
spec:
  podSelector:
    matchExpressions: [{key: app, operator: In, values: [web, api]}]
  policyTypes: [Ingress]
  ingress:
  - from:
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
    - namespaceSelector: {}
      podSelector: {matchLabels: {app: x}}
    ports: [{port: http}, {protocol: UDP, port: 1000, endPort: 2000}]
  egress: [{}]
"""


def written(cluster: Cluster, tmp_path: Path) -> str:
    path = tmp_path / "s.json.gz"
    path.write_bytes(snapshot_bytes(cluster))
    return str(path)


def packed(document: object, tmp_path: Path) -> str:
    path = tmp_path / "s.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    return str(path)


def test_a_snapshot_read_again_is_the_same_cluster_places_too(tmp_path: Path) -> None:
    cluster = decode_documents(read_documents(MANIFESTS, "in.yaml"), Options()).cluster
    path = written(cluster, tmp_path)
    again = decode_documents(read_snapshot(path), Options()).cluster
    assert again == cluster
    rule = again.policies[next(iter(again.policies))].ingress[0]
    assert rule.peers is not None
    assert str(rule.peers[1].position).startswith("in.yaml:35:")


def test_random_clusters_come_back_as_they_were(tmp_path: Path) -> None:
    for seed in range(100):
        cluster = strategies.make_world(strategies.seeded(seed)).cluster
        found = decode_documents(
            read_snapshot(written(cluster, tmp_path)), Options()
        ).cluster
        assert found.pods == cluster.pods
        assert changed_policies(found, cluster) == frozenset()
        assert found.nodes == cluster.nodes
        used = {key.namespace for key in (*cluster.pods, *cluster.policies)}
        assert {n: found.namespaces[n] for n in used} == {
            n: cluster.namespaces[n] for n in used
        }


def test_the_same_cluster_gives_the_same_bytes() -> None:
    read = [
        decode_documents(read_documents(MANIFESTS, "in.yaml"), Options()).cluster
        for _ in range(2)
    ]
    assert snapshot_bytes(read[0]) == snapshot_bytes(read[1])


def test_what_no_verdict_needs_is_left_out() -> None:
    cluster = decode_documents(read_documents(MANIFESTS, "in.yaml"), Options()).cluster
    text = gzip.decompress(snapshot_bytes(cluster))
    assert b"image" not in text
    assert b"schedule" not in text


def test_a_snapshot_is_known_by_its_compression(tmp_path: Path) -> None:
    path = tmp_path / "in.yaml"
    path.write_bytes(MANIFESTS)
    assert not is_snapshot(str(path))
    assert is_snapshot(written(Cluster(), tmp_path))
    assert not is_snapshot(str(tmp_path / "missing"))


def test_a_pipe_is_not_read_to_find_out_what_it_is() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, MAGIC)
        assert not is_snapshot(f"/dev/fd/{reading}")
        assert os.read(reading, 10) == MAGIC
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"schema": "ringfence/snapshot/v9"}, "version v9; this ringfence reads v1"),
        ({"schema": "other"}, "no snapshot of ringfence"),
        ([], "no snapshot of ringfence"),
        ({"schema": SCHEMA}, "another form"),
        ({"schema": SCHEMA, "objects": [1]}, "another form"),
        ({"schema": SCHEMA, "objects": [{"object": {}, "places": 3}]}, "another form"),
    ],
)
def test_another_document_is_refused(
    document: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        read_snapshot(packed(document, tmp_path))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "ends too early"),
        (lambda data: data[:12] + b"\0\1\2\3" + data[16:], "damaged"),
        (lambda _: b"plain text", "no snapshot of ringfence"),
        (lambda _: gzip.compress(b"\xff"), "holds no JSON"),
        (lambda _: gzip.compress(b"[" * 100_000), "holds no JSON"),
    ],
)
def test_a_damaged_file_is_refused(
    damage: Callable[[bytes], bytes], words: str, tmp_path: Path
) -> None:
    cluster = decode_documents(read_documents(MANIFESTS, "in.yaml"), Options()).cluster
    path = tmp_path / "s.json.gz"
    path.write_bytes(damage(snapshot_bytes(cluster)))
    with pytest.raises(InputError, match=words):
        read_snapshot(str(path))


def test_a_bomb_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringfence.adapters.inputs.snapshot.MOST_BYTES", 1 << 20)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 24)))
    with pytest.raises(InputError, match="too large to read"):
        read_snapshot(str(path))
