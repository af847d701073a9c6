"""What is passed over while decoding is nothing that is ever looked at."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ringfence.adapters.kubernetes.narrow import MalformedError, decode_object
from ringfence.manifest.stored import decode_stored

META = {
    "name": "x",
    "namespace": "n",
    "uid": "u",
    "resourceVersion": "5",
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "labels": {"app": "web"},
    "annotations": {"ringfence.dev/mode": "audit", "other": "x"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "ownerReferences": [
        {"kind": "Other", "name": "o", "uid": "1"},
        {"kind": "ReplicaSet", "name": "r", "uid": "2", "controller": True},
    ],
}
PORT = {"name": "http", "containerPort": 80, "protocol": "UDP", "hostPort": 80}
OBJECTS: list[tuple[str, dict[str, Any]]] = [
    (
        "Pod",
        {
            "metadata": META | {"deletionTimestamp": "2026-01-02T00:00:00Z"},
            "spec": {
                "nodeName": "a",
                "hostNetwork": True,
                "containers": [{"name": "c", "image": "i", "ports": [PORT]}],
                "initContainers": [
                    {"restartPolicy": "Always", "ports": [{"containerPort": 9}]},
                    {"ports": [{"containerPort": 10}]},
                ],
            },
            "status": {
                "phase": "Running",
                "hostIP": "192.0.2.1",
                "hostIPs": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
            },
        },
    ),
    (
        "Pod",
        {
            "metadata": META,
            "spec": {"containers": None},
            "status": {
                "phase": "Failed",
                "podIP": "10.0.0.1",
                "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
            },
        },
    ),
    ("Namespace", {"metadata": META, "spec": {"finalizers": ["kubernetes"]}}),
    (
        "Node",
        {
            "metadata": META,
            "spec": {
                "podCIDR": "10.0.0.0/24",
                "podCIDRs": ["10.0.0.0/24", "fd00::/64"],
            },
            "status": {
                "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
                "images": [{"names": ["x"], "sizeBytes": 1}],
            },
        },
    ),
    (
        "Service",
        {
            "metadata": META,
            "spec": {
                "type": "NodePort",
                "clusterIPs": ["10.96.0.1"],
                "selector": {"app": "web"},
                "ports": [{"port": 80, "targetPort": "http", "nodePort": 30080}],
            },
        },
    ),
    (
        "NetworkPolicy",
        {
            "metadata": META,
            "spec": {"podSelector": {}, "ingress": [{"from": [{"new": 1}]}, {}]},
        },
    ),
    # Of a wrong type where only a part is decoded: all of it is, to say what is wrong.
    ("Pod", {"metadata": META | {"labels": {"app": 1}}, "spec": {"nodeName": 7}}),
    ("Node", {"metadata": META, "spec": {"podCIDRs": "10.0.0.0/24"}}),
]


@pytest.mark.parametrize(("kind", "value"), OBJECTS)
def test_an_object_means_the_same_with_and_without_what_is_passed_over(
    kind: str, value: dict[str, Any]
) -> None:
    text = msgspec.Raw(json.dumps(value).encode())
    assert decode_object(kind, text) == decode_stored(kind, value)


def test_what_is_no_object_is_malformed() -> None:
    with pytest.raises(MalformedError):
        decode_object("Pod", msgspec.Raw(b"[]"))
