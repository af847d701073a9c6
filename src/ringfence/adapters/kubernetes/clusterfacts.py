"""A cluster's facts for the doctor: two lists, each of which may be refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.adapters.kubernetes.credentials import with_credentials
from ringfence.adapters.kubernetes.kubeapi import ApiServer
from ringfence.adapters.kubernetes.kubeconfig import Access
from ringfence.adapters.kubernetes.resources import Resource
from ringfence.doctor.facts import ClusterFacts, DaemonSet, Unknown
from ringfence.errors import InputError

_DAEMONSETS = Resource(
    "apps", "v1", "daemonsets", "DaemonSet", "enforcers are run by them"
)
_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "enforcers are known by theirs",
)


def cluster_facts(access: Access, *, timeout_s: float | None) -> ClusterFacts:
    """Return what the API server says of enforcers; only lists are asked for.

    A list that is refused is Unknown. Raises InputError where the credentials or the
    certificates cannot be used.
    """
    with ApiServer(with_credentials(access), timeout_s=timeout_s) as server:
        daemonsets = _listed(server, _DAEMONSETS)
        definitions = _listed(server, _DEFINITIONS)
    return ClusterFacts(
        daemonsets
        if isinstance(daemonsets, Unknown)
        else tuple(map(_daemonset, daemonsets)),
        definitions
        if isinstance(definitions, Unknown)
        else frozenset(one["metadata"]["name"] for one in definitions),
    )


def _listed(server: ApiServer, resource: Resource) -> list[dict[str, Any]] | Unknown:
    try:
        return server.list_all(resource)
    except InputError as error:
        return Unknown("; ".join(map(str, error.problems)))


def _daemonset(found: dict[str, Any]) -> DaemonSet:
    meta, pod = found["metadata"], found["spec"]["template"]["spec"]
    containers = pod["containers"]
    return DaemonSet(
        meta["namespace"],
        meta["name"],
        tuple(word for one in containers for word in _words(one)),
    )


def _words(container: dict[str, Any]) -> Iterator[str]:
    yield from container.get("command") or ()
    yield from container.get("args") or ()
