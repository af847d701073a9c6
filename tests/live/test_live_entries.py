"""Ways into a cluster are listed if they are there and may be, and never missed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controlplane.servers import Answered, ControlPlane
from live.commands import Said, ringfence
from live.test_live_answers import objects
from live.test_live_refusals import grant

pytestmark = pytest.mark.controlplane

GROUP = "gateway.networking.k8s.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
READY_S = 30
SHOP = b"""
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {a: b}},
 spec: {containers: [{}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {a: b}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in, namespace: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"""
GATEWAY = {"listeners": [{"name": "l", "port": 443, "protocol": "HTTPS"}]}
ROUTE = {
    "parentRefs": [{"name": "edge"}],
    "hostnames": ["shop.example.com"],
    "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
}
INGRESS_LINE = "shop/ingress/in * shop/svc/web:80 web 8080"
ROUTE_LINE = "shop/httproute/r shop.example.com:443 shop/svc/web:80 web 8080"


@contextmanager
def served(plane: ControlPlane, kind: str, version: str) -> Iterator[str]:
    """Serve a kind of the Gateway API for a block, yield where its objects go."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    listed = {"name": version, "served": True, "storage": True}
    definition: dict[str, Any] = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "listKind": f"{kind}List"},
            "versions": [{**listed, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    plane.ask("POST", CRDS, definition)
    root = f"/apis/{GROUP}/{version}"
    await_answer(plane, f"{root}/{plural}", there=True)
    try:
        yield f"{root}/namespaces/shop/{plural}"
    finally:
        plane.ask("DELETE", f"{CRDS}/{plural}.{GROUP}")
        await_answer(plane, f"{root}/{plural}", there=False)


def await_answer(plane: ControlPlane, path: str, *, there: bool) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            plane.ask("GET", path)
        except (Answered, json.JSONDecodeError):  # of an unknown group it is no JSON
            found = False
        else:
            found = True
        if found is there:
            return
        time.sleep(0.1)
    raise AssertionError(path)


def post(plane: ControlPlane, path: str, kind: str, name: str, spec: object) -> None:
    _, _, group, version, *_ = path.split("/")
    said = {"apiVersion": f"{group}/{version}", "kind": kind}
    plane.ask("POST", path, {**said, "metadata": {"name": name}, "spec": spec})


def exposed(
    plane: ControlPlane,
    capsys: pytest.CaptureFixture[str],
    *more: str,
    user: str = "admin",
) -> Said:
    live = ("--live", "--kubeconfig", str(plane.kubeconfig(user)))
    said = ringfence(capsys, "get", "exposed", "-n", "shop", *live, *more)
    assert said.code == 0, said.err
    return said._replace(
        out="\n".join(map(" ".join, map(str.split, said.out.split("\n"))))
    )


def test_ingresses_and_routes_are_ways_into_a_cluster(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plane.create(objects(SHOP))
    kept = tmp_path / "now.json.gz"
    # An old version of one kind, the newest of the other.
    with (
        served(plane, "Gateway", "v1beta1") as gateways,
        served(plane, "HTTPRoute", "v1") as routes,
    ):
        post(plane, gateways, "Gateway", "edge", GATEWAY)
        post(plane, routes, "HTTPRoute", "r", ROUTE)
        said = exposed(plane, capsys)
        live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
        assert ringfence(capsys, "snapshot", "-o", str(kept), *live).code == 0
    assert said.err == ""
    assert INGRESS_LINE in said.out
    assert ROUTE_LINE in said.out
    again = ringfence(capsys, "get", "exposed", "-n", "shop", "--snapshot", str(kept))
    assert [line.split() for line in again.out.splitlines()] == [
        line.split() for line in said.out.splitlines()
    ]


def test_kinds_that_are_not_served_have_no_objects(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    plane.create(objects(SHOP))
    said = exposed(plane, capsys)
    assert INGRESS_LINE in said.out
    assert said.err == ""
    (line,) = exposed(plane, capsys, "-v").err.splitlines()
    assert line.startswith("not served by the cluster: gateways.gateway.networking")


def test_ways_in_that_may_not_be_listed_are_named_once(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    plane.create(objects(SHOP))
    grant(plane, "lister", "entries")
    said = exposed(plane, capsys, user="lister")
    assert "ingress" not in said.out
    (line,) = said.err.splitlines()
    assert line.startswith(
        "warning: live:lister: ways in are missing: the right to list "
        "ingresses.networking.k8s.io, gateways.gateway.networking.k8s.io, "
    )
    assert "--resource=ingresses.networking.k8s.io,gateways" in line


def test_a_verdict_asks_for_no_way_in(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    plane.create(objects(SHOP))
    grant(plane, "lister", "entries")
    live = ("--live", "--kubeconfig", str(plane.kubeconfig("lister")))
    assert ringfence(capsys, "can", "shop/web", "1.1.1.1:80", *live).err == ""
