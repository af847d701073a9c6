"""Random events, and what they ought to do: computed from scratch, slowly.

What a batch changed is told from two whole compiled clusters, before and after, by
comparing each fact; none of the incremental state's code takes part.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import strategies
from ringfence.engine.following.events import Event, Kind
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import METADATA_NAME, Namespace, Node, Pod
from ringfence.ruleset.lowering.owners import claims_of

Module = Callable[[str], Any]
LABEL_SETS: tuple[dict[str, str], ...] = (
    {},
    {"app": "web"},
    {"app": "db"},
    {"app": "web", "tier": "1"},
)
COLLECTIONS = {
    Kind.POLICY: "policies",
    Kind.POD: "pods",
    Kind.NAMESPACE: "namespaces",
    Kind.NODE: "nodes",
    Kind.SERVICE: "services",
}
ABSENT = {
    kind: "absent" if kind in {Kind.NAMESPACE, Kind.NODE} else ObjectKey("a", "absent")
    for kind in Kind
}


def ours(path: str) -> Any:
    """Return a module of ringfence itself, not of a copy."""
    return importlib.import_module(f"ringfence.{path}")


def random_events(random: Random, cluster: Cluster) -> list[Event]:
    """Return a batch, mostly of one; often about objects that are there."""
    return [
        random_event(random, cluster) for _ in range(random.choice((1, 1, 1, 2, 4)))
    ]


def random_event(random: Random, cluster: Cluster) -> Event:
    """Return one event: an object from another world, a removal, or a small change."""
    kind = random.choice((*Kind, Kind.POD, Kind.POD, Kind.POLICY))
    mine = getattr(cluster, COLLECTIONS[kind])
    form = random.randrange(5)
    if form == 0:
        return Event(kind, random.choice([*mine, ABSENT[kind]]))
    if form == 1 and mine:
        return Event.put(random.choice([*mine.values()]))
    if form < 4 and kind in EDITS and mine:
        return Event.put(EDITS[kind](random, random.choice([*mine.values()]), cluster))
    other = getattr(strategies.make_world(random).cluster, COLLECTIONS[kind])
    if not other:
        return Event(kind, ABSENT[kind])
    return Event.put(random.choice([*other.values()]))


def _edited_namespace(random: Random, namespace: Namespace, _: Cluster) -> Namespace:
    env = random.choice(({}, {"env": "prod"}, {"env": "dev"}))
    labels = {METADATA_NAME: namespace.name, **env}
    return replace(namespace, labels=labels, declared=random.random() < 0.7)


def _edited_pod(random: Random, pod: Pod, cluster: Cluster) -> Pod:
    other = random.choice([*strategies.make_world(random).cluster.pods.values()])
    fellow = random.choice([*cluster.pods.values()])
    return random.choice(
        (
            replace(pod, labels=random.choice(LABEL_SETS)),
            replace(pod, addresses=other.addresses),
            replace(pod, addresses=fellow.addresses),  # two claim them
            replace(pod, phase=other.phase),
            replace(pod, host_network=not pod.host_network),
            replace(pod, ports=other.ports, node=other.node),
        )
    )


def _edited_node(random: Random, node: Node, _: Cluster) -> Node:
    """Return the node with addresses that another one, or a pod, may have too."""
    pool = map(ip_address, ("10.9.0.1", "10.9.0.2", "10.0.0.1", "fd09::1"))
    return replace(node, addresses=tuple(random.sample([*pool], 2)))


EDITS: dict[Kind, Callable[[Random, Any, Cluster], Any]] = {
    Kind.POD: _edited_pod,
    Kind.NAMESPACE: _edited_namespace,
    Kind.NODE: _edited_node,
}


class Followed:
    """A state and the cluster that its events make, kept beside it as plain dicts."""

    def __init__(self, cluster: Cluster, module: Module = ours) -> None:
        self._events = module("engine.following.events")
        self._compile = module("engine.compiler").compile_cluster
        self._make = module("engine.following.state").State
        self._things: dict[Kind, dict[Any, Any]] = {
            kind: dict(getattr(cluster, name)) for kind, name in COLLECTIONS.items()
        }
        self.state = self._make(cluster)

    def cluster(self) -> Cluster:
        """Return the cluster that the events have made, in no one's words but ours."""
        kept = self._things
        declared = {n: of for n, of in kept[Kind.NAMESPACE].items() if of.declared}
        used = {
            key.namespace
            for kind in (Kind.POD, Kind.POLICY, Kind.SERVICE)
            for key in kept[kind]
        }
        unknown = {
            name: Namespace(name, {METADATA_NAME: name}, declared=False)
            for name in used - declared.keys()
        }
        return Cluster(
            {**unknown, **declared},
            dict(kept[Kind.POD]),
            dict(kept[Kind.NODE]),
            dict(kept[Kind.SERVICE]),
            {},
            dict(kept[Kind.POLICY]),
        )

    def step(self, events: list[Event]) -> list[str]:
        """Apply a batch; list everything that is not as it is from scratch."""
        before = self._compile(self.cluster())
        batch = [
            self._events.Event(self._events.Kind[e.kind.name], e.key, e.value)
            for e in events
        ]
        for event in events:
            if event.value is None:
                self._things[event.kind].pop(event.key, None)
            else:
                self._things[event.kind][event.key] = event.value
        told = facts_told(self.state.apply(batch))
        after = self._compile(self.cluster())
        right = facts_of_difference(before, after)
        wrong = [
            f"{name}: told {told[name]}, but it is {right[name]}"
            for name in right
            if told[name] != right[name]
        ]
        wrong += self.differences(after)
        if self.state.apply(batch):
            wrong.append("the same events again change something")
        return wrong

    def differences(self, right: Any = None) -> list[str]:
        """List what the state has otherwise than a compilation from scratch."""
        right = right or self._compile(self.cluster())
        mine = self.state.compiled
        names = ("cluster", "subjects", "policy_sets", "members", "families")
        wrong = [name for name in names if getattr(mine, name) != getattr(right, name)]
        if self.state.claims != claims_of(right.cluster):
            wrong.append("claims")
        if self._make(right.cluster).compiled != right:
            wrong.append("built from nothing")
        return wrong


def facts_told(changes: Any) -> dict[str, object]:
    """Return a change set in a form that has no order; each fact is told once."""
    facts: dict[str, Any] = {
        "isolation": [(c.direction, c.pod, c.old, c.new) for c in changes.isolation],
        "policy sets": [(c.old, c.new) for c in changes.policy_sets],
        "appeared": changes.appeared,
        "vanished": changes.vanished,
        "peers": [
            (
                c.selector,
                (c.gained.certain, c.gained.possible),
                (c.lost.certain, c.lost.possible),
                (c.addresses_gained, c.addresses_lost),
            )
            for c in changes.peers
        ],
        "pods": [_pods((c.old, c.new)) for c in changes.pods],
        "namespaces": [_namespaces((c.old, c.new)) for c in changes.namespaces],
        "claims": [(c.address, c.old, c.new) for c in changes.claims],
    }
    for name, listed in facts.items():
        assert len(set(listed)) == len(listed), f"{name} repeats itself"
    return {name: set(of) for name, of in facts.items()} | {
        "families": changes.families
    }


def facts_of_difference(old: Any, new: Any) -> dict[str, object]:
    """Return what is different in two compiled clusters, in the same form."""
    staying = old.members.keys() & new.members.keys()
    peers = {(peer, *_members(old, new, peer)) for peer in staying}
    return {
        "isolation": {
            (direction, pod, *ends)
            for direction in Direction
            for pod in {*old.cluster.pods, *new.cluster.pods}
            for ends in [[_policies(of, direction, pod) for of in (old, new)]]
            if ends[0] != ends[1]
        },
        "policy sets": set(_pairs(_by_name(old), _by_name(new)).values()),
        "appeared": new.members.keys() - staying,
        "vanished": old.members.keys() - staying,
        "peers": {(peer, *rest) for peer, *rest in peers if any(map(any, rest))},
        "pods": {
            _pods(pair)
            for pair in _pairs(_live(old.cluster), _live(new.cluster)).values()
            if _pods(pair)[0] != _pods(pair)[1]
        },
        "namespaces": {
            _namespaces(pair)
            for pair in _pairs(old.cluster.namespaces, new.cluster.namespaces).values()
            if _namespaces(pair)[0] != _namespaces(pair)[1]
        },
        "claims": {
            (address, before or (), after or ())
            for address, (before, after) in _pairs(
                claims_of(old.cluster), claims_of(new.cluster)
            ).items()
        },
        "families": None if old.families == new.families else new.families,
    }


def _pairs(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: (old.get(key), new.get(key))
        for key in old.keys() | new.keys()
        if old.get(key) != new.get(key)
    }


def _policies(compiled: Any, direction: Direction, pod: ObjectKey) -> Any:
    policy_set = compiled.policy_set(direction, pod)
    return policy_set.policies if policy_set else ()


def _by_name(compiled: Any) -> dict[Any, Any]:
    return {(of.direction, of.policies): of for of in compiled.policy_sets}


def _members(old: Any, new: Any, peer: Any) -> list[tuple[frozenset[Any], ...]]:
    was, now = old.members[peer], new.members[peer]
    held, holds = _addresses(old, was.certain), _addresses(new, now.certain)
    gained = (now.certain - was.certain, now.possible - was.possible)
    lost = (was.certain - now.certain, was.possible - now.possible)
    return [gained, lost, (holds - held, held - holds)]


def _addresses(compiled: Any, pods: frozenset[ObjectKey]) -> frozenset[IPAddress]:
    claims = claims_of(compiled.cluster)
    return frozenset(a for a, of in claims.items() if set(of) <= pods)


def _live(cluster: Cluster) -> dict[ObjectKey, Pod]:
    return {key: pod for key, pod in cluster.pods.items() if not pod.finished}


def _pods(ends: Iterable[Pod | None]) -> tuple[object, ...]:
    return tuple(
        of and (of.key, of.addresses, of.ports, of.node, of.host_network) for of in ends
    )


def _namespaces(ends: Iterable[Namespace | None]) -> tuple[object, ...]:
    return tuple(
        of and (of.name, of.declared, frozenset(of.labels.items())) for of in ends
    )
