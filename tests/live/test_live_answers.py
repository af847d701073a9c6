"""A cluster's answers are those of the files that it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cases import Case, articles, conformance, flows_of
from controlplane.servers import ControlPlane
from live.commands import ringfence
from ringfence.adapters.kubernetes.kubeconfig import Choice, choose_access
from ringfence.adapters.kubernetes.live import read_live
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import items, read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster
from ringfence.model.workload import ContainerPort, Owner

pytestmark = pytest.mark.controlplane
EXAMPLE = Path(__file__).parents[2] / "examples" / "wordpress"


def objects(manifests: bytes) -> Iterator[dict[str, Any]]:
    """Yield objects, those first that others are in, as far as the server needs."""
    found = [
        item.value for doc in read_documents(manifests, "test") for item in items(doc)
    ]
    declared = {o["metadata"]["name"] for o in found if o["kind"] == "Namespace"}
    used = {o["metadata"].get("namespace", "default") for o in found}
    for name in sorted(used - declared - {"default"}):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    for thing in sorted(found, key=lambda thing: thing["kind"] != "Namespace"):
        yield _complete(thing)


def _complete(value: Any) -> Any:
    """Return a value with a name and an image for every container in it."""
    if isinstance(value, list):
        return [_complete(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    found = {key: _complete(entry) for key, entry in value.items()}
    for number, container in enumerate(found.get("containers") or ()):
        container.setdefault("name", f"c{number}")
        container.setdefault("image", "none")
    return found


def create_shop(plane: ControlPlane) -> None:
    """Create the pods web and db of the namespace shop."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"containers": [{}]},
        }
        for name in ("web", "db")
    ]
    plane.create(objects("\n".join(map(json.dumps, pods)).encode()))


def live_cluster(plane: ControlPlane) -> Cluster:
    access = choose_access(Choice(kubeconfig=str(plane.kubeconfig())), {})
    held = read_live(access, timeout_s=30, entries=False)
    return decode_documents(held.documents, Options(strict_cidr=False)).cluster


def chosen() -> Iterable[Case]:
    """Every case of the recipes and articles, and each tenth of the large suites."""
    yield from conformance("recipes")
    yield from articles()
    for suite in ("k8s_e2e", "cyclonus"):
        yield from list(conformance(suite))[::10]


@pytest.mark.parametrize("case", list(chosen()), ids=lambda case: case.name)
def test_a_case_holds_on_a_cluster_too(plane: ControlPlane, case: Case) -> None:
    for moment in case.moments:
        plane.clear()
        plane.create(objects(moment.manifests))
        compiled = compile_cluster(live_cluster(plane))
        for ask in moment.asks:
            for flow in flows_of(compiled.cluster, ask):
                assert evaluate(compiled, flow).outcome is ask.expected, ask


def test_commands_say_of_a_cluster_what_they_say_of_its_files(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case = next(case for case in conformance("k8s_e2e") if case.name == "k8s-e2e/019")
    path = tmp_path / "cluster.json"
    path.write_bytes(case.moments[-1].manifests)
    plane.create(objects(case.moments[-1].manifests))
    live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
    for question in (
        ("can", "x/a", "y/b:80"),
        ("can", "y/b", "x/a:80"),
        ("can", "internet", "x/a:81/udp"),
        ("get", "isolated", "-A"),
        ("get", "paths", "-A"),
        ("matrix", "-o", "json"),
    ):
        by_files = ringfence(capsys, *question, "-f", str(path))
        assert by_files.code < 2, by_files
        assert ringfence(capsys, *question, *live) == by_files, question


def test_why_names_the_object_where_there_is_no_line(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = b"\n---\n".join(p.read_bytes() for p in sorted(EXAMPLE.iterdir()))
    plane.create(objects(manifests))
    live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
    said = ringfence(capsys, "why", "deploy/wordpress", "deploy/mysql:3306", *live)
    assert "(live:admin networkpolicies/default/mysql)" in said.out


def test_names_are_looked_for_in_the_namespace_of_the_context(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    create_shop(plane)
    config = str(plane.kubeconfig(namespace="shop"))
    live = ("--live", "--kubeconfig", config)
    assert ringfence(capsys, "can", "web", "db:80", *live).code == 0
    missing = ringfence(capsys, "can", "web", "db:80", "-n", "default", *live)
    assert (missing.code, missing.out) == (2, "")


def test_lists_of_many_pages_are_read_to_their_end(plane: ControlPlane) -> None:
    names = [f"pod-{number:04}" for number in range(1101)]
    spec = {"containers": [{"name": "c", "image": "none"}]}
    plane.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        for name in names
    )
    assert [key.name for key in live_cluster(plane).pods] == names


def test_files_may_be_laid_over_a_cluster(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    create_shop(plane)
    path = tmp_path / "deny.json"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"namespace": "shop", "name": "deny"},
                "spec": {"podSelector": {}},
            }
        )
    )
    live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
    question = ("can", "shop/web", "shop/db:80")
    assert ringfence(capsys, *question, *live).code == 0
    assert ringfence(capsys, *question, *live, "--overlay", "-f", str(path)).code == 1
    refused = ringfence(capsys, *question, *live, "-f", str(path))
    assert (refused.code, refused.out) == (2, "")
    assert "--overlay" in refused.err


def test_a_cluster_is_not_validated(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
    said = ringfence(capsys, "validate", *live)
    assert (said.code, said.out) == (2, "")


def test_every_fact_of_a_pod_that_a_verdict_needs_is_read(plane: ControlPlane) -> None:
    """Addresses of both families, the node, owners, sidecars, ports by name."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u"}
    sidecar = {
        "name": "proxy",
        "image": "none",
        "restartPolicy": "Always",
        "ports": [{"containerPort": 15001, "name": "mesh"}],
    }
    addresses = ("10.0.0.1", "fd00::1")
    plane.create(
        [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "web-1-x",
                    "labels": {"a": "b"},
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": {
                    "nodeName": "n1",
                    "containers": [{"name": "c", "image": "none"}],
                    "initContainers": [sidecar],
                },
                "status": {
                    "phase": "Running",
                    "podIP": addresses[0],
                    "podIPs": [{"ip": address} for address in addresses],
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "n1"},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "10.9.9.9"}]
                },
            },
        ]
    )
    cluster = live_cluster(plane)
    (pod,) = cluster.pods.values()
    assert tuple(map(str, pod.addresses)) == addresses
    assert (pod.node, pod.phase, pod.labels) == ("n1", "Running", {"a": "b"})
    assert pod.owner == Owner("ReplicaSet", "web-1")
    assert pod.ports == (ContainerPort(15001, name="mesh"),)
    assert [str(address) for address in cluster.nodes["n1"].addresses] == ["10.9.9.9"]
