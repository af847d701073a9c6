"""One thing that was added, changed or removed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ringfence.errors import RingfenceBug
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace, Node, Pod, Service

Thing: TypeAlias = NetworkPolicy | Pod | Namespace | Node | Service


class Kind(Enum):
    """Kinds of objects that a verdict depends on."""

    POLICY = "NetworkPolicy"
    POD = "Pod"
    NAMESPACE = "Namespace"
    NODE = "Node"
    SERVICE = "Service"


KINDS: dict[type[Thing], Kind] = {
    NetworkPolicy: Kind.POLICY,
    Pod: Kind.POD,
    Namespace: Kind.NAMESPACE,
    Node: Kind.NODE,
    Service: Kind.SERVICE,
}
NAMED_ALONE = frozenset({Kind.NAMESPACE, Kind.NODE})
"""Kinds whose objects are in no namespace."""


@dataclass(frozen=True, slots=True)
class Event:
    """An object as it is from now on; without ``value`` it is not there any more.

    ``key`` is the name of a namespace or node, the ObjectKey of anything else.
    What was before does not matter: an event may come twice, or late, or for an
    object that is not there. Raises RingfenceBug where the parts do not fit.
    """

    kind: Kind
    key: ObjectKey | str
    value: Thing | None = None

    def __post_init__(self) -> None:
        if isinstance(self.key, str) is not (self.kind in NAMED_ALONE):
            raise RingfenceBug(f"{self.key} cannot name a {self.kind.value}")
        if self.value is not None and (
            KINDS[type(self.value)] is not self.kind or _key(self.value) != self.key
        ):
            raise RingfenceBug(f"{self.kind.value} {self.key} is not {self.value}")

    @classmethod
    def put(cls, value: Thing) -> Event:
        """Return the event that an object was added or changed."""
        return cls(KINDS[type(value)], _key(value), value)


def _key(value: Thing) -> ObjectKey | str:
    return value.name if isinstance(value, Namespace | Node) else value.key
