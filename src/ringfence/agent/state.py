"""What the API says, as events of the engine and facts about the own node. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ringfence.engine.following.events import Event, Kind
from ringfence.errors import Problem
from ringfence.manifest.stored import MODE_ANNOTATION, Stored
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace, Node, Pod, Service
from ringfence.ruleset.enforcement import Enforcement

KINDS: Final[Mapping[str, Kind]] = {kind.value: kind for kind in Kind}
AUDITS: Final[Mapping[str, bool]] = {"audit": True, "enforce": False}

Key = ObjectKey | str

_TELLING: Final = (Kind.NAMESPACE, Kind.NODE)
"""The kinds that say how to enforce."""


class Intake:
    """Takes lists and changes of objects, gives batches of events.

    ``synced`` once every kind was listed; nothing should be programmed before.
    ``problems`` are those of the objects that are there now, by kind and key.
    """

    def __init__(self, node: str, choice: Enforcement, *, closed: bool) -> None:
        self._node = node
        self._choice = choice
        self._closed = closed
        self._missing = set(KINDS)
        self._pending: dict[tuple[Kind, Key], Event] = {}
        self._modes: dict[str, bool] = {}
        self._networks: tuple[IPNetwork, ...] = ()
        self.problems: dict[tuple[Kind, Key], tuple[Problem, ...]] = {}
        self._stated: Enforcement | None = None

    @property
    def synced(self) -> bool:
        """Whether every kind was listed."""
        return not self._missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The kinds that were not listed yet."""
        return tuple(sorted(self._missing))

    @property
    def enforcement(self) -> Enforcement:
        """How the node enforces, with what the cluster says about it."""
        if self._stated is None:
            choice, modes = self._choice, self._modes.items()
            exceptions = (name for name, audits in modes if audits != choice.audit)
            self._stated = replace(
                choice,
                exceptions=frozenset(exceptions),
                guarded=self._networks if self._closed else (),
            )
        return self._stated

    def relist(self, kind: str, objects: Iterable[Stored], cluster: Cluster) -> None:
        """Take all objects of a kind; what the cluster has besides is gone."""
        of = KINDS[kind]
        listed = {stored.key: stored for stored in objects}
        # What cannot be read may be no part of the cluster, but is told.
        noted = {key for known, key in (*self._pending, *self.problems) if known is of}
        for key in (noted | _keys(of, cluster)) - listed.keys():
            self.change(kind, key, None)
        for key, stored in listed.items():
            self.change(kind, key, stored)
        self._missing.discard(kind)

    def change(self, kind: str, key: Key, stored: Stored | None) -> None:
        """Take one object as it is from now on; None: it is gone."""
        of = KINDS[kind]
        value = stored.value if stored else None
        if isinstance(value, Pod) and not value.addresses:
            value = None  # nothing on any node is about it before it has an address
        self._pending[of, key] = Event(of, key, value)
        problems = stored.problems if stored else ()
        if of is Kind.NAMESPACE:
            problems += self._take_mode(str(key), stored.mode if stored else "")
        if of is Kind.NODE and key == self._node:
            self._networks = stored.pod_cidrs if stored else ()
        if of in _TELLING:
            self._stated = None
        if problems:
            self.problems[of, key] = problems
        else:
            self.problems.pop((of, key), None)

    def _take_mode(self, name: str, mode: str) -> tuple[Problem, ...]:
        """Take a namespace's annotation; one that nobody knows says nothing."""
        audits = AUDITS.get(mode)
        if audits is None:
            self._modes.pop(name, None)
        else:
            self._modes[name] = audits
        if audits is not None or not mode:
            return ()
        field = f"metadata.annotations[{MODE_ANNOTATION}]"
        hint = "write audit or enforce"
        return (Problem(f"Namespace {name}", f'no mode "{mode}"', field, hint),)

    def events(self) -> list[Event]:
        """Return what came since the last call, one event an object."""
        found = list(self._pending.values())
        self._pending.clear()
        return found


def cluster_of(events: Iterable[Event]) -> Cluster:
    """Return the cluster of the first lists: built at once it costs a fraction."""
    pods: dict[ObjectKey, Pod] = {}
    nodes: dict[str, Node] = {}
    services: dict[ObjectKey, Service] = {}
    policies: dict[ObjectKey, NetworkPolicy] = {}
    namespaces: dict[str, Namespace] = {}
    for event in events:
        match event.value:
            case Pod() as value:
                pods[value.key] = value
            case Node() as value:
                nodes[value.name] = value
            case Service() as value:
                services[value.key] = value
            case NetworkPolicy() as value:
                policies[value.key] = value
            case Namespace() as value:
                namespaces[value.name] = value
            case None:
                pass
    return Cluster(
        namespaces=namespaces,
        pods=pods,
        nodes=nodes,
        services=services,
        policies=policies,
    )


def _keys(kind: Kind, cluster: Cluster) -> set[Key]:
    """Return the objects of a kind that the cluster declares."""
    match kind:
        case Kind.POD:
            return set(cluster.pods)
        case Kind.POLICY:
            return set(cluster.policies)
        case Kind.SERVICE:
            return set(cluster.services)
        case Kind.NODE:
            return set(cluster.nodes)
        case Kind.NAMESPACE:
            found = cluster.namespaces.values()
            return {each.name for each in found if each.declared}
