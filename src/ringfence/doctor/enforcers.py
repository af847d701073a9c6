"""Who else enforces NetworkPolicy, and by what each is known.

A table of signatures: names of DaemonSets, CRDs, nftables tables, chains and links,
as each project's current release makes them. What is not in the table is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ringfence.doctor.facts import ClusterFacts, DaemonSet, NodeFacts, Ruleset, Unknown


@dataclass(frozen=True, slots=True)
class Enforcer:
    """A project that enforces NetworkPolicy.

    ``chains`` are prefixes of chains' names, in nf_tables (iptables-nft) or legacy
    iptables. ``off`` are words of a container with which the DaemonSet does not
    enforce, ``on`` words without which it does not. ``disable`` says how it is
    switched off.
    """

    name: str
    disable: str
    daemonsets: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()


ENFORCERS = (
    Enforcer(
        "kube-router",
        "k3s: --disable-network-policy on the servers, then a restart of the node; "
        "kube-router itself: --run-firewall=false, then --cleanup-config",
        daemonsets=("kube-router",),
        tables=("ip kube-router-filter-ipv4", "ip6 kube-router-filter-ipv6"),
        chains=("KUBE-ROUTER-FORWARD", "KUBE-POD-FW-", "KUBE-NWPLCY-"),
        off=("--run-firewall=false",),
    ),
    Enforcer(
        "Calico",
        "Calico enforces by itself: the agent is not needed beside it",
        daemonsets=("calico-node", "canal"),
        definitions=("felixconfigurations.crd.projectcalico.org",),
        tables=("ip calico", "ip6 calico"),
        chains=("cali-",),
    ),
    Enforcer(
        "Cilium",
        "Cilium enforces by itself: the agent is not needed beside it",
        daemonsets=("cilium", "anetd"),
        definitions=("ciliumendpoints.cilium.io",),
        chains=("CILIUM_",),
        links=("cilium_host",),
    ),
    Enforcer(
        "Antrea",
        "Antrea enforces by itself: the agent is not needed beside it",
        daemonsets=("antrea-agent",),
        definitions=("antreaagentinfos.crd.antrea.io",),
        chains=("ANTREA-",),
        links=("antrea-gw0",),
    ),
    Enforcer(
        "kube-network-policies",
        "delete its DaemonSet and, on each node, its nftables table",
        daemonsets=("kube-network-policies",),
        tables=("inet kube-network-policies",),
    ),
    Enforcer(
        "kindnet",
        "kindnetd --network-policy=false where it knows that option (the one that kind "
        "ships does not), then `nft delete table inet kindnet-network-policies`",
        tables=("inet kindnet-network-policies",),
    ),
    Enforcer(
        "Weave Net",
        "remove the container weave-npc from the DaemonSet weave-net",
        daemonsets=("weave-net",),
        chains=("WEAVE-NPC",),
    ),
    Enforcer(
        "Azure Network Policy Manager",
        "create the cluster with --network-policy none",
        daemonsets=("azure-npm",),
        chains=("AZURE-NPM",),
    ),
    Enforcer(
        "the AWS network policy agent",
        "set enableNetworkPolicy to false in the configuration of the VPC CNI",
        daemonsets=("aws-node",),
        on=("--enable-network-policy=true",),
    ),
    Enforcer(
        "OVN-Kubernetes",
        "OVN-Kubernetes enforces by itself: the agent is not needed beside it",
        daemonsets=("ovnkube-node",),
        definitions=("egressfirewalls.k8s.ovn.org",),
        links=("ovn-k8s-mp0",),
    ),
    Enforcer(
        "Kube-OVN",
        "start kube-ovn-controller with --enable-np=false",
        daemonsets=("kube-ovn-cni",),
        definitions=("subnets.kubeovn.io",),
        links=("ovn0",),
    ),
)

MARKING = tuple(one for one in ENFORCERS if one.tables or one.chains or one.links)
"""Those that a node shows; the others enforce by eBPF programs without a name."""


def marks_on_node(enforcer: Enforcer, node: NodeFacts) -> Iterator[str]:
    """Yield what an enforcer left on the node, in words: ``chain cali-FORWARD``."""
    for ruleset in (node.ruleset, node.legacy):
        if isinstance(ruleset, Ruleset):
            yield from _marks_in_filter(enforcer, ruleset)
    if not isinstance(node.links, Unknown):
        yield from (
            f"link {link.name}" for link in node.links if link.name in enforcer.links
        )


def _marks_in_filter(enforcer: Enforcer, ruleset: Ruleset) -> Iterator[str]:
    yield from (f"table {name}" for name in enforcer.tables if name in ruleset.tables)
    for prefix in enforcer.chains:
        found = sorted(name for name in ruleset.chains if name.startswith(prefix))
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield f"chain {found[0]}{more}"


def marks_in_cluster(
    enforcer: Enforcer, daemonsets: Iterable[DaemonSet]
) -> Iterator[str]:
    """Yield the DaemonSets of an enforcer that are not told to leave policies alone."""
    for one in daemonsets:
        if one.name not in enforcer.daemonsets:
            continue
        told_off = any(word in one.words for word in enforcer.off)
        told_on = not enforcer.on or any(word in one.words for word in enforcer.on)
        if told_on and not told_off:
            yield f"DaemonSet {one.namespace}/{one.name}"


def left_over(enforcer: Enforcer, cluster: ClusterFacts) -> tuple[str, ...]:
    """Return the CRDs of an enforcer, in words."""
    if isinstance(cluster.definitions, Unknown):
        return ()
    return tuple(
        f"CRD {name}" for name in enforcer.definitions if name in cluster.definitions
    )
