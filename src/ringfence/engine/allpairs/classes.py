"""Pods and outside addresses that no policy of this cluster can tell apart."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from ringfence.engine.allpairs.atoms import Ports
from ringfence.engine.allpairs.blocks import numbered_blocks
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress, IPNetwork
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.workload import Pod

T = TypeVar("T")

WIDTH = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class Outside:
    """Outside addresses under exactly the same blocks; ``address`` stands for them."""

    networks: tuple[IPNetwork, ...]
    address: IPAddress


def pod_classes(
    compiled: Compiled, cuts: Cuts | None = None
) -> tuple[tuple[ObjectKey, ...], ...]:
    """Return the classes of live pods, each sorted, in order of their first pods.

    Exact: two pods of a class have the same verdict with any third end, and any
    two different pods of a class the same verdict with one another. ``cuts`` are
    those of the cluster, for callers that have them.
    """
    cluster = compiled.cluster
    stretches = address_cuts(cluster) if cuts is None else cuts
    live = [pod for pod in cluster.pods.values() if not pod.finished]
    nodes_matter = any(pod.host_network for pod in live)
    labels: _Numbers[Labels] = _Numbers(lambda labels: frozenset(labels.items()))
    ports: _Numbers[Ports] = _Numbers(lambda ports: ports)
    classes: dict[object, list[ObjectKey]] = defaultdict(list)
    for pod in live:
        identity = (
            pod.key.namespace,
            labels.of(pod.labels),
            ports.of(pod.ports),
            pod.host_network,
            pod.node if nodes_matter else None,
            _address_identity(cluster, pod, stretches),
        )
        classes[identity].append(pod.key)
    return tuple(sorted(tuple(sorted(of_class)) for of_class in classes.values()))


class _Numbers(Generic[T]):
    """Numbers of things, equal where their values are; all things have to stay.

    A thing that is met again is not looked into: many pods share theirs.
    """

    def __init__(self, value: Callable[[T], Hashable]) -> None:
        self._value = value
        self._by_id: dict[int, int] = {}
        self._by_value: dict[Hashable, int] = {}

    def of(self, thing: T) -> int:
        """Return the number of a thing."""
        number = self._by_id.get(id(thing))
        if number is None:
            fresh = len(self._by_value)
            number = self._by_value.setdefault(self._value(thing), fresh)
            self._by_id[id(thing)] = number
        return number


Covering: TypeAlias = frozenset[tuple[int, frozenset[int]]]
"""An IP version and the blocks of it that cover an address, for each of some."""


class _Stretches(NamedTuple):
    """A family's addresses cut where blocks start and end.

    ``starts`` begins with 0; ``under`` says which blocks cover each stretch.
    """

    starts: list[int]
    under: list[Covering]

    def find(self, address: IPAddress) -> Covering:
        """Return the blocks that cover an address."""
        if len(self.under) == 1:
            return self.under[0]
        return self.under[bisect_right(self.starts, int(address)) - 1]


Cuts: TypeAlias = Mapping[int, _Stretches]
"""For each IP version how the policies' blocks cut its addresses."""


def address_cuts(cluster: Cluster) -> Cuts:
    """Return how the blocks of a cluster's policies cut all addresses."""
    blocks = numbered_blocks(cluster)
    return {family: _stretches(family, blocks) for family in WIDTH}


def _stretches(family: int, blocks: Mapping[IPNetwork, int]) -> _Stretches:
    edges: dict[int, list[tuple[IPNetwork, bool]]] = defaultdict(list)
    for block in blocks:
        if block.version == family:
            low, high = _ends(block)
            edges[low].append((block, True))
            edges[high + 1].append((block, False))
    inside: set[IPNetwork] = set()
    starts = sorted({0, *edges} - {1 << WIDTH[family]})
    under: list[Covering] = []
    for start in starts:
        for block, enters in edges.get(start, ()):
            (inside.add if enters else inside.discard)(block)
        numbers = frozenset([blocks[block] for block in inside])
        under.append(frozenset({(family, numbers)}))
    return _Stretches(starts, under)


def _address_identity(cluster: Cluster, pod: Pod, stretches: Cuts) -> Covering:
    """Return the blocks that each of a pod's addresses lies in."""
    addresses = pod.addresses
    if len(addresses) == 1:
        return stretches[addresses[0].version].find(addresses[0])
    if pod.host_network and not addresses:
        node = cluster.nodes.get(pod.node or "")
        addresses = node.addresses if node is not None else ()
    return frozenset().union(*(stretches[a.version].find(a) for a in addresses))


def outside_classes(
    compiled: Compiled, cuts: Cuts | None = None
) -> tuple[Outside, ...]:
    """Return the outside world, split where blocks of the policies split it.

    Only IP versions that the cluster can have; sorted by first network. ``cuts``
    are those of the cluster, for callers that have them.
    """
    found: list[Outside] = []
    stretches = address_cuts(compiled.cluster) if cuts is None else cuts
    for family in compiled.families:
        starts, under = stretches[family]
        parts: dict[Covering, list[tuple[int, int]]] = defaultdict(list)
        ends = [*(start - 1 for start in starts[1:]), (1 << WIDTH[family]) - 1]
        for low, high, covering in zip(starts, ends, under, strict=True):
            parts[covering].append((low, high))
        found.extend(_outside(family, ranges) for ranges in parts.values())
    return tuple(sorted(found, key=lambda part: _order(part.networks[0])))


def _order(network: IPNetwork) -> tuple[int, int, int]:
    """Return what networks are sorted by; they themselves compare slowly."""
    return network.version, int(network.network_address), network.prefixlen


def _outside(family: int, ranges: list[tuple[int, int]]) -> Outside:
    networks = [
        network for low, high in ranges for network in _summarized(low, high, family)
    ]
    # Not the first address of the range: 0.0.0.0 is nobody's.
    low, high = ranges[-1]
    return Outside(tuple(networks), _address((low + high) // 2, family))


def _address(number: int, family: int) -> IPAddress:
    return ip_address(number.to_bytes(WIDTH[family] // 8, "big"))


def joined(outside: Iterable[Outside]) -> tuple[IPNetwork, ...]:
    """Return the minimal networks of several outside classes, IPv4 first."""
    ranges: dict[int, list[tuple[int, int]]] = {family: [] for family in WIDTH}
    for one in outside:
        for network in one.networks:
            ranges[network.version].append(_ends(network))
    return tuple(
        network
        for family, of_family in ranges.items()
        for low, high in _merged(of_family)
        for network in _summarized(low, high, family)
    )


# The library does the same with objects for all that lies between: ten times slower
# where blocks cut a hundred thousand addresses out.


def _ends(network: IPNetwork) -> tuple[int, int]:
    """Return the first and the last address of a network."""
    low = int(network.network_address)
    return low, low + (1 << (WIDTH[network.version] - network.prefixlen)) - 1


def _merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield ranges of numbers in order, those that touch as one."""
    first, last = 0, -2
    for low, high in sorted(ranges):
        if low > last + 1:
            if last >= 0:
                yield first, last
            first = low
        last = max(last, high)
    if last >= 0:
        yield first, last


def _summarized(low: int, high: int, family: int) -> Iterator[IPNetwork]:
    """Yield the fewest networks that are a range of addresses."""
    width = WIDTH[family]
    network = IPv4Network if family == 4 else IPv6Network  # noqa: PLR2004 - IPv4
    while low <= high:
        fits = (high - low + 1).bit_length() - 1
        bits = min(fits, (low & -low).bit_length() - 1) if low else fits
        yield network((low, width - bits))
        low += 1 << bits
