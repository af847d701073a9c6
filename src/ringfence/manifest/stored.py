"""Objects as an API server gives them, as values of the model, leniently.

What a cluster stores is not refused: each object is read as far as it can be, what
cannot be is told by name and field, and errs on the side that allows less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_network
from sys import intern
from typing import Any, NamedTuple, TypeAlias

from ringfence.errors import Problem
from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.objects import (
    decode_namespace,
    decode_node,
    decode_service,
    strict_pod,
)
from ringfence.manifest.decoding.quick import quick_pod
from ringfence.manifest.reader import Item
from ringfence.manifest.stored_policy import StoredDocument, decode_stored_policy
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace, Node, Pod, Service

StoredValue: TypeAlias = NetworkPolicy | Pod | Namespace | Node | Service

MODE_ANNOTATION = "ringfence.dev/mode"
"""The annotation of a namespace that says how its policies are enforced."""


class Stored(NamedTuple):
    """An object of a cluster.

    ``kind`` is its kind in the API, ``key`` the name of a namespace or node and the
    ObjectKey of anything else. ``value`` None: what can be read of it would not be
    safe to go by, it counts as not there. The rest is what the model has no place
    for: ``terminating`` where there is a deletionTimestamp, ``mode`` is a
    namespace's MODE_ANNOTATION (empty: not said), ``pod_cidrs`` a node's, in order.
    """

    kind: str
    key: ObjectKey | str
    value: StoredValue | None
    uid: str = ""
    version: str = ""
    problems: tuple[Problem, ...] = ()
    terminating: bool = False
    mode: str = ""
    pod_cidrs: tuple[IPNetwork, ...] = ()

    @property
    def facts(self) -> tuple[object, ...]:
        """Return what it says of packets: alike before and after most changes."""
        return self.value, self.problems, self.mode, self.pod_cidrs


def decode_stored(kind: str, value: Mapping[str, Any]) -> Stored:
    """Return an object of kind NetworkPolicy, Pod, Namespace, Node or Service.

    ``value`` is its JSON, or as much of it as is read here. The place of a problem
    is the object's kind and name. A NetworkPolicy always has a value. A pod whose
    labels cannot be read has none: nobody knows which selectors mean it. A pod whose
    ports cannot be read has none that have a name.
    """
    meta = value.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    key = stored_key(kind, meta)
    uid, version = str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
    terminating = bool(meta.get("deletionTimestamp"))
    if isinstance(key, ObjectKey) and kind == "Pod":
        # Nearly all pods are ordinary ones, of which nothing has to be told.
        pod = quick_pod(value, key)
        if pod is not None:
            return Stored(kind, key, pod, uid, version, (), terminating)
    stored = _read(kind, key, value)
    return stored._replace(uid=uid, version=version, terminating=terminating)


def stored_key(kind: str, meta: Mapping[str, Any]) -> ObjectKey | str:
    """Return the name of an object of this metadata, as ``Stored.key`` has it."""
    name = str(meta.get("name", ""))
    if kind in _NAMED_ALONE:
        return name
    # Few namespaces name many objects: the text of each is kept once.
    return ObjectKey(intern(str(meta.get("namespace", ""))), name)


def _read(kind: str, key: ObjectKey | str, value: Mapping[str, Any]) -> Stored:
    """Return an object with every problem of it."""
    problems: list[Problem] = []
    document = StoredDocument(f"{kind} {key}", 0, value, b"")
    thing = Field(Item(document, (), {}, "", kind), problems, value)
    stored = _DECODERS[kind](thing, key)
    return stored._replace(problems=stored.problems + tuple(problems))


def _policy(thing: Field, key: ObjectKey) -> Stored:
    policy, problems = decode_stored_policy(
        thing.mapping(), key, thing.item.document.source
    )
    return Stored("NetworkPolicy", key, policy, problems=problems)


def _pod(thing: Field, key: ObjectKey) -> Stored:
    pod = strict_pod(thing, key)
    fields = {problem.field for problem in thing.problems}
    if any(field.startswith("spec") for field in fields):
        pod = replace(pod, ports=())
    unsafe = any(field.startswith("metadata.labels") for field in fields)
    return Stored("Pod", key, None if unsafe else pod)


def _service(thing: Field, key: ObjectKey) -> Stored:
    return Stored("Service", key, decode_service(thing, key))


def _namespace(thing: Field, name: str) -> Stored:
    namespace = decode_namespace(thing, name)
    # One that is not declared is in no selector that asks for more than its name.
    value = None if thing.problems else namespace
    mode = thing.text("metadata", "annotations", MODE_ANNOTATION)
    return Stored("Namespace", name, value, mode=mode)


def _node(thing: Field, name: str) -> Stored:
    node = decode_node(thing, name)
    several = thing.entries("spec", "podCIDRs") or [thing.at("spec", "podCIDR")]
    found = [_network(entry) for entry in several]
    networks = tuple(network for network in found if network is not None)
    return Stored("Node", name, node, pod_cidrs=networks)


def _network(written: Field) -> IPNetwork | None:
    text = written.text()
    try:
        return ip_network(text, strict=False) if text else None
    except ValueError:
        written.complain(f'must be a CIDR, found "{text}"')
        return None


_NAMED_ALONE = frozenset({"Namespace", "Node"})
_DECODERS: Mapping[str, Callable[[Field, Any], Stored]] = {
    "NetworkPolicy": _policy,
    "Pod": _pod,
    "Service": _service,
    "Namespace": _namespace,
    "Node": _node,
}
