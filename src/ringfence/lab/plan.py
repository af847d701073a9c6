"""What a lab is made of, as values that its process can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ringfence.model.flow import IPAddress, Protocol


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What the fabric builds: sites with their addresses, and each pod's node.

    ``gateways`` are link-local addresses that no site has, one a family.
    """

    sites: Mapping[Site, tuple[IPAddress, ...]]
    homes: Mapping[Site, str]
    gateways: tuple[IPAddress, ...]

    @property
    def families(self) -> frozenset[int]:
        """The IP versions that the lab has."""
        return frozenset(gateway.version for gateway in self.gateways)


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
