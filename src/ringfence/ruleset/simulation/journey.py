"""A flow's way through the nodes' tables, routed as a cluster routes it.

Only the forward hook filters: a pod's packet passes it on the pod's node, and
once more on the destination's node if that is another one. Packets between a
node and its own pods, and those of node processes, never see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

from ringfence.engine.allpairs.blocks import policy_blocks, representatives
from ringfence.errors import RingfenceBug
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    NodeEnd,
    PodEnd,
)
from ringfence.model.verdict import Outcome
from ringfence.model.workload import Pod
from ringfence.ruleset.ir import Final, Table
from ringfence.ruleset.render import render_rule
from ringfence.ruleset.simulation.interpret import Machine, Packet, Walk

OUTSIDE = {
    4: tuple(map(ip_network, ("203.0.113.0/24", "0.0.0.0/0"))),
    6: tuple(map(ip_network, ("2001:db8::/32", "::/0"))),
}
"""Where to look for an address for ``internet``: documentation ranges first."""


class Hop(NamedTuple):
    """A node that forwards the packet, and what its table does to it."""

    node: str
    walk: Walk


@dataclass(frozen=True, slots=True)
class Journey:
    """What the tables make of a flow, shown on one packet.

    ``packet=None``: no packet can be made, ``reason`` says why. No hops: no
    node forwards the packet, so nothing filters it.
    """

    outcome: Outcome
    packet: Packet | None
    hops: tuple[Hop, ...] = ()
    reason: str = ""

    def story(self) -> tuple[str, ...]:
        """Tell the way in lines: nodes, the rules that matched, the verdict."""
        if self.packet is None:
            return (f"{self.outcome}: {self.reason}",)
        lines = [f"{self.packet}"]
        for node, walk in self.hops:
            lines.append(f"  node {node}: {walk.verdict.value}")
            lines += [f"    {chain}: {render_rule(rule)}" for chain, rule in walk.steps]
        if not self.hops:
            lines.append("  no node forwards it: nothing filters it")
        return (*lines, f"{self.outcome}")


class _Place(NamedTuple):
    """Where an end stands: ``node`` None outside; ``behind`` the node's forward hook.

    ``addresses`` None: the end has one, but nothing tells which.
    """

    node: str | None
    behind: bool
    addresses: tuple[IPAddress, ...] | None


class Wire:
    """The tables of a cluster's nodes, and the routes between its ends."""

    def __init__(self, tables: Mapping[str, Table], cluster: Cluster) -> None:
        self._machines = {node: Machine(table) for node, table in tables.items()}
        self._cluster = cluster
        self._internet = tuple(_internet_addresses(cluster))

    def carry(self, flow: Flow) -> Journey:
        """Return what becomes of a flow's first packet.

        As for the engine, some pair of addresses of one family has to pass.
        ``flow.port`` None only for protocols without ports. Raises RingfenceBug
        for an end or a node that is not there.
        """
        if flow.port is None and flow.protocol.has_ports:
            raise RingfenceBug("a packet has one destination port")
        source, destination = self._place(flow.source), self._place(flow.destination)
        if source.addresses is None or destination.addresses is None:
            reason = "an end's address is not known"
            return Journey(Outcome.UNDECIDED, None, reason=reason)
        denied: Journey | None = None
        for one in source.addresses:
            for other in destination.addresses:
                if one.version != other.version:
                    continue
                packet = Packet(one, other, flow.protocol, flow.port)
                journey = self._forward(source, destination, packet)
                if journey.outcome is Outcome.ALLOW:
                    return journey
                denied = denied or journey
        reason = "the ends have no address of the same family"
        return denied or Journey(Outcome.DENY, None, reason=reason)

    def _forward(self, source: _Place, destination: _Place, packet: Packet) -> Journey:
        hops: list[Hop] = []
        for node in _route(source, destination):
            walk = self._machines[node].walk(packet)
            hops.append(Hop(node, walk))
            if walk.verdict is not Final.ACCEPT:
                return Journey(Outcome.DENY, packet, tuple(hops))
        return Journey(Outcome.ALLOW, packet, tuple(hops))

    def _place(self, end: End) -> _Place:
        match end:
            case PodEnd(key, address):
                pod = self._cluster.pods.get(key)
                if pod is None or pod.finished:
                    raise RingfenceBug(f"{key} is no endpoint of this cluster")
                return self._pod_place(pod, address)
            case NodeEnd(name, address):
                node = self._cluster.nodes.get(name)
                known = _chosen(address, node.addresses if node else ())
                return _Place(name, behind=False, addresses=known)
            case AddressEnd(address):
                return _Place(None, behind=False, addresses=(address,))
            case InternetEnd():
                return _Place(None, behind=False, addresses=self._internet)

    def _pod_place(self, pod: Pod, address: IPAddress | None) -> _Place:
        node = self._node_of(pod)
        addresses = pod.addresses
        if pod.host_network and not addresses and node in self._cluster.nodes:
            addresses = self._cluster.nodes[node].addresses
        known = _chosen(address, addresses)
        return _Place(node, behind=not pod.host_network, addresses=known)

    def _node_of(self, pod: Pod) -> str:
        """Return the pod's node; a pod that names none is on the only one."""
        node = pod.node
        if node is None and len(self._machines) == 1:
            (node,) = self._machines
        if node is None or node not in self._machines:
            raise RingfenceBug(f"no table for the node of pod {pod.key}")
        return node


def _chosen(
    address: IPAddress | None, addresses: tuple[IPAddress, ...]
) -> tuple[IPAddress, ...] | None:
    return (address,) if address is not None else addresses or None


def _route(source: _Place, destination: _Place) -> tuple[str, ...]:
    """Return the nodes whose forward hook the packet passes, in order."""
    at_source = (source.node,) if source.behind and source.node else ()
    at_end = (destination.node,) if destination.behind and destination.node else ()
    if source.node == destination.node:
        # Inside one node only pod to pod is forwarded, and once.
        return at_source if source.behind and destination.behind else ()
    return at_source + at_end


def _internet_addresses(cluster: Cluster) -> Iterator[IPAddress]:
    """Yield an address a family that no block but a /0 covers and nobody has."""
    owned = {a for pod in cluster.pods.values() for a in pod.addresses}
    owned |= {a for node in cluster.nodes.values() for a in node.addresses}
    narrow = [block for block in policy_blocks(cluster) if block.prefixlen > 0]
    for places in OUTSIDE.values():
        for address in (a for place in places for a in representatives(cluster, place)):
            if address not in owned and not any(address in block for block in narrow):
                yield address
                break
