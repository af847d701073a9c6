"""A cluster completed to what a lab can build: every pod placed and addressed.

What manifests leave open is decided here, once, so that prediction, ruleset and
packets speak of the same facts. Pure: values in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
)
from itertools import cycle

from ringfence.engine.allpairs.blocks import policy_blocks
from ringfence.errors import InputError, Problem
from ringfence.lab.addressing import (
    NODE_POOLS,
    POD_POOLS,
    free_addresses,
    internet_address,
    usable,
)
from ringfence.lab.plan import OUTSIDE, Bridge, Cni, Plan, Site, SiteKind
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    InternetEnd,
    IPAddress,
    IPNetwork,
    NodeEnd,
    PodEnd,
)
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import METADATA_NAME, Node, Pod

_IPV4 = 4


@dataclass(frozen=True, slots=True)
class Topology:
    """A completed cluster and the plan of its lab.

    ``cluster`` leaves nothing undecided: namespaces are declared, live pods have
    a node and addresses, ports are known. ``internet`` has at most one
    address a family: none where blocks narrower than /0 cover the whole family.
    """

    cluster: Cluster
    plan: Plan
    internet: tuple[IPAddress, ...]

    def locate(self, end: End) -> tuple[Site, tuple[IPAddress, ...]]:
        """Return where an end of a flow is, and its addresses."""
        match end:
            case PodEnd(key, address):
                site = pod_site(self.cluster.pods[key])
            case NodeEnd(name, address):
                site = Site(SiteKind.NODE, name)
            case AddressEnd(address):
                site = OUTSIDE
            case InternetEnd():
                return OUTSIDE, self.internet
        held = self.plan.sites[site]
        return site, held if address is None else (address,)


def pod_site(pod: Pod) -> Site:
    """Return the site of a pod that has been placed."""
    if pod.host_network:
        return Site(SiteKind.NODE, pod.node or "")
    return Site(SiteKind.POD, str(pod.key))


def plan_topology(
    cluster: Cluster,
    *,
    outside: Iterable[IPAddress] = (),
    internet: bool = True,
    nodes: int = 1,
    cni: Cni = Cni.ROUTED,
) -> Topology:
    """Complete a cluster and plan its lab, with at least so many nodes.

    ``outside`` are addresses that hosts outside shall have; those that pods or
    nodes have stay theirs. Raises InputError for addresses that no host can
    have or that two hosts claim.
    """
    outside = tuple(outside)
    blocks = tuple(policy_blocks(cluster))
    families = _families(cluster, blocks, outside)
    placed = _place(cluster, nodes)
    addressed = _address(placed, outside, blocks, families)
    owned = _owned(addressed)
    strangers = {a for a in outside if a not in owned}
    public: tuple[IPAddress, ...] = ()
    if internet:
        taken = owned | strangers
        found = (internet_address(family, blocks, taken) for family in families)
        public = tuple(address for address in found if address is not None)
    plan = _plan(addressed, (*sorted(strangers, key=_order), *public), cni)
    _check(plan)
    return Topology(_decide(addressed), plan, public)


def _order(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)


def _families(
    cluster: Cluster, blocks: Iterable[IPNetwork], outside: Iterable[IPAddress]
) -> tuple[int, ...]:
    """Return the lab's IP versions: those of given addresses, else 4 and any named."""
    given = {address.version for address in _owned(cluster)}
    named = {block.version for block in blocks} | {a.version for a in outside}
    return tuple(sorted(given or {4} | named))


def _owned(cluster: Cluster) -> set[IPAddress]:
    live = (pod for pod in cluster.pods.values() if not pod.finished)
    pods = {address for pod in live for address in pod.addresses}
    return pods | {a for node in cluster.nodes.values() for a in node.addresses}


def _place(cluster: Cluster, least: int) -> Cluster:
    """Give every live pod a node, spreading those that name none."""
    nodes = dict(cluster.nodes)
    for pod in cluster.pods.values():
        if pod.node is not None and not pod.finished:
            nodes.setdefault(pod.node, Node(pod.node, {}))
    numbers = iter(range(1, least + len(nodes) + 1))
    while len(nodes) < least:
        name = f"node-{next(numbers)}"
        nodes.setdefault(name, Node(name, {}))
    turn = cycle(sorted(nodes))
    nth: Counter[tuple[str, str]] = Counter()
    pods = dict(cluster.pods)
    for key in sorted(pods):
        pod = pods[key]
        if pod.finished or pod.node is not None:
            continue
        pods[key] = replace(pod, node=_choose(pod, nodes, nth) or next(turn))
    return replace(cluster, nodes=nodes, pods=pods)


def _choose(
    pod: Pod, nodes: Mapping[str, Node], nth: Counter[tuple[str, str]]
) -> str | None:
    """Return the node that a pod must be on: its address's, or a DaemonSet's next."""
    if pod.host_network:
        for node in nodes.values():
            if set(pod.addresses) & set(node.addresses):
                return node.name
    if pod.owner is not None and pod.owner.kind == "DaemonSet":
        daemon = (pod.key.namespace, pod.owner.name)
        nth[daemon] += 1
        return sorted(nodes)[(nth[daemon] - 1) % len(nodes)]
    return None


def _address(
    cluster: Cluster,
    outside: Iterable[IPAddress],
    blocks: Collection[IPNetwork],
    families: Iterable[int],
) -> Cluster:
    """Give every node and live pod its addresses, keeping those that are given."""
    taken = _owned(cluster) | set(outside)
    taken |= {ip for svc in cluster.services.values() for ip in svc.cluster_ips}
    node_pools = [free_addresses(f, NODE_POOLS, blocks, taken) for f in families]
    nodes = {}
    for name in sorted(cluster.nodes):
        node = cluster.nodes[name]
        given = node.addresses or _host_addresses(cluster, name)
        nodes[name] = replace(node, addresses=given or _next(node_pools))
    pod_pools = [free_addresses(f, POD_POOLS, blocks, taken) for f in families]
    pods = dict(cluster.pods)
    for key in sorted(pods):
        pod = pods[key]
        if pod.finished:
            continue
        if pod.host_network:
            held = nodes[pod.node or ""].addresses
            pods[key] = replace(pod, addresses=held)
        elif not pod.addresses:
            pods[key] = replace(pod, addresses=_next(pod_pools))
    return replace(cluster, nodes=nodes, pods=pods)


def _host_addresses(cluster: Cluster, node: str) -> tuple[IPAddress, ...]:
    """Return the addresses that hostNetwork pods give away about their node."""
    given = {
        address: None
        for pod in cluster.pods.values()
        if pod.host_network and pod.node == node and not pod.finished
        for address in pod.addresses
    }
    return tuple(given)


def _next(pools: Iterable[Iterator[IPAddress]]) -> tuple[IPAddress, ...]:
    return tuple(next(pool) for pool in pools)


def _plan(cluster: Cluster, outside: tuple[IPAddress, ...], cni: Cni) -> Plan:
    sites = {
        Site(SiteKind.NODE, name): node.addresses
        for name, node in sorted(cluster.nodes.items())
    }
    homes = {}
    for pod in _namespaced(cluster):
        site = pod_site(pod)
        sites[site] = pod.addresses
        homes[site] = pod.node or ""
    sites[OUTSIDE] = outside
    held = {address for addresses in sites.values() for address in addresses}
    gateways, bridged = _link_local(held), {}
    if cni is Cni.BRIDGE:
        bridged = dict(_bridges(cluster, _link_local(held.union(gateways))))
    return Plan(sites, homes, gateways, bridged)


def _link_local(held: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """Return a link-local address that nobody holds for each family that is held."""
    links: list[Iterator[IPAddress]] = [
        (IPv4Address(f"169.254.1.{n}") for n in range(1, 255)),
        (IPv6Address(f"fe80::{n:x}") for n in range(1, 255)),
    ]
    found = tuple(next(a for a in link if a not in held) for link in links)
    versions = {address.version for address in held}
    return tuple(address for address in found if address.version in versions)


def _bridges(
    cluster: Cluster, gateways: tuple[IPAddress, ...]
) -> Iterator[tuple[str, Bridge]]:
    """Yield each node's bridge; just its pods' addresses are on the link."""
    local: dict[str, list[IPAddress]] = {name: [] for name in cluster.nodes}
    for pod in _namespaced(cluster):
        local[pod.node or ""] += pod.addresses
    for name, held in sorted(local.items()):
        four = collapse_addresses(IPv4Network(a) for a in held if a.version == _IPV4)
        six = collapse_addresses(IPv6Network(a) for a in held if a.version != _IPV4)
        yield name, Bridge(gateways, (*four, *six))


def _namespaced(cluster: Cluster) -> Iterator[Pod]:
    """Yield the pods that have a network namespace of their own, sorted."""
    for _, pod in sorted(cluster.pods.items()):
        if not pod.finished and not pod.host_network:
            yield pod


def _check(plan: Plan) -> None:
    problems = []
    owners: dict[IPAddress, Site] = {}
    for site, addresses in plan.sites.items():
        for address in addresses:
            where = f"{site.kind.value} {site.name}"
            if not usable(address):
                problems.append(Problem(where, f"no host can have address {address}"))
            other = owners.setdefault(address, site)
            if other != site:
                what = f"address {address} also belongs to {other.kind.value}"
                problems.append(Problem(where, f"{what} {other.name}"))
    if problems:
        raise InputError(problems)


def _decide(cluster: Cluster) -> Cluster:
    """Say of everything unknown that it is not there: in a lab that is so."""
    namespaces = {
        name: replace(
            namespace,
            declared=True,
            labels={METADATA_NAME: name, **namespace.labels},
        )
        for name, namespace in cluster.namespaces.items()
    }
    pods: dict[ObjectKey, Pod] = {
        key: replace(pod, ports=pod.ports or ()) for key, pod in cluster.pods.items()
    }
    return replace(cluster, namespaces=namespaces, pods=pods)
