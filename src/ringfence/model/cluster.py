"""An immutable snapshot of everything a verdict can depend on, and the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from ringfence.model.entry import EntryPoint
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace, Node, Pod, Service, Workload

K = TypeVar("K")
V = TypeVar("V")


def _empty() -> MappingProxyType[K, V]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Cluster:
    """Namespaces, pods, nodes, Services, workloads and policies by their keys.

    Every namespace that an object uses is present (``declared=False`` where no
    manifest declares it); workload templates without pods of their own have
    been expanded into ``pods``. No verdict depends on ``entries``, by kind and key.
    """

    namespaces: Mapping[str, Namespace] = field(default_factory=_empty)
    pods: Mapping[ObjectKey, Pod] = field(default_factory=_empty)
    nodes: Mapping[str, Node] = field(default_factory=_empty)
    services: Mapping[ObjectKey, Service] = field(default_factory=_empty)
    workloads: Mapping[tuple[str, ObjectKey], Workload] = field(default_factory=_empty)
    policies: Mapping[ObjectKey, NetworkPolicy] = field(default_factory=_empty)
    entries: Mapping[tuple[str, ObjectKey], EntryPoint] = field(default_factory=_empty)
