"""Address ranges cut where policies or objects can tell addresses apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress, IPNetwork
from ringfence.model.netpol import IPBlock


def policy_blocks(cluster: Cluster) -> Iterator[IPNetwork]:
    """Yield every cidr and except that some policy names."""
    for block in _ip_blocks(cluster):
        yield block.cidr
        yield from block.except_


def numbered_blocks(cluster: Cluster) -> dict[IPNetwork, int]:
    """Return every cidr and except that some policy names, with a number.

    Holes of just the same ipBlocks share one: addresses in either are alike.
    """
    cidrs: set[IPNetwork] = set()
    holes: dict[IPNetwork, list[int]] = defaultdict(list)
    for number, block in enumerate(_ip_blocks(cluster)):
        cidrs.add(block.cidr)
        for hole in block.except_:
            holes[hole].append(number)
    numbered = {cidr: number for number, cidr in enumerate(cidrs)}
    shared: dict[tuple[int, ...], int] = {}
    for hole, cut_from in holes.items():
        if hole not in cidrs:
            fresh = len(cidrs) + len(shared)
            numbered[hole] = shared.setdefault(tuple(cut_from), fresh)
    return numbered


def _ip_blocks(cluster: Cluster) -> Iterator[IPBlock]:
    for policy in cluster.policies.values():
        for rule in (*policy.ingress, *policy.egress):
            for peer in rule.peers or ():
                if peer.ip_block is not None:
                    yield peer.ip_block


def representatives(cluster: Cluster, network: IPNetwork) -> list[IPAddress]:
    """Return one address of each part of a network that verdicts can tell apart.

    Sorted; the parts are cut at the policies' blocks and at single addresses of
    pods and nodes.
    """
    version = network.version
    low, high = int(network.network_address), int(network.broadcast_address)
    cuts = {low}
    for block in policy_blocks(cluster):
        if block.version == version:
            cuts.update((int(block.network_address), int(block.broadcast_address) + 1))
    owned = [pod.addresses for pod in cluster.pods.values()]
    owned += [node.addresses for node in cluster.nodes.values()]
    for addresses in owned:
        for address in addresses:
            if address.version == version:
                cuts.update((int(address), int(address) + 1))
    kind = type(network.network_address)
    return [kind(cut) for cut in sorted(cuts) if low <= cut <= high]
