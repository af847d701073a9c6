"""Address ranges cut where policies or objects can tell addresses apart."""

from __future__ import annotations

from collections.abc import Iterator

from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress, IPNetwork


def policy_blocks(cluster: Cluster) -> Iterator[IPNetwork]:
    """Yield every cidr and except that some policy names."""
    for policy in cluster.policies.values():
        for rule in (*policy.ingress, *policy.egress):
            for peer in rule.peers or ():
                if peer.ip_block is not None:
                    yield peer.ip_block.cidr
                    yield from peer.ip_block.except_


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
