"""``ringfence get exposed``: the list, its document, its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

EXAMPLE = str(Path(__file__).parents[3] / "examples" / "wordpress")


def exposed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run("ringfence", ["get", "exposed", "-f", EXAMPLE, *words]) == Exit.OK
    return capsys.readouterr().out


def test_each_line_says_who_and_on_which_ports(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [" ".join(line.split()) for line in exposed(capsys).splitlines()]
    assert lines[0] == "ENDPOINT OPEN AUDIENCE PORTS"
    assert (
        "default/deploy/mysql from pods tier=wordpress of namespace default 3306"
        in lines
    )
    assert "default/deploy/wordpress from 0.0.0.0/0 80,443" in lines


def test_labels_and_namespaces_choose_endpoints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = exposed(capsys, "-n", "kube-system", "-o", "name").split()
    assert names == ["kube-system/pod/kube-dns"]
    assert exposed(capsys, "-l", "tier=mysql", "-o", "name").split() == [
        "default/deploy/mysql"
    ]


def test_the_document_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(exposed(capsys, "-l", "tier=mysql", "-o", "json"))
    assert document["schema"] == "ringfence/exposed/v1"
    (one,) = [item for item in document["items"] if item["direction"] == "Ingress"]
    assert one["audience"] == "meant"
    assert one["selector"]["podSelector"] == "tier=wordpress"
    assert one["ports"] == [{"protocol": "TCP", "port": 3306}]


ENTRIES = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress: [{from: [{namespaceSelector: {}}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in, namespace: edge}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  hostnames: [shop.example.com]
  rules: [{backendRefs: [{name: web, port: 80}]}]
"""
HEAD = "ENTRY AT BACKEND PODS PORT ANY POD OUTSIDE"
ROUTE = "shop/httproute/r shop.example.com shop/svc/web:80"


def entry_lines(
    capsys: pytest.CaptureFixture[str], path: Path, *words: str
) -> list[str]:
    """Return the second table, its columns one space apart."""
    path.write_text(ENTRIES)
    assert run("ringfence", ["get", "exposed", "-f", str(path), *words]) == Exit.OK
    _, _, text = capsys.readouterr().out.partition("\n\n")
    return [" ".join(line.split()) for line in text.splitlines()]


def test_entry_points_stand_below_with_whom_they_let_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert entry_lines(capsys, tmp_path / "a.yaml", "-n", "shop") == [
        HEAD,
        f"{ROUTE} web 8080 yes no",
        f"{ROUTE} it names no Gateway - - -",
    ]


def test_labels_choose_the_entry_points_that_lead_to_such_pods(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    assert len(entry_lines(capsys, path, "-n", "shop", "-l", "app=web")) == 3
    assert entry_lines(capsys, path, "-n", "shop", "-l", "app=db") == []


def test_an_entry_point_without_pods_is_listed_in_its_namespace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ENTRIES)
    run("ringfence", ["get", "exposed", "-f", str(path), "-n", "edge"])
    out, err = capsys.readouterr()
    assert " ".join(out.splitlines()[1].split()) == (
        "edge/ingress/in * edge/svc/web:80 there is no Service edge/web - - -"
    )
    assert not err


def test_the_document_has_the_entries(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ENTRIES)
    run("ringfence", ["get", "exposed", "-f", str(path), "-n", "shop", "-o", "json"])
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["landings"] == [
        {
            "pods": ["shop/web"],
            "port": {"protocol": "TCP", "port": 8080},
            "anyPod": "ALLOW",
            "podsOfNamespace": "ALLOW",
            "outside": [],
            "outsideUndecided": [],
        }
    ]
