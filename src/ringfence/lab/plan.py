"""What a lab is made of, as values that its process can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ringfence.model.flow import IPAddress, IPNetwork, Protocol


class SiteKind(Enum):
    """What a network namespace of the lab stands for."""

    POD = "pod"
    NODE = "node"
    OUTSIDE = "outside"


class Site(NamedTuple):
    """A network namespace of the lab; hostNetwork pods are at their node's."""

    kind: SiteKind
    name: str


OUTSIDE = Site(SiteKind.OUTSIDE, "outside")
"""The one namespace that holds every outside address."""


class Cni(Enum):
    """How a node's pods are linked with it.

    ``ROUTED``: each by a link of its own, so that every packet is forwarded by IP;
    ``BRIDGE``: all are ports of one bridge, and reach each other through it.
    """

    ROUTED = "routed"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Bridge:
    """A node's bridge: its own addresses, one a family, and what is on its link.

    Pods ask for addresses of ``networks`` by ARP or neighbour discovery, for all
    others they go through a gateway.
    """

    gateways: tuple[IPAddress, ...]
    networks: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the fabric builds: sites with their addresses, and each pod's node.

    ``gateways`` are link-local addresses that no site has, one a family. A node
    without a bridge has a link for each of its pods.
    """

    sites: Mapping[Site, tuple[IPAddress, ...]]
    homes: Mapping[Site, str]
    gateways: tuple[IPAddress, ...]
    bridges: Mapping[str, Bridge] = field(default_factory=dict)

    @property
    def families(self) -> frozenset[int]:
        """The IP versions that the lab has."""
        return frozenset(gateway.version for gateway in self.gateways)

    @property
    def nodes(self) -> dict[str, tuple[IPAddress, ...]]:
        """Each node's own addresses."""
        return {
            site.name: addresses
            for site, addresses in self.sites.items()
            if site.kind is SiteKind.NODE
        }

    def has_frame_of(self, other: Plan) -> bool:
        """Whether only pods and the outside are otherwise in another plan."""
        return (self.nodes, self.gateways, self.bridges) == (
            other.nodes,
            other.gateways,
            other.bridges,
        )


class Probe(NamedTuple):
    """One connection to try, between addresses that the plan's sites have.

    ``port`` is None for ICMP, which has none.
    """

    source: IPAddress
    destination: IPAddress
    protocol: Protocol
    port: int | None = None


class Fate(Enum):
    """What became of a probe.

    ``REFUSED``: something said no, at the far end or on the way there (or there
    is no way); ``DROPPED``: silence after all that was sent has come to its end.
    """

    CONNECTED = "connected"
    REFUSED = "refused"
    DROPPED = "dropped"

    def __str__(self) -> str:
        """Render as the word itself."""
        return self.value
