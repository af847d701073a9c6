"""A running cluster as input: its objects, read only, to be decoded as files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ringfence.adapters.kubernetes.credentials import with_credentials
from ringfence.adapters.kubernetes.kubeapi import (
    ApiServer,
    ForbiddenError,
    NotServedError,
)
from ringfence.adapters.kubernetes.kubeconfig import Access
from ringfence.adapters.kubernetes.resources import (
    ENTRY_RESOURCES,
    RESOURCES,
    Resource,
)
from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import Document
from ringfence.manifest.stored_policy import StoredDocument

Shape: TypeAlias = Mapping[str, "Shape | None"]
"""The fields that are kept of an object, None: with all that is in them."""

_IDENTITY: Shape = {"name": None, "namespace": None, "labels": None}
_OWNED: Shape = {
    **_IDENTITY,
    "ownerReferences": {"kind": None, "name": None, "controller": None},
}
_POD_SPEC: Shape = {
    "nodeName": None,
    "hostNetwork": None,
    "containers": {"ports": None},
    "initContainers": {"ports": None, "restartPolicy": None},
}
_TEMPLATE: Shape = {"metadata": {"labels": None}, "spec": _POD_SPEC}
_WORKLOAD_SPEC: Shape = {
    "replicas": None,
    "parallelism": None,
    "selector": None,
    "template": _TEMPLATE,
    "jobTemplate": {"spec": {"parallelism": None, "template": _TEMPLATE}},
}
_SPECS: Mapping[str, Shape | None] = {
    "Namespace": {},
    "Node": {},
    "Pod": _POD_SPEC,
    "Service": None,
    "NetworkPolicy": None,
    **{of_kind[0].kind: None for of_kind in ENTRY_RESOURCES},
}
_STATUS: Mapping[str, Shape] = {
    "Node": {"addresses": None},
    "Pod": {
        "phase": None,
        "podIP": None,
        "podIPs": None,
        "hostIP": None,
        "hostIPs": None,
    },
}
_OWNERLESS = frozenset({"NetworkPolicy", *(one[0].kind for one in ENTRY_RESOURCES)})
_ENDED = frozenset({"Complete", "Failed"})


@dataclass(slots=True)
class Held:
    """What a cluster holds: objects, and the kinds of entry points not among them.

    ``withheld`` are those that the user may not list, ``unserved`` those that the
    cluster does not know, as ``plural.group``.
    """

    place: str
    documents: list[Document] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)

    def warnings(self) -> Iterator[Problem]:
        """Yield what is not known for want of a right."""
        if self.withheld:
            lists = ", ".join(self.withheld)
            message = f"ways in are missing: the right to list {lists}"
            yield Problem(self.place, message, "", _granting(self.withheld))


def read_live(access: Access, *, timeout_s: float | None, entries: bool) -> Held:
    """Return the objects of a cluster that verdicts depend on, in all namespaces.

    With ``entries`` also entry points, as far as there are some and they may be
    listed. Each list is of one moment, all of them together are not. Raises
    InputError with every list of the others that is refused: an answer from half
    a cluster may be wrong.
    """
    refused: list[Problem] = []
    missing: list[str] = []
    with ApiServer(with_credentials(access), timeout_s=timeout_s) as server:
        held = Held(server.place)
        for resource in RESOURCES:
            try:
                listed = server.list_all(resource)
            except ForbiddenError as error:
                refused += error.problems
                missing.append(resource.qualified)
                continue
            held.documents += _documents(listed, resource, server.place)
        if refused:
            hint = _granting(missing)
            raise InputError([*refused[:-1], replace(refused[-1], hint=hint)])
        for versions in ENTRY_RESOURCES if entries else ():
            _hold_entries(held, server, versions)
    return held


def _granting(lists: list[str]) -> str:
    command = "kubectl create clusterrole ringfence --verb=list --resource="
    return f"{command}{','.join(lists)} and a clusterrolebinding allow it"


def _hold_entries(
    held: Held, server: ApiServer, versions: tuple[Resource, ...]
) -> None:
    """Add the entry points of a kind in the first version that is served."""
    for resource in versions:
        try:
            listed = server.list_all(resource)
        except NotServedError:
            continue
        except ForbiddenError:  # whatever the version: rights are those of a resource
            held.withheld.append(resource.qualified)
            return
        held.documents += _documents(listed, resource, server.place)
        return
    held.unserved.append(versions[0].qualified)


def _documents(
    listed: list[dict[str, Any]], resource: Resource, place: str
) -> Iterator[Document]:
    kind = resource.kind
    shape: dict[str, Shape | None] = {
        "metadata": _IDENTITY if kind in _OWNERLESS else _OWNED,
        "spec": _SPECS.get(kind, _WORKLOAD_SPEC),
    }
    if kind in _STATUS:
        shape |= {"status": _STATUS[kind]}
    said = {"apiVersion": resource.api_version, "kind": kind}
    for entry in listed:
        if kind == "Job" and _ended(entry):
            continue  # its pods are no endpoints, and it will make no others
        meta = entry["metadata"]
        name = "/".join(
            filter(None, (resource.plural, meta.get("namespace"), meta["name"]))
        )
        value = said | _kept(entry, shape)
        yield StoredDocument(source=f"{place} {name}", index=0, value=value, text=b"")


def _ended(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    return any(
        condition.get("type") in _ENDED and condition.get("status") == "True"
        for condition in conditions
    )


def _kept(value: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Return an object with only the fields of the shape, lists entry by entry."""
    kept: dict[str, Any] = {}
    for key, inner in shape.items():
        found = value.get(key)
        if found is None:
            continue
        if inner is None:
            kept[key] = found
        elif isinstance(found, list):
            kept[key] = [_kept(entry, inner) for entry in found]
        else:
            kept[key] = _kept(found, inner)
    return kept
