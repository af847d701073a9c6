"""The ends of a flow as the network sees them: addresses, families, hypotheses.

A pod may have several addresses, or one that no file tells. A *connection* is
a pair of stations of one family; a flow is the set of connections it may be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import Compiled
from ringfence.errors import RingfenceBug
from ringfence.model.flow import (
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.workload import Pod

BOTH_FAMILIES = (4, 6)


class Station(NamedTuple):
    """One end of a connection.

    ``pod`` is set where policies can select or match the end, so not for
    hostNetwork pods. ``node`` is the node that the end *is* (or shares its
    address with); ``on_a_node`` with ``node=None``: some node, not known which.
    ``address=None``: unknown, or ``internet``.
    """

    pod: Pod | None
    node: str | None
    on_a_node: bool
    address: IPAddress | None
    family: int
    internet: bool = False


Connection: TypeAlias = tuple[Station, Station]


Service: TypeAlias = tuple[Protocol, int | None]
"""Protocol and destination port; None only for protocols without ports."""


class Connections(NamedTuple):
    """What a flow may be on the wire: alternatives in each of some cases.

    Within a case one passing connection is enough (the client may choose the
    family). Several cases are hypotheses about an unknown address: they have
    to agree.
    """

    cases: tuple[tuple[Connection, ...], ...]


class Sighting(NamedTuple):
    """An end before its family is fixed; no addresses: unknown."""

    pod: Pod | None
    node: str | None
    on_a_node: bool
    addresses: tuple[IPAddress, ...]
    internet: bool = False

    @property
    def families(self) -> frozenset[int] | None:
        """IP versions of the end, None where they are not known."""
        if self.internet:
            return frozenset(BOTH_FAMILIES)
        return frozenset(a.version for a in self.addresses) or None

    def stations(self, family: int) -> list[Station]:
        """List the end's stations in one family; an unknown address is one."""
        known: Iterable[IPAddress | None] = (
            a for a in self.addresses if a.version == family
        )
        if not self.addresses:
            known = (None,)
        head = (self.pod, self.node, self.on_a_node)
        return [Station(*head, address, family, self.internet) for address in known]


def connections(compiled: Compiled, flow: Flow) -> Connections:
    """Return the connections that a flow may be; an empty case can never pass.

    Raises RingfenceBug for an end that the cluster does not hold.
    """
    source = sighting(compiled, flow.source)
    destination = sighting(compiled, flow.destination)
    if source.families is None or destination.families is None:
        known = source.families or destination.families
        if known is None or source.internet or destination.internet:
            known = frozenset(compiled.families)
        cases = [_pairs(source, destination, (family,)) for family in sorted(known)]
        if source.internet or destination.internet:
            return Connections((tuple(pair for case in cases for pair in case),))
        return Connections(tuple(cases))
    return Connections((_pairs(source, destination, BOTH_FAMILIES),))


def _pairs(
    source: Sighting, destination: Sighting, families: Iterable[int]
) -> tuple[Connection, ...]:
    return tuple(
        (one, other)
        for family in families
        for one in source.stations(family)
        for other in destination.stations(family)
    )


def sighting(compiled: Compiled, end: End) -> Sighting:
    """Return an end before its family is fixed.

    Raises RingfenceBug for an end that the cluster does not hold.
    """
    match end:
        case PodEnd(key, address):
            pod = compiled.cluster.pods.get(key)
            if pod is None or pod.finished:
                raise RingfenceBug(f"{key} is no endpoint of this cluster")
            return _pod_sighting(compiled, pod, address)
        case NodeEnd(name, address):
            node = compiled.cluster.nodes.get(name)
            if node is None:
                raise RingfenceBug(f"node {name} is not in this cluster")
            fixed = (address,) if address is not None else node.addresses
            return Sighting(None, name, True, fixed)
        case AddressEnd(address):
            return Sighting(None, None, False, (address,))
        case InternetEnd():
            return Sighting(None, None, False, (), internet=True)


def _pod_sighting(compiled: Compiled, pod: Pod, address: IPAddress | None) -> Sighting:
    addresses = (address,) if address is not None else pod.addresses
    if not pod.host_network:
        return Sighting(pod, None, False, addresses)
    node = compiled.cluster.nodes.get(pod.node or "")
    if not addresses and node is not None:
        addresses = node.addresses
    return Sighting(None, pod.node, True, addresses)
