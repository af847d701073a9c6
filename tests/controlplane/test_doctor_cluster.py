"""The doctor asks a real API server who enforces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.servers import ControlPlane
from ringfence.cli.main import run

pytestmark = pytest.mark.controlplane


def daemonset(name: str, *words: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "c", "image": "none", "args": list(words)}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def told(
    capsys: pytest.CaptureFixture[str], plane: ControlPlane, user: str = "admin"
) -> dict[str, Any]:
    """Return the findings about the cluster by their check."""
    config = str(plane.kubeconfig(user))
    run("ringfence", ("doctor", "--live", "--kubeconfig", config, "-o", "json"))
    found = json.loads(capsys.readouterr().out)["findings"]
    return {one["check"]: one for one in found}


def test_an_enforcers_daemonset_is_found(
    capsys: pytest.CaptureFixture[str], plane: ControlPlane
) -> None:
    plane.create([daemonset("aws-node", "--enable-network-policy=true")])
    found = told(capsys, plane)["enforcers in the cluster"]
    assert found["status"] == "problem"
    assert found["said"].endswith("DaemonSet default/aws-node")


def test_a_cluster_without_enforcers_is_in_order(
    capsys: pytest.CaptureFixture[str], plane: ControlPlane
) -> None:
    plane.create([daemonset("kube-flannel-ds")])
    found = told(capsys, plane)["enforcers in the cluster"]
    assert found["status"] == "ok"
    assert found["said"] == "none that is known among 1 DaemonSets"


def test_a_missing_right_is_named(
    capsys: pytest.CaptureFixture[str], plane: ControlPlane
) -> None:
    found = told(capsys, plane, "nobody")
    lists = {
        "enforcers in the cluster": "daemonsets.apps",
        "enforcers' CRDs": "customresourcedefinitions.apiextensions.k8s.io",
    }
    for check, resource in lists.items():
        assert found[check]["status"] == "unknown"
        lacks = f'user "nobody" lacks the verb "list" on {resource}'
        assert lacks in found[check]["said"]
