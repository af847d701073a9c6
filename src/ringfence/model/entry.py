"""Entry points: what asks for connections from outside to be let in to a Service.

They change no verdict: who may reach a pod hangs on policies alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.model.meta import ObjectKey


@dataclass(frozen=True, slots=True)
class Way:
    """One backend of an entry point, and what is asked for to get there.

    ``host`` and ``path`` are empty where every one is meant; ``service=None``: the
    backend is something else. ``port`` is a number or name of the Service's ports,
    None where none is written.
    """

    host: str
    path: str
    service: ObjectKey | None
    port: int | str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """A Gateway that a route asks to be attached to; unsaid parts mean every one."""

    gateway: ObjectKey
    listener: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A port where a Gateway takes connections; an empty ``host`` means every one."""

    name: str
    host: str
    port: int | None
    protocol: str


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An Ingress (networking.k8s.io), a Gateway, or a route of the Gateway API.

    Ingresses and routes have ``ways``, routes ``parents``, Gateways ``listeners``.
    """

    kind: str
    key: ObjectKey
    ways: tuple[Way, ...] = ()
    parents: tuple[Parent, ...] = ()
    listeners: tuple[Listener, ...] = ()
