"""What cards are called: pods by their workloads, the outside by what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ringfence.analysis.matrix import Endpoint
from ringfence.engine.compiled import Compiled
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPNetwork
from ringfence.model.meta import ObjectKey
from ringfence.sets.cidr import WIDTHS, carve, cover, everything, prefixes, span
from ringfence.sets.interval import Intervals, minus, union

SHOWN = 3
"""How many names a card lists before it counts the rest."""

HASH_LABEL = "pod-template-hash"


def workload_name(cluster: Cluster, key: ObjectKey) -> str:
    """Return what people call a pod: its workload's name, or its own."""
    pod = cluster.pods[key]
    owner = pod.owner
    if owner is None:
        return key.name
    listed = cluster.workloads.get((owner.kind, ObjectKey(key.namespace, owner.name)))
    if listed is not None and listed.owner is not None:
        return listed.owner.name
    suffix = f"-{pod.labels.get(HASH_LABEL, '')}"
    return owner.name.removesuffix(suffix) if len(suffix) > 1 else owner.name


def pods_title(compiled: Compiled, ends: Iterable[Endpoint]) -> str:
    """Name the pods of some endpoints after their workloads."""
    names = {workload_name(compiled.cluster, key) for end in ends for key in end.pods}
    return listed(sorted(names))


def listed(names: Sequence[str]) -> str:
    """Write a few names out, and count the others."""
    shown = ", ".join(names[:SHOWN])
    return f"{shown} +{len(names) - SHOWN}" if len(names) > SHOWN else shown


def labels_words(compiled: Compiled, ends: Iterable[Endpoint]) -> str:
    """Write the labels that all pods of some endpoints have."""
    pods = compiled.cluster.pods
    sets = [pods[key].labels.items() for end in ends for key in end.pods]
    common = set(sets[0]).intersection(*sets[1:])
    return ", ".join(f"{k}={v}" for k, v in sorted(common) if k != HASH_LABEL)


def outside_words(compiled: Compiled, ends: Iterable[Endpoint]) -> tuple[str, str]:
    """Return a title and a detail for outside addresses.

    The rest of the world is told by what it leaves out, where that is shorter.
    """
    cidrs = [cidr for end in ends for cidr in end.cidrs]
    names = [_name(compiled.cluster, cidr) for cidr in cidrs]
    families = sorted({cidr.version for cidr in cidrs})
    holes: list[str] = []
    wide = True
    for version in families:
        mine = union(span(cidr) for cidr in cidrs if cidr.version == version)
        rest = minus((everything(version),), mine)
        wide = wide and _size(rest) < _size(mine)
        holes += map(str, prefixes(rest, version))
    if not wide or len(holes) > len(names) + SHOWN:
        return _few(cidrs, families) or (listed(names), "outside the cluster")
    words = " and ".join(f"IPv{version}" for version in families)
    return (
        f"internet ({words})",
        f"but {listed(holes)}" if holes else "any address outside",
    )


def _few(cidrs: Sequence[IPNetwork], families: Sequence[int]) -> tuple[str, str] | None:
    """Return a block and what it leaves out, None where that is no shorter."""
    if len(families) > 1 or len(cidrs) <= SHOWN:
        return None
    whole = cover(cidrs)
    holes = prefixes(carve(whole, cidrs), whole.version)
    if len(holes) > SHOWN:
        return None
    detail = f"but {listed([*map(str, holes)])}" if holes else "outside the cluster"
    return str(whole), detail


def _size(intervals: Intervals) -> int:
    return sum(high - low + 1 for low, high in intervals)


def _name(cluster: Cluster, cidr: IPNetwork) -> str:
    """Name a single address after the node or Service that has it."""
    if cidr.prefixlen < WIDTHS[cidr.version]:
        return str(cidr)
    address = cidr.network_address
    for node in cluster.nodes.values():
        if address in node.addresses:
            return f"node {node.name}"
    for service in cluster.services.values():
        if address in service.cluster_ips:
            is_api = service.key == ObjectKey("default", "kubernetes")
            return "API server" if is_api else f"svc {service.key}"
    return str(address)


def pod_count(ends: Iterable[Endpoint]) -> str:
    """Write how many pods stand behind a card; one needs no word."""
    count = sum(len(end.pods) for end in ends)
    return f"\N{MULTIPLICATION SIGN} {count} pods" if count > 1 else ""
