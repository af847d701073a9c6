"""What an object is and what it is called: kind, namespace and name, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import count
from typing import NamedTuple

from ringfence.manifest.decoding.entry import ENTRY_GROUPS
from ringfence.manifest.decoding.fields import Field
from ringfence.manifest.decoding.names import (
    LABEL,
    SUBDOMAIN,
    is_namespace_name,
    ordinary_key,
)
from ringfence.manifest.decoding.ordinary import OrdinaryPods
from ringfence.model.meta import ObjectKey

_CORE, _APPS = frozenset({""}), frozenset({"apps", "extensions"})

_GROUPS: Mapping[str, frozenset[str]] = {
    "Namespace": _CORE,
    "Node": _CORE,
    "Pod": _CORE,
    "Service": _CORE,
    "ReplicationController": _CORE,
    "Deployment": _APPS,
    "DaemonSet": _APPS,
    "ReplicaSet": _APPS,
    "StatefulSet": _APPS,
    "Job": frozenset({"batch"}),
    "CronJob": frozenset({"batch"}),
    "NetworkPolicy": frozenset({"networking.k8s.io", "extensions"}),
    **ENTRY_GROUPS,
}
"""The kinds that are read and the API groups that have served them."""

_KNOWN_GROUPS = frozenset[str]().union(*_GROUPS.values())
CLUSTER_SCOPED = frozenset({"Namespace", "Node"})

_LOOKS_THE_SAME = 0.8


class Named(NamedTuple):
    """An object of a kind that counts; ``key.namespace`` is empty where it has none."""

    kind: str
    key: ObjectKey
    field: Field


def known_kind(thing: Field) -> str | None:
    """Return the object's kind if it is read, else None.

    No kind, or one that differs from a known one by a slip, is a problem: what
    is not read cannot be obeyed.
    """
    item = thing.item
    if (item.api_version, item.kind) in _ORDINARY:
        return item.kind
    group = _group(item.api_version)
    if not item.kind:
        _refuse_kindless(thing)
        return None
    if item.kind in _GROUPS:
        return item.kind if not group or group in _GROUPS[item.kind] else None
    meant = get_close_matches(item.kind.title(), _TITLES, n=1, cutoff=_LOOKS_THE_SAME)
    if meant and group in _KNOWN_GROUPS:
        hint = f"did you mean {_TITLES[meant[0]]}?"
        thing.at("kind").complain(f'there is no kind "{item.kind}"', hint)
    return None


_ORDINARY = {("v1", kind) for kind, groups in _GROUPS.items() if "" in groups}
"""Of nearly all objects of a large cluster, and nothing is to be looked up for them."""


def _refuse_kindless(thing: Field) -> None:
    written = thing.at("kind")
    if written.absent or written.value == "":
        name = thing.item.document.source.rpartition("/")[2]
        hint = _NO_MANIFESTS.get(name, "every object says its apiVersion and kind")
        thing.complain("kind is missing", hint)
    written.text()


_NO_MANIFESTS = {
    "kustomization.yaml": "-k DIR builds a kustomization",
    "kustomization.yml": "-k DIR builds a kustomization",
    "Chart.yaml": "--helm DIR renders a chart",
    "values.yaml": "--helm DIR renders a chart",
}
"""Files that lie beside manifests, and what is made of them."""

_TITLES = {kind.title(): kind for kind in _GROUPS}


def other_kind(thing: Field) -> str:
    """Return how an object passed over is counted: ``kind`` or ``kind.group``."""
    group = _group(thing.item.api_version)
    return f"{thing.item.kind}.{group}" if group else thing.item.kind


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def name_objects(
    things: Iterable[tuple[str, Field]], default: str, ordinary: OrdinaryPods
) -> list[Named]:
    """Return the objects by name; an unsaid namespace is ``default``.

    Those that are ``ordinary`` have their names already.

    An object with ``generateName`` gets the first free number for a suffix.
    A missing name, one that no server takes, and a name given twice are problems.
    """
    named: list[Named] = []
    unnamed: list[Named] = []
    for kind, thing in things:
        key = ordinary_key(thing.value, default)
        if key is not None and kind not in CLUSTER_SCOPED:
            named.append(Named(kind, key, thing))
            continue
        namespace = "" if kind in CLUSTER_SCOPED else _namespace(thing, default)
        name = thing.text("metadata", "name")
        if name or not thing.text("metadata", "generateName"):
            _refuse_name(thing, name, kind)
            named.append(Named(kind, ObjectKey(namespace, name), thing))
        else:
            stem = _stem(thing.at("metadata", "generateName"))
            unnamed.append(Named(kind, ObjectKey(namespace, stem), thing))
    taken = _refuse_twins(named, ordinary)
    series: dict[tuple[str, ObjectKey], Iterator[ObjectKey]] = {}
    for kind, stem_key, thing in unnamed:
        keys = series.setdefault((kind, stem_key), _numbered(stem_key))
        names = ordinary.pods if kind == "Pod" else ()
        key = next(k for k in keys if (kind, k) not in taken and k not in names)
        taken.add((kind, key))
        named.append(Named(kind, key, thing))
    return named


def _refuse_twins(
    named: Iterable[Named], ordinary: OrdinaryPods
) -> set[tuple[str, ObjectKey]]:
    """Return the names given; one given twice is a problem of the second object."""
    first: dict[tuple[str, ObjectKey], Named] = {}
    for new in named:
        kind, key = new.kind, new.key
        other = first.setdefault((kind, key), new)
        place = None if other is new else other.field.position
        if kind == "Pod" and key in ordinary.pods:
            place = ordinary.position(key)
        if place is not None and key.name:
            text = str(key) if key.namespace else key.name
            message = f"{kind} {text} is declared twice, first at {place}"
            new.field.complain(message, "keep one of them")
    return set(first)


def _numbered(stem: ObjectKey) -> Iterator[ObjectKey]:
    return (ObjectKey(stem.namespace, f"{stem.name}{number}") for number in count())


def _stem(written: Field) -> str:
    stem = written.text()
    if not SUBDOMAIN.fullmatch(f"{stem}0"):
        written.complain(f'"{stem}" cannot begin a name')
    return stem


def _refuse_name(thing: Field, name: str, kind: str) -> None:
    """Complain where this is no name for an object, or none is written."""
    pattern = LABEL if kind == "Namespace" else SUBDOMAIN
    if pattern.fullmatch(name):
        return
    written = thing.at("metadata", "name")
    if name:
        written.complain(
            f'"{name}" is no name: lower case letters, digits and "-"'
            + (", at most 63" if pattern is LABEL else ' or ".", at most 253')
        )
    elif written.absent or written.value == "":
        written.complain("a name is missing")


def _namespace(thing: Field, default: str) -> str:
    name = thing.text("metadata", "namespace")
    if name and not is_namespace_name(name):
        thing.at("metadata", "namespace").complain(
            f'"{name}" is no namespace: lower case letters, digits and "-", at most 63'
        )
    return name or default
