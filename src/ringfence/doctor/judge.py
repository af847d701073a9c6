"""Facts to findings. What is not known is said to be so; nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ringfence.doctor.bypasses import bridges, flowtables, programs
from ringfence.doctor.enforcers import (
    ENFORCERS,
    MARKING,
    left_over,
    marks_in_cluster,
    marks_on_node,
)
from ringfence.doctor.facts import ClusterFacts, Facts, NodeFacts, Ruleset, Unknown
from ringfence.doctor.findings import Finding, Status
from ringfence.doctor.kernel import forwarding, kernel, tracked

_TWO = (
    "Two enforcers are a logical and: a packet passes where both let it, and neither "
    "one's explanation is the whole one."
)
_NOT_FINAL = (
    "An accept is final in its own base chain only: what policies allow can still be "
    "dropped there."
)
_OURS = "inet ringfence "


def judge(facts: Facts) -> list[Finding]:
    """Return the findings, check by check in a fixed order."""
    found = [one for check in _NODE for one in check(facts.node)]
    found[1:1] = _in_cluster(facts)
    return found


def _in_cluster(facts: Facts) -> Iterator[Finding]:
    check = "enforcers in the cluster"
    cluster = facts.cluster
    if isinstance(cluster, Unknown):
        yield Finding(check, Status.UNKNOWN, cluster.reason)
        return
    if isinstance(cluster.daemonsets, Unknown):
        yield Finding(check, Status.UNKNOWN, cluster.daemonsets.reason)
    else:
        found = False
        for enforcer in ENFORCERS:
            marks = list(marks_in_cluster(enforcer, cluster.daemonsets))
            if marks:
                found = True
                said = f"{enforcer.name} enforces NetworkPolicy: {', '.join(marks)}"
                yield Finding(check, Status.PROBLEM, said, _TWO, enforcer.disable)
        if not found:
            count = len(cluster.daemonsets)
            said = f"none that is known among {count} DaemonSets"
            yield Finding(check, Status.OK, said)
    yield from _definitions(facts.node, cluster)


def _definitions(node: NodeFacts, cluster: ClusterFacts) -> Iterator[Finding]:
    check = "enforcers' CRDs"
    if isinstance(cluster.definitions, Unknown):
        yield Finding(check, Status.UNKNOWN, cluster.definitions.reason)
        return
    daemonsets = cluster.daemonsets
    for enforcer in ENFORCERS:
        left = left_over(enforcer, cluster)
        running = not isinstance(daemonsets, Unknown) and any(
            marks_in_cluster(enforcer, daemonsets)
        )
        if left and not running and not any(marks_on_node(enforcer, node)):
            said = f"{', '.join(left)}, and nothing of {enforcer.name} that runs here"
            why = "Either it was removed and left these, or it runs on other nodes."
            yield Finding(check, Status.WARNING, said, why)


def _on_node(node: NodeFacts) -> Iterator[Finding]:
    check = "enforcers on this node"
    found = False
    for enforcer in ENFORCERS:
        marks = list(marks_on_node(enforcer, node))
        if marks:
            found = True
            said = f"{enforcer.name} has been here: {', '.join(marks)}"
            yield Finding(check, Status.PROBLEM, said, _TWO, enforcer.disable)
    unknown = [
        fact.reason
        for fact in (node.ruleset, node.legacy, node.links)
        if isinstance(fact, Unknown)
    ]
    if unknown:
        yield Finding(check, Status.UNKNOWN, "; ".join(dict.fromkeys(unknown)))
    elif not found:
        names = ", ".join(enforcer.name for enforcer in MARKING)
        yield Finding(check, Status.OK, f"no mark of {names}")


def _own_table(node: NodeFacts) -> Iterator[Finding]:
    check = "table inet ringfence"
    match node.own_comment:
        case Unknown(reason=reason):
            yield Finding(check, Status.UNKNOWN, reason)
        case None:
            yield Finding(check, Status.OK, "not there: no agent has enforced here yet")
        case comment if "owner=ringfence" in comment.split():
            yield Finding(check, Status.OK, f"there: {comment}")
        case comment:
            said = f'there, and not of ringfence: its comment is "{comment}"'
            why = "The agent does not touch a table that it did not make."
            remedy = "find whose it is; `nft list table inet ringfence` shows it"
            yield Finding(check, Status.PROBLEM, said, why, remedy)


def _other_chains(node: NodeFacts) -> Iterator[Finding]:
    check = "other chains on forward"
    unknown = False
    found = False
    for ruleset in (node.ruleset, node.legacy):
        if isinstance(ruleset, Unknown):
            yield Finding(check, Status.UNKNOWN, ruleset.reason)
            unknown = True
            continue
        for base in ruleset.bases:
            others = base.hook == "forward" and not base.place.startswith(_OURS)
            if others and base.drops:
                found = True
                yield _dropping(check, f"{base.place} {base.drops}")
    if not found and not unknown:
        yield Finding(check, Status.OK, "none drops what it does not know")


def _dropping(check: str, said: str) -> Finding:
    remedy = (
        "see that its rules accept the pods' networks, both as source and destination"
    )
    return Finding(check, Status.WARNING, said, _NOT_FINAL, remedy)


def _proxy(node: NodeFacts) -> Iterator[Finding]:
    check = "kube-proxy"
    if isinstance(node.links, Unknown) or isinstance(node.ruleset, Unknown):
        reasons = (
            fact.reason
            for fact in (node.links, node.ruleset)
            if isinstance(fact, Unknown)
        )
        yield Finding(check, Status.UNKNOWN, "; ".join(dict.fromkeys(reasons)))
        return
    tables, chains = node.ruleset.tables, node.ruleset.chains
    if isinstance(node.legacy, Ruleset):
        chains |= node.legacy.chains
    if any(link.name == "kube-ipvs0" for link in node.links):
        why = (
            "IPVS translates a Service's address after the forward hook: policies "
            "would be asked about the Service instead of the pod."
        )
        remedy = "run the agent with --hook postrouting"
        yield Finding(check, Status.WARNING, "IPVS (link kube-ipvs0)", why, remedy)
    elif {"ip kube-proxy", "ip6 kube-proxy"} & tables:
        yield Finding(check, Status.OK, "nftables: translates before the forward hook")
    elif "KUBE-SERVICES" in chains:
        yield Finding(check, Status.OK, "iptables: translates before the forward hook")
    else:
        said = (
            "no mark of kube-proxy; something else may translate Services, or nothing"
        )
        yield Finding(check, Status.UNKNOWN, said)


def _nft(node: NodeFacts) -> Iterator[Finding]:
    if isinstance(node.nft, Unknown):
        why = "The agent loads rules without it, but cannot name the line refused."
        yield Finding("nft", Status.WARNING, node.nft.reason, why)
    else:
        yield Finding("nft", Status.OK, node.nft)


_NODE: tuple[Callable[[NodeFacts], Iterator[Finding]], ...] = (
    _on_node,
    _own_table,
    _other_chains,
    bridges,
    flowtables,
    programs,
    _proxy,
    kernel,
    forwarding,
    tracked,
    _nft,
)
