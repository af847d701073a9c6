"""Layers of manifests: what comes later stands in the place of what was there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeAlias

from ringfence.errors import InputError, Problem
from ringfence.manifest.decoding.identity import CLUSTER_SCOPED
from ringfence.manifest.reader import Document, Item, items

REMOVAL = ("$patch", "delete")
"""The member that makes an object a removal, as in a kustomize patch."""

Identity: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name; the namespace is empty where the kind has none."""


def overlaid(layers: Iterable[Iterable[Document]], namespace: str) -> list[Item]:
    """Return the objects that remain when each layer is laid over those before it.

    An object replaces the one of its kind, namespace and name; one that says
    ``$patch: delete`` removes it. Twins inside a layer stay twins. Raises
    InputError for removals of what is not there and for what is no object.
    """
    kept: dict[Identity, list[Item]] = {}
    problems: list[Problem] = []
    for layer in layers:
        fresh: dict[Identity, list[Item]] = {}
        for document in layer:
            try:
                found = items(document)
            except InputError as error:
                problems += error.problems
                continue
            for item in found:
                identity = _identity(item, namespace)
                if not _removes(item):
                    fresh.setdefault(identity, []).append(item)
                elif kept.pop(identity, None) is None:
                    problems.append(_absent(item, identity, kept))
        unnamed = {key: old for key, old in kept.items() if not key[2] and key in fresh}
        kept.update(fresh)
        for key, old in unnamed.items():
            kept[key] = old + fresh[key]
    if problems:
        raise InputError(problems)
    return [item for found in kept.values() for item in found]


def _identity(item: Item, namespace: str) -> Identity:
    meta = item.value.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    name = meta.get("name")
    where = "" if item.kind in CLUSTER_SCOPED else meta.get("namespace") or namespace
    return (item.kind, str(where), name if isinstance(name, str) else "")


def _removes(item: Item) -> bool:
    member, value = REMOVAL
    return item.value.get(member) == value


def _absent(item: Item, identity: Identity, kept: Iterable[Identity]) -> Problem:
    kind, namespace, name = identity
    near = get_close_matches(
        name, [key[2] for key in kept if key[:2] == (kind, namespace)], n=1
    )
    who = f"{namespace}/{name}" if namespace else name
    return Problem(
        str(item.position(("metadata", "name"))),
        f"{kind} {who} is not there, so nothing can be removed",
        hint=f"did you mean {near[0]}?" if near else "",
    )
