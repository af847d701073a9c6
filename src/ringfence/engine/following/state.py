"""A compiled cluster that follows events: only what depends on one is done again.

Pods are kept as groups that no selector can tell apart; a group knows what isolates
its pods and which peers select them. A pod that comes or goes with labels that are
known touches one group; a policy touches its namespace's groups and its own peers; a
namespace's labels touch the peers whose namespaceSelector they satisfy or stop to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import TypeVar

from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import (
    families_of,
    label_identity,
    listed_rules,
    peer_selectors,
    selectable,
    telling_addresses,
)
from ringfence.engine.following.changes import NO_CHANGES, Changes, Claimant
from ringfence.engine.following.claims import Claims
from ringfence.engine.following.difference import Difference, Now
from ringfence.engine.following.events import Event, Kind
from ringfence.engine.following.groups import Group, Place
from ringfence.engine.following.isolation import Isolation
from ringfence.engine.following.journal import Journal, PodBefore
from ringfence.engine.following.peers import Peers
from ringfence.engine.following.views import Subjects
from ringfence.errors import RingfenceBug
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import (
    Namespace,
    Node,
    Pod,
    Service,
    undeclared_namespace,
)

K = TypeVar("K")
T = TypeVar("T", Pod, Node, Service)


class State:
    """A cluster and what its policies mean, kept up to date by ``apply``.

    ``compiled``, ``cluster`` and ``claims`` are views: they read what is there now,
    cost nothing to get, and are valid until the next ``apply``. An undeclared
    namespace that no object is in is no part of the state's cluster.
    """

    def __init__(self, cluster: Cluster | None = None) -> None:
        cluster = cluster or Cluster()
        self._pods: dict[ObjectKey, Pod] = {}
        self._nodes: dict[str, Node] = {}
        self._services: dict[ObjectKey, Service] = {}
        self._policies: dict[ObjectKey, NetworkPolicy] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._places: dict[str, Place] = {}
        self._group_of: dict[ObjectKey, Group] = {}
        self._versions: Counter[int] = Counter()
        self._claimed = Claims()
        self._isolation = Isolation()
        self._peers = Peers(self._places, self._group_of)
        self._journal = Journal()
        self._cluster = Cluster(
            MappingProxyType(self._namespaces),
            MappingProxyType(self._pods),
            MappingProxyType(self._nodes),
            MappingProxyType(self._services),
            cluster.workloads,
            MappingProxyType(self._policies),
        )
        self._fill(cluster)
        empty = Compiled(
            self._cluster,
            Subjects(self._group_of),
            (),
            MappingProxyType(self._peers.members),
            (),
        )
        self._compiled = self._view(empty)
        self._settle()

    @property
    def cluster(self) -> Cluster:
        """The cluster as the events have made it; workloads as they were given."""
        return self._cluster

    @property
    def compiled(self) -> Compiled:
        """What ``compile_cluster(state.cluster)`` returns."""
        return self._compiled

    @property
    def claims(self) -> Mapping[IPAddress, tuple[Claimant, ...]]:
        """The live pods and nodes that claim each address, sorted, usually one."""
        return MappingProxyType(self._claimed.of)

    def apply(self, events: Iterable[Event]) -> Changes:
        """Take a batch of events and return what is different after it.

        Of several events for one object the last one counts. All of a batch happens
        at once: what it undoes itself is no change.
        """
        for event in {(event.kind, event.key): event for event in events}.values():
            self._take(event)
        before = self._compiled.families
        families = self._families()
        if not self._journal and not self._claimed.before and families == before:
            return NO_CHANGES
        if self._journal.sets or families != before:
            self._compiled = self._view(self._compiled)
        changes = Difference(
            self._journal,
            Now(self._pods, self._group_of, self._namespaces, self._claimed),
        ).changes(
            self._isolation.touched(self._journal),
            None if families == before else families,
        )
        self._settle()
        return changes

    def _settle(self) -> None:
        """Forget what was before: it would keep alive what is gone."""
        self._peers.sweep(self._journal)
        self._journal = Journal()
        self._claimed.settle()

    def _view(self, before: Compiled) -> Compiled:
        sets = before.policy_sets
        if self._journal.sets:
            sets = tuple(shared.value for shared in self._isolation.order)
        return replace(before, policy_sets=sets, families=self._families())

    def _families(self) -> tuple[int, ...]:
        return families_of(of for of, count in self._versions.items() if count)

    def _fill(self, cluster: Cluster) -> None:
        """Build from nothing: policies before pods, so that a group is made once."""
        for namespace in cluster.namespaces.values():
            self._namespace(namespace.name, namespace)
        for _, key in cluster.workloads:
            self._enter(key.namespace)
        for policy in cluster.policies.values():
            self._policy(policy.key, policy)
        for service in cluster.services.values():
            self._service(service.key, service)
        for node in cluster.nodes.values():
            self._node(node.name, node)
        nothing = PodBefore(None, None)
        for pod in cluster.pods.values():
            self._put(pod.key, self._enter(pod.key.namespace), nothing, pod)

    def _take(self, event: Event) -> None:
        match event:
            case Event(Kind.POD, ObjectKey() as key, (Pod() | None) as pod):
                self._pod(key, pod)
            case Event(Kind.POLICY, ObjectKey() as key, (NetworkPolicy() | None) as of):
                self._policy(key, of)
            case Event(Kind.SERVICE, ObjectKey() as key, (Service() | None) as of):
                self._service(key, of)
            case Event(Kind.NAMESPACE, str(name), (Namespace() | None) as namespace):
                self._namespace(name, namespace)
            case Event(Kind.NODE, str(name), (Node() | None) as node):
                self._node(name, node)
            case _:
                raise RingfenceBug(f"{event} has parts that do not fit")

    def _pod(self, key: ObjectKey, new: Pod | None) -> None:
        old = self._pods.get(key)
        if old == new:
            return
        before = PodBefore(old, self._group_of.get(key))
        self._journal.pods[key] = before
        place = self._places[key.namespace] if old else self._enter(key.namespace)
        self._put(key, place, before, new)
        if new is None:
            self._leave(place)

    def _put(
        self, key: ObjectKey, place: Place, before: PodBefore, new: Pod | None
    ) -> None:
        self._move(key, before.group, self._group(place, new))
        self._claimed.change_pod(before.pod, new)
        self._replace(self._pods, key, new)

    def _move(self, pod: ObjectKey, old: Group | None, new: Group | None) -> None:
        if old is new:
            return
        if new is None:
            del self._group_of[pod]
        else:
            new.pods.add(pod)
            self._group_of[pod] = new
        if old is not None:
            old.pods.discard(pod)
            if not old.pods:
                del old.place.groups[label_identity(old.labels)]
                self._isolation.leave(old, self._journal)
                self._peers.leave(old)

    def _group(self, place: Place, pod: Pod | None) -> Group | None:
        """Return the group that a pod belongs to, made where it is the first one."""
        if pod is None or not selectable(pod):
            return None
        identity = label_identity(pod.labels)
        group = place.groups.get(identity)
        if group is None:
            group = place.groups[identity] = Group(place, pod.labels)
            self._isolation.enter(group, self._journal)
            self._peers.enter(group)
        return group

    def _policy(self, key: ObjectKey, new: NetworkPolicy | None) -> None:
        old = self._policies.get(key)
        if old == new:
            return
        rules = {} if new is None else listed_rules(new)
        place = self._places[key.namespace] if old else self._enter(key.namespace)
        outdated = self._isolation.change(place, (old, new), rules, self._journal)
        for selector in peer_selectors(chain(*rules.values())):
            self._peers.use(selector, self._journal)
        for selector in peer_selectors(chain(*outdated)):
            self._peers.release(selector, self._journal)
        if new is None:
            del self._policies[key]
            self._leave(place)
        else:
            self._policies[key] = new

    def _service(self, key: ObjectKey, new: Service | None) -> None:
        old = self._services.get(key)
        if old == new:
            return
        place = self._places[key.namespace] if old else self._enter(key.namespace)
        self._replace(self._services, key, new)
        if new is None:
            self._leave(place)

    def _node(self, name: str, new: Node | None) -> None:
        old = self._nodes.get(name)
        if old == new:
            return
        self._claimed.change_node(
            () if old is None else old.addresses, () if new is None else new.addresses
        )
        self._replace(self._nodes, name, new)

    def _replace(self, things: dict[K, T], key: K, new: T | None) -> None:
        """Put or remove an object whose addresses show IP versions."""
        old = things.get(key)
        if old is not None:
            for address in telling_addresses(old):
                self._versions[address.version] -= 1
        if new is None:
            del things[key]
            return
        for address in telling_addresses(new):
            self._versions[address.version] += 1
        things[key] = new

    def _namespace(self, name: str, value: Namespace | None) -> None:
        place = self._places.get(name)
        if value is None or not value.declared:
            value = undeclared_namespace(name) if place and place.uses else None
        if place is None:
            if value is not None:
                self._open(value)
        elif value is None:
            self._close(place)
        elif value != place.namespace:
            self._journal.namespaces.setdefault(name, place.namespace)
            place.namespace = self._namespaces[name] = value
            self._peers.relabel(place, self._journal)

    def _enter(self, name: str) -> Place:
        """Count one more object in a namespace, which may be new."""
        place = self._places.get(name) or self._open(undeclared_namespace(name))
        place.uses += 1
        return place

    def _leave(self, place: Place) -> None:
        place.uses -= 1
        if not place.uses and not place.namespace.declared:
            self._close(place)

    def _open(self, namespace: Namespace) -> Place:
        self._journal.namespaces.setdefault(namespace.name, None)
        self._namespaces[namespace.name] = namespace
        place = self._places[namespace.name] = Place(namespace)
        self._peers.add_place(place)
        return place

    def _close(self, place: Place) -> None:
        name = place.namespace.name
        self._journal.namespaces.setdefault(name, place.namespace)
        del self._namespaces[name], self._places[name]
        self._peers.remove_place(place)
