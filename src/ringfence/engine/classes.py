"""Pods and outside addresses that no policy of this cluster can tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import collapse_addresses, ip_address, summarize_address_range

from ringfence.engine.blocks import policy_blocks
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress, IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod

WIDTH = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class Outside:
    """Outside addresses under exactly the same blocks; ``address`` stands for them."""

    networks: tuple[IPNetwork, ...]
    address: IPAddress


def pod_classes(compiled: Compiled) -> tuple[tuple[ObjectKey, ...], ...]:
    """Return the classes of live pods, each sorted, in order of their first pods.

    Exact: two pods of a class have the same verdict with any third end, and any
    two different pods of a class the same verdict with one another.
    """
    cluster = compiled.cluster
    blocks = sorted(set(policy_blocks(cluster)), key=str)
    live = [pod for pod in cluster.pods.values() if not pod.finished]
    nodes_matter = any(pod.host_network for pod in live)
    classes: dict[object, list[ObjectKey]] = defaultdict(list)
    for pod in sorted(live, key=lambda pod: pod.key):
        identity = (
            pod.key.namespace,
            frozenset(pod.labels.items()),
            pod.ports,
            pod.host_network,
            pod.node if nodes_matter else None,
            _address_identity(cluster, pod, blocks),
        )
        classes[identity].append(pod.key)
    return tuple(map(tuple, classes.values()))


def _address_identity(
    cluster: Cluster, pod: Pod, blocks: list[IPNetwork]
) -> frozenset[tuple[int, frozenset[int]]]:
    addresses = pod.addresses
    node = cluster.nodes.get(pod.node or "")
    if pod.host_network and not addresses and node is not None:
        addresses = node.addresses
    return frozenset(
        (address.version, _under(address, blocks)) for address in addresses
    )


def _under(address: IPAddress, blocks: Iterable[IPNetwork]) -> frozenset[int]:
    return frozenset(i for i, block in enumerate(blocks) if address in block)


def outside_classes(compiled: Compiled) -> tuple[Outside, ...]:
    """Return the outside world, split where blocks of the policies split it.

    Only IP versions that the cluster can have; sorted by first network.
    """
    found: list[Outside] = []
    blocks = set(policy_blocks(compiled.cluster))
    for family in compiled.families:
        of_family = sorted((b for b in blocks if b.version == family), key=str)
        parts = _parts(family, of_family)
        found.extend(_outside(family, ranges) for ranges in parts.values())
    return tuple(sorted(found, key=lambda o: (o.address.version, o.networks[0])))


def _parts(
    family: int, blocks: list[IPNetwork]
) -> Mapping[frozenset[int], list[tuple[int, int]]]:
    """Return the address ranges (inclusive) under each set of blocks."""
    end = 1 << WIDTH[family]
    edges: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for index, block in enumerate(blocks):
        edges[int(block.network_address)].append((index, True))
        edges[int(block.broadcast_address) + 1].append((index, False))
    parts: dict[frozenset[int], list[tuple[int, int]]] = defaultdict(list)
    inside: set[int] = set()
    cuts = sorted({0, *edges} - {end})
    for low, following in zip(cuts, [*cuts[1:], end], strict=True):
        for index, enters in edges.get(low, ()):
            (inside.add if enters else inside.discard)(index)
        parts[frozenset(inside)].append((low, following - 1))
    return parts


def _outside(family: int, ranges: list[tuple[int, int]]) -> Outside:
    networks = [
        network
        for low, high in ranges
        for network in summarize_address_range(
            _address(low, family), _address(high, family)
        )
    ]
    # Not the first address of the range: 0.0.0.0 is nobody's.
    low, high = ranges[-1]
    return Outside(tuple(networks), _address((low + high) // 2, family))


def _address(number: int, family: int) -> IPAddress:
    return ip_address(number.to_bytes(WIDTH[family] // 8, "big"))


def joined(outside: Iterable[Outside]) -> tuple[IPNetwork, ...]:
    """Return the minimal networks of several outside classes, IPv4 first."""
    networks = [network for one in outside for network in one.networks]
    four = collapse_addresses(n for n in networks if n.version == 4)  # noqa: PLR2004
    six = collapse_addresses(n for n in networks if n.version == 6)  # noqa: PLR2004
    return (*four, *six)
