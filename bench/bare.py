"""Manifests of bare pods in any number: the same ones on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Manifest = dict[str, Any]

APPS, TIERS, UNITS = 12, ("web", "db"), 10
FIRST_POD = IPv4Address("10.0.0.0")
BEYOND_PODS = IPv4Address("10.128.0.0")
PODS = "10.0.0.0/8"


class Size(NamedTuple):
    """How many of each, and how many workloads a namespace has, at most two dozen.

    ``holes`` is where the networks begin that ipBlocks leave out: among the pods they
    part those of one workload. ``cut``: ipBlocks so that no two pods are alike.
    """

    pods: int
    policies: int
    namespaces: int
    workloads: int = APPS * len(TIERS)
    holes: IPv4Address = FIRST_POD
    cut: bool = False

    @property
    def apps(self) -> int:
        """How many of its apps a namespace has."""
        return min(APPS, self.workloads)


def small(pods: int) -> Size:
    """Return a cluster in which policies are many: a quarter of the pods."""
    return Size(pods, pods // 4, max(1, pods // 50))


def large(pods: int, *, cut: bool = False) -> Size:
    """Return a cluster in which pods are many: twenty for each policy and workload."""
    return Size(pods, pods // 20, max(1, pods // 100), 5, BEYOND_PODS, cut)


def write_yaml(path: Path, size: Size) -> Path:
    """Write the cluster as YAML, a document an object."""
    with path.open("w") as stream:
        yaml.dump_all(manifests(size), stream, Dumper=yaml.CSafeDumper)
    return path


def write_json(path: Path, size: Size, *, edited: bool = False) -> Path:
    """Write the cluster as a JSON list, on one line, as API servers do.

    ``edited``: after a change of a few policies and pods.
    """
    items = list(edits(size) if edited else manifests(size))
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return path


def manifests(size: Size) -> Iterator[Manifest]:
    """Yield the namespaces, pods and policies."""
    for number in range(size.namespaces):
        labels = {"unit": f"u{number % UNITS}", "env": "prod" if number % 3 else "dev"}
        yield _object("v1", "Namespace", {"name": f"ns{number}", "labels": labels})
    for number in range(size.pods):
        yield _pod(number, size)
    for number in range(size.policies):
        name = {"name": f"np{number}", "namespace": f"ns{number % size.namespaces}"}
        spec = _cutting(number, size) if size.cut else _spec(number, size)
        yield _policy(name, spec)


def edits(size: Size) -> Iterator[Manifest]:
    """Yield the cluster after a change: some went, some came, some are others."""
    went = {f"np{size.policies // 3}", f"p{size.pods // 3}"}
    for manifest in manifests(size):
        match manifest["metadata"]:
            case {"name": name} if name in went:
                continue
            case {"name": name} if name == f"np{size.policies // 2}":
                manifest["spec"]["podSelector"] = _labels(app="a0")
            case {"name": name} if name == f"p{size.pods // 2}":
                manifest["metadata"]["labels"]["tier"] = "edge"
        yield manifest
    yield _pod(size.pods, size)
    name = {"name": f"np{size.policies}", "namespace": "ns0"}
    yield _policy(name, _spec(size.policies, size))


def _policy(name: Manifest, spec: Manifest) -> Manifest:
    return _object("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _object(version: str, kind: str, metadata: Manifest, **more: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _pod(number: int, size: Size) -> Manifest:
    workload = number // size.namespaces % size.workloads
    tier = TIERS[(workload // APPS + workload) % len(TIERS)]
    labels = {"app": f"a{workload % APPS}", "tier": tier}
    place = {"name": f"p{number}", "namespace": f"ns{number % size.namespaces}"}
    address = str(FIRST_POD + number)
    ports = [{"name": "http", "containerPort": 8080}]
    containers = [{"name": "main", "image": "app", "ports": ports}]
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    metadata = {**place, "labels": labels}
    return _object(
        "v1", "Pod", metadata, spec={"containers": containers}, status=status
    )


def hole(number: int, first: IPv4Address) -> str:
    """Return one of the 256 networks of 256 addresses that begin here."""
    return f"{first + number % 256 * 256}/24"


def _labels(**labels: str) -> Manifest:
    return {"matchLabels": labels}


def _spec(number: int, size: Size) -> Manifest:
    """Return one of seven forms: the first policy of a namespace denies by default."""
    within = number // size.namespaces
    app = f"a{within * 7 % size.apps}"
    other = f"a{(within * 5 + number) % size.apps}"
    chosen, peer = (
        {"podSelector": _labels(app=app)},
        {"podSelector": _labels(app=other)},
    )
    unit = {"namespaceSelector": _labels(unit=f"u{number % UNITS}")}
    prod = {"namespaceSelector": _labels(env="prod")}
    block = {"cidr": PODS, "except": [hole(number, size.holes)]}
    not_other = {"key": "app", "operator": "NotIn", "values": [other]}
    web = {"key": "tier", "operator": "In", "values": ["web"]}
    dns = {"port": 53, "protocol": "UDP"}
    egress = [
        {
            "to": [{"namespaceSelector": {}}, {"ipBlock": block}],
            "ports": [{"port": 443}],
        },
        {"ports": [dns]},
    ]
    forms: list[Manifest] = [
        {**chosen, "ingress": [{"from": [peer], "ports": [{"port": 8080}]}]},
        {
            **chosen,
            "ingress": [{"from": [{**unit, **peer}], "ports": [{"port": "http"}]}],
        },
        {**chosen, "policyTypes": ["Egress"], "egress": egress},
        {
            "podSelector": {"matchExpressions": [web]},
            "ingress": [
                {
                    "from": [{"podSelector": {"matchExpressions": [not_other]}}],
                    "ports": [{"port": 8000, "endPort": 8100}],
                }
            ],
        },
        {**chosen, "ingress": [{"from": [prod, peer]}]},
        {**chosen, "egress": [{"to": [unit]}, {"ports": [dns]}]},
    ]
    if within == 0:
        return {"podSelector": {}, "policyTypes": ["Ingress"]}
    return forms[(within + number) % len(forms)]


def _cutting(number: int, size: Size) -> Manifest:
    """Return a policy with a block that pods are cut from, no other policy's pods.

    They are of different namespaces or workloads: those alike would stay alike.
    """
    starts = range(0, size.pods, size.policies)
    share = [start + (number + at) % size.policies for at, start in enumerate(starts)]
    holes = [f"{FIRST_POD + pod}/32" for pod in share]
    within = number // size.namespaces
    block = {"cidr": PODS, "except": holes}
    return {
        "podSelector": _labels(app=f"a{within % size.apps}"),
        "ingress": [{"from": [{"ipBlock": block}], "ports": [{"port": 8080}]}],
    }
