"""Pods that do not exist yet, made up to try what they could reach.

What pods without a label, and with each label that some selector refuses, can
all do, any pod can. What one pod that a peer's selectors mean can do, pods that
carry such labels can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from ringfence.engine.compiled import Compiled, PeerSelector
from ringfence.engine.select import requirement_holds, selects
from ringfence.model.cluster import Cluster
from ringfence.model.labels import LabelSelector, Operator, Requirement
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import METADATA_NAME, Namespace, Pod

_REFUSING = frozenset({Operator.NOT_IN, Operator.DOES_NOT_EXIST})
_ANY_VALUE = "any"


@dataclass(slots=True)
class Strangers:
    """A cluster with pods that may come.

    ``anywhere`` are in namespaces that may come too, ``near`` in each that is
    there; ``meant`` has, for a peer's selectors, a pod that they mean.
    """

    cluster: Cluster
    anywhere: list[ObjectKey] = field(default_factory=list)
    near: dict[str, list[ObjectKey]] = field(default_factory=lambda: defaultdict(list))
    meant: dict[PeerSelector, ObjectKey] = field(default_factory=dict)

    @property
    def every(self) -> set[ObjectKey]:
        """All of them."""
        near = {key for keys in self.near.values() for key in keys}
        return {*self.anywhere, *self.meant.values(), *near}


def invite(compiled: Compiled) -> Strangers:
    """Return the cluster with the strangers that tell its rules apart."""
    selectors = tuple(compiled.members)
    found = Strangers(compiled.cluster)
    there = list(compiled.cluster.namespaces)
    labels = list(_tried(s.pod_selector for s in selectors))
    spaces = _tried(
        s.namespace_selector for s in selectors if s.namespace_selector is not None
    )
    for of_space in spaces:
        name = _new_namespace(found, of_space)
        found.anywhere += [_new_pod(found, name, of_pod) for of_pod in labels]
    for name in there:
        found.near[name] += [_new_pod(found, name, of_pod) for of_pod in labels]
    for selector in selectors:
        wanted = _satisfying(selector.pod_selector)
        place = _place(found, selector)
        if wanted is not None and place is not None:
            found.meant[selector] = _new_pod(found, place, wanted)
    return found


def _place(found: Strangers, selector: PeerSelector) -> str | None:
    """Return a namespace that a peer means, a new one if it can be."""
    if selector.namespace_selector is None:
        return selector.namespace
    wanted = _satisfying(selector.namespace_selector)
    if wanted is None:
        return None
    name = wanted.get(METADATA_NAME)
    there = found.cluster.namespaces.get(name or "")
    if there is None:
        return _new_namespace(found, wanted)
    meant = selects(selector.namespace_selector, there.labels)
    return there.name if meant and there.declared else None


def _new_namespace(found: Strangers, labels: Labels) -> str:
    known = found.cluster.namespaces
    free = (name for n in count() if (name := f"new-{n}") not in known)
    name = labels.get(METADATA_NAME) or next(free)
    space = Namespace(name, {**labels, METADATA_NAME: name})
    found.cluster = replace(found.cluster, namespaces={**known, name: space})
    return name


def _new_pod(found: Strangers, namespace: str, labels: Labels) -> ObjectKey:
    pods = found.cluster.pods
    if not isinstance(pods, _Guests):
        pods = _Guests(pods)
        found.cluster = replace(found.cluster, pods=pods)
    return pods.admit(namespace, labels)


class _Guests(dict[ObjectKey, Pod]):
    """Pods by their names, with room for more."""

    def __init__(self, pods: Mapping[ObjectKey, Pod]) -> None:
        super().__init__(pods)
        self._numbers = count()

    def admit(self, namespace: str, labels: Labels) -> ObjectKey:
        """Add a pod under a name that nobody has."""
        keys = (ObjectKey(namespace, f"stranger-{n}") for n in self._numbers)
        key = next(key for key in keys if key not in self)
        self[key] = Pod(key, labels)
        return key


def _tried(selectors: Iterable[LabelSelector]) -> Iterator[Labels]:
    """Yield no labels, then each label that some selector refuses, once."""
    yield {}
    refused: dict[tuple[str, str], None] = {}
    for selector in selectors:
        for need in selector.requirements:
            if need.operator in _REFUSING and need.key != METADATA_NAME:
                for value in sorted(need.values) or [_ANY_VALUE]:
                    refused[need.key, value] = None
    for key, value in refused:
        yield {key: value}


def _satisfying(selector: LabelSelector) -> Labels | None:
    """Return the fewest labels that a selector selects, None where none can be."""
    needs: dict[str, list[Requirement]] = defaultdict(list)
    for need in selector.requirements:
        needs[need.key].append(need)
    labels: dict[str, str] = {}
    for key, of_key in needs.items():
        named = sorted({value for need in of_key for value in need.values})
        tried: list[Labels] = [{}, *({key: v} for v in (*named, _ANY_VALUE))]
        fit = (one for one in tried if all(requirement_holds(n, one) for n in of_key))
        first = next(fit, None)
        if first is None:
            return None
        labels.update(first)
    return labels
