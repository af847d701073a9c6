"""Directions, protocols and the first packet of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from ringfence.model.meta import ObjectKey

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network


class Direction(Enum):
    """The two questions of a flow (``policyTypes`` of NetworkPolicySpec)."""

    INGRESS = "Ingress"
    EGRESS = "Egress"

    # Enum's own hash is a function in Python, and this is a key of every pod.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        """Render as the API writes it."""
        return self.value


class Protocol(Enum):
    """Transport protocols that a policy's port can name, and those it cannot.

    Protocols other than TCP, UDP and SCTP have no ports; an isolated pod takes
    them only by a rule without ``ports``.
    """

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"
    ICMP = "ICMP"
    OTHER = "OTHER"

    @property
    def has_ports(self) -> bool:
        """Whether a rule's ``ports`` can speak of this protocol."""
        return self in PORT_PROTOCOLS


PORT_PROTOCOLS = (Protocol.TCP, Protocol.UDP, Protocol.SCTP)


@dataclass(frozen=True, slots=True)
class PodEnd:
    """A pod as one end of a flow; ``address``, if given, fixes which of its."""

    key: ObjectKey
    address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """A node as one end of a flow; ``address``, if given, fixes which of its."""

    name: str
    address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class AddressEnd:
    """An address that belongs to no live pod and no node: a host outside."""

    address: IPAddress


@dataclass(frozen=True, slots=True)
class InternetEnd:
    """Some outside address that only a /0 block covers: ``internet``."""


End: TypeAlias = PodEnd | NodeEnd | AddressEnd | InternetEnd


@dataclass(frozen=True, slots=True)
class Flow:
    """The first packet of a connection.

    ``port`` is 0-65535, None for every port of the protocol (and for protocols
    without ports).
    """

    source: End
    destination: End
    protocol: Protocol
    port: int | None
