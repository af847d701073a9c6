"""Namespaces, pods, nodes, Services and workloads: the facts a verdict needs."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.model.flow import IPAddress, Protocol
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import NOWHERE, Labels, ObjectKey, Position

METADATA_NAME = "kubernetes.io/metadata.name"
"""The label that the API server sets on every namespace (core/v1, since 1.21)."""

FINISHED_PHASES = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; ``declared=False``: used, never declared, most labels unknown."""

    name: str
    labels: Labels
    declared: bool = True
    position: Position = NOWHERE


def undeclared_namespace(name: str) -> Namespace:
    """Return what is known of a namespace that is used and never declared."""
    return Namespace(name, {METADATA_NAME: name}, declared=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller of an object: kind and name of its first ownerReference."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A declared port of a container; ``name`` may be None."""

    number: int
    protocol: Protocol = Protocol.TCP
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, declared or standing for a replica of a workload template.

    ``addresses`` empty: unknown (files need not say). ``ports=None``: unknown,
    the manifest has no containers to look at. ``node=None``: not scheduled yet
    or not said.
    """

    key: ObjectKey
    labels: Labels
    addresses: tuple[IPAddress, ...] = ()
    ports: tuple[ContainerPort, ...] | None = ()
    node: str | None = None
    host_network: bool = False
    phase: str | None = None
    owner: Owner | None = None
    position: Position = NOWHERE

    @property
    def finished(self) -> bool:
        """Whether the pod is no endpoint any more: Succeeded or Failed."""
        return self.phase in FINISHED_PHASES


@dataclass(frozen=True, slots=True)
class Node:
    """A node; ``addresses`` are its InternalIPs (and ExternalIPs), empty: unknown."""

    name: str
    labels: Labels
    addresses: tuple[IPAddress, ...] = ()
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; ``target`` is a number or a container port's name."""

    port: int
    target: int | str
    protocol: Protocol = Protocol.TCP
    name: str | None = None
    node_port: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A Service; ``selector=None``: its endpoints are not chosen by labels."""

    key: ObjectKey
    type: str
    selector: Labels | None
    ports: tuple[ServicePort, ...] = ()
    cluster_ips: tuple[IPAddress, ...] = ()
    headless: bool = False
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class Workload:
    """A pod template and how many pods stand behind it.

    ``replicas=None``: one a node (DaemonSet). ``selector=None``: pods belong to
    it by ownerReference only (Job, CronJob).
    """

    kind: str
    key: ObjectKey
    template: Pod
    replicas: int | None = 1
    selector: LabelSelector | None = None
    owner: Owner | None = None
    position: Position = NOWHERE
