"""A real API server as a cluster admin without controllers or kubelets uses it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from controlplane.servers import Answered, ControlPlane, collection

Manifest = Mapping[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace and name."""

_AT_ONCE = {"gracePeriodSeconds": 0}
_JSON_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"
_ORDER = ("Node", "Namespace", "Pod", "NetworkPolicy")
_LABELS = "/metadata/labels"
_ETERNAL = ("Namespace", "", "default")
"""The server refuses to delete it."""


class Cluster:
    """The objects that a test has made; it removes what it made."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._made: dict[Key, Manifest] = {}

    def has(self, key: Key) -> bool:
        """Whether it has made this object and not removed it."""
        return key in self._made

    def put(self, manifest: Manifest) -> None:
        """Create or update an object, status and all; returns when it is stored."""
        key = key_of(manifest)
        before = self._made.get(key)
        if before is None:
            self._create(manifest)
        elif before != manifest:
            self._update(before, manifest)
        self._made[key] = manifest

    def remove(self, key: Key) -> None:
        """Delete an object at once; a namespace goes as its controller would end it."""
        manifest = self._made.pop(key)
        path = path_of(manifest)
        if key == _ETERNAL:
            bare = [{"op": "add", "path": _LABELS, "value": {}}]
            self._plane.ask("PATCH", path, bare, _JSON_PATCH)
            return
        self._plane.ask("DELETE", path, _AT_ONCE)
        if key[0] == "Namespace":
            whole = {**namespace(key[2]), "spec": {"finalizers": []}}
            self._plane.ask("PUT", f"{path}/finalize", whole)

    def become(self, manifests: Iterable[Manifest]) -> None:
        """Have just these objects: remove the others, then create and update."""
        wanted = {key_of(manifest): manifest for manifest in manifests}
        rank = {kind: number for number, kind in enumerate(_ORDER)}
        gone = sorted(self._made.keys() - wanted.keys(), key=lambda k: -rank[k[0]])
        for key in gone:
            self.remove(key)
        for manifest in sorted(wanted.values(), key=lambda m: rank[m["kind"]]):
            self.put(manifest)

    def clear(self) -> None:
        """Remove everything that was made."""
        self.become(())

    def _create(self, manifest: Manifest) -> None:
        try:
            self._plane.create([manifest])
        except Answered as answer:
            raise AssertionError(f"{key_of(manifest)}: {answer}") from answer

    def _update(self, before: Manifest, manifest: Manifest) -> None:
        path = path_of(manifest)
        if manifest["kind"] == "NetworkPolicy":
            self._plane.ask("PUT", path, manifest)
        elif manifest.get("spec") != before.get("spec"):
            self.remove(key_of(before))
            self._create(manifest)
        else:
            labels = manifest["metadata"].get("labels", {})
            patch = [{"op": "add", "path": _LABELS, "value": labels}]
            self._plane.ask("PATCH", path, patch, _JSON_PATCH)
            if manifest.get("status") != before.get("status"):
                status = {"status": manifest["status"]}
                self._plane.ask("PATCH", f"{path}/status", status, _MERGE)


def key_of(manifest: Manifest) -> Key:
    """Return what names an object."""
    meta = manifest["metadata"]
    clustered = manifest["kind"] in {"Namespace", "Node"}
    namespace = "" if clustered else meta.get("namespace", "default")
    return manifest["kind"], namespace, meta["name"]


def path_of(manifest: Manifest) -> str:
    """Return the path of an object in the API."""
    return f"{collection(manifest)}/{manifest['metadata']['name']}"


@contextmanager
def own_connection(plane: ControlPlane) -> Iterator[ControlPlane]:
    """Have the API server through a connection of one's own, for another thread."""
    trust = ssl.create_default_context(cafile=str(plane.authority))
    made = http.client.HTTPSConnection("127.0.0.1", plane.port, context=trust)
    try:
        yield replace(plane, connection=made)
    finally:
        made.close()


def namespace(name: str, **labels: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def node_object(name: str, addresses: Iterable[str], ranges: Iterable[str]) -> Manifest:
    held = [{"type": "InternalIP", "address": address} for address in addresses]
    cidrs = list(ranges)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs},
        "status": {"addresses": held},
    }


def pod_object(
    name: str,
    node: str,
    addresses: Iterable[str],
    *,
    labels: Mapping[str, str] | None = None,
    ports: Iterable[Mapping[str, Any]] = (),
) -> Manifest:
    """Return a running pod; ``name`` is NAMESPACE/NAME."""
    space, _, bare = name.partition("/")
    held = [{"ip": address} for address in addresses]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": space, "name": bare, "labels": dict(labels or {})},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "c", "image": "example.test/c", "ports": [*ports]}],
        },
        "status": {"phase": "Running", "podIP": held[0]["ip"], "podIPs": held},
    }


def policy(name: str, **spec: Any) -> Manifest:
    """Return a NetworkPolicy; ``name`` is NAMESPACE/NAME."""
    space, _, bare = name.partition("/")
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": space, "name": bare},
        "spec": {"podSelector": {}, **spec},
    }
