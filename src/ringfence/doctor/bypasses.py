"""Ways past the forward hook: bridges, flowtables, eBPF programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringfence.doctor.facts import BridgeFilter, Link, NodeFacts, Program, Unknown
from ringfence.doctor.findings import Finding, Status

_POD_BRIDGES = frozenset({"cni0", "cbr0", "kube-bridge"})
"""What Flannel, the bridge plugin, kubenet and kube-router call the pods' bridge."""

_SHOWN = 5


def bridges(node: NodeFacts) -> Iterator[Finding]:
    """Judge whether packets that a bridge carries from port to port are filtered."""
    check = "bridges"
    if isinstance(node.links, Unknown):
        yield Finding(check, Status.UNKNOWN, node.links.reason)
        return
    found = False
    for link in node.links:
        ports = sum(other.master == link.name for other in node.links)
        if link.kind == "bridge" and (ports > 1 or link.name in _POD_BRIDGES):
            found = True
            yield _bridge(link, ports, node.bridge_filter)
    if not found:
        yield Finding(check, Status.OK, "no bridge has two ports")


def _bridge(link: Link, ports: int, loaded: BridgeFilter | None) -> Finding:
    check = f"bridge {link.name}"
    if loaded is None:
        filtered4 = filtered6 = False
    else:
        filtered4 = loaded.iptables or link.filters4
        filtered6 = loaded.ip6tables or link.filters6
    if filtered4 and filtered6:
        said = "what it carries from port to port is filtered (br_netfilter)"
        return Finding(check, Status.OK, said)
    what = "IPv6" if filtered4 else "IPv4" if filtered6 else "packets"
    said = f"{what} from port to port, of {ports}, pass by the forward hook"
    why = "If its ports are pods, policies between two pods of this node do nothing."
    if loaded is not None:
        remedy = "the agent switches this on for the bridge of its pods"
        return Finding(check, Status.WARNING, said, why, remedy)
    remedy = (
        "modprobe br_netfilter, and a file in /etc/modules-load.d so that it stays; "
        "the agent is not Ready before"
    )
    certain = link.name in _POD_BRIDGES
    return Finding(
        check, Status.PROBLEM if certain else Status.WARNING, said, why, remedy
    )


def flowtables(node: NodeFacts) -> Iterator[Finding]:
    """Judge fast paths that established connections take around the hook."""
    check = "flowtables"
    if isinstance(node.ruleset, Unknown):
        yield Finding(check, Status.UNKNOWN, node.ruleset.reason)
    elif node.ruleset.flowtables:
        said = ", ".join(node.ruleset.flowtables)
        why = (
            "First packets are judged; an offloaded connection no longer meets the "
            "forward hook, so that a change which denies it may not cut it."
        )
        remedy = (
            "switch the fast path off (kindnet: --fastpath-threshold=0) where "
            "established connections must be cut"
        )
        yield Finding(check, Status.WARNING, said, why, remedy)
    else:
        yield Finding(check, Status.OK, "none")


def programs(node: NodeFacts) -> Iterator[Finding]:
    """Judge eBPF programs on links, which may redirect or drop."""
    check = "eBPF programs"
    found: list[Program] = []
    reasons: list[str] = []
    for fact in (node.xdp, node.programs):
        if isinstance(fact, Unknown):
            reasons.append(fact.reason)
        else:
            found += fact
    if found:
        why = (
            "A program may send a packet on, or drop it, before netfilter sees it; "
            "what these do cannot be told from here."
        )
        remedy = "`bpftool net` and their owner say what they do"
        yield Finding(check, Status.WARNING, _listed(found), why, remedy)
    if reasons:
        said = "; ".join(dict.fromkeys(reasons))
        yield Finding(check, Status.UNKNOWN, said)
    elif not found:
        yield Finding(check, Status.OK, "none on any link (xdp, tc, tcx, netkit)")


def _listed(found: Sequence[Program]) -> str:
    words = [
        f"{one.link} {one.place}" + (f" ({one.name})" if one.name else "")
        for one in found[:_SHOWN]
    ]
    more = len(found) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")
