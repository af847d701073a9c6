"""Differences and snapshots of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.servers import ControlPlane
from live.commands import ringfence

pytestmark = pytest.mark.controlplane


def policy(name: str, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": {"app": "db"}}, **spec},
    }


def pod(name: str, last: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"app": name},
        },
        "spec": {"containers": [{"name": "c", "image": "none"}]},
        "status": {"podIP": f"10.0.0.{last}", "podIPs": [{"ip": f"10.0.0.{last}"}]},
    }


@pytest.fixture
def live(plane: ControlPlane) -> tuple[str, ...]:
    """The options that reach a cluster of web, db and a policy that closes db."""
    plane.create([pod("web", 1), pod("db", 2), policy("db", ingress=[])])
    return ("--live", "--kubeconfig", str(plane.kubeconfig()))


@pytest.fixture
def opened(tmp_path: Path) -> str:
    """A manifest that opens db."""
    path = tmp_path / "opened.json"
    path.write_text(json.dumps(policy("db", ingress=[{"ports": [{"port": 80}]}])))
    return str(path)


def test_a_snapshot_of_a_cluster_is_the_cluster(
    live: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "now.json.gz")
    assert ringfence(capsys, "snapshot", "-o", path, *live).code == 0
    question = ("can", "web", "db:80")
    assert ringfence(capsys, *question, "--snapshot", path) == ringfence(
        capsys, *question, *live
    )


def test_what_a_manifest_would_open_in_a_cluster_is_told(
    live: tuple[str, ...],
    opened: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now, then = (str(tmp_path / name) for name in ("now.json.gz", "then.json.gz"))
    over = ("--overlay", "-f", opened)
    assert ringfence(capsys, "snapshot", "-o", now, *live).code == 0
    assert ringfence(capsys, "snapshot", "-o", then, *live, *over).code == 0
    said = ringfence(capsys, "diff", now, then)
    assert said.code == 1
    assert said.out.startswith("BROADENED   default/pod/web, 0.0.0.0/0 -> ")
    assert "2 broadened · 0 narrowed" in said.out


def test_a_cluster_differs_from_itself_in_nothing(
    live: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ringfence(capsys, "diff", "live", "live", *live).code == 0


def test_a_manifest_may_be_laid_over_the_side_that_is_a_cluster(
    live: tuple[str, ...], opened: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ringfence(capsys, "diff", "live", opened, "--overlay", *live)
    assert said.code == 1
    assert "2 broadened · 0 narrowed" in said.out


def test_a_cluster_is_compared_only_where_it_is_a_side(
    live: tuple[str, ...], opened: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ringfence(capsys, "diff", opened, opened, *live)
    assert (said.code, said.out) == (2, "")
    assert "one side is live" in said.err
