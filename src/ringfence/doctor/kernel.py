"""The kernel: whether it takes the ruleset, forwards, and has room for connections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ringfence.doctor.facts import NodeFacts, Tracked, Unknown
from ringfence.doctor.findings import Finding, Status

OLDEST = (5, 6)
"""Intervals in concatenated set keys came with Linux 5.6 (nft_set_pipapo)."""

_RELEASE = re.compile(r"(\d+)\.(\d+)")
_NEARLY_FULL, _FILLING = 0.9, 0.7


def kernel(node: NodeFacts) -> Iterator[Finding]:
    """Judge the kernel by what it did with a ruleset, else by its release."""
    check = "kernel"
    match node.trial:
        case Unknown(reason=reason):
            yield _by_release(node.kernel)
            said = f"whether it takes a ruleset was not tried: {reason}"
            yield Finding("trial", Status.UNKNOWN, said)
        case trial if trial.fault:
            why = "The agent would load the like of it."
            yield Finding(
                check, Status.PROBLEM, f"{node.kernel}: {trial.fault}", why, _UPGRADE
            )
        case trial:
            yield Finding(
                check, Status.OK, f"{node.kernel}: took a ruleset in a lab's namespace"
            )
            if trial.packets:
                said = "packets in the lab fared as policies, engine and ruleset say"
                yield Finding("probe", Status.OK, said)


_UPGRADE = (
    f"Linux {'.'.join(map(str, OLDEST))} or newer, with nf_tables, conntrack and nflog"
)


def _by_release(release: str) -> Finding:
    found = _RELEASE.match(release)
    if found is None:
        return Finding("kernel", Status.UNKNOWN, f"{release} is no Linux release")
    if (int(found[1]), int(found[2])) < OLDEST:
        why = "It has no intervals in concatenated sets, which port ranges need."
        return Finding("kernel", Status.PROBLEM, release, why, _UPGRADE)
    return Finding("kernel", Status.OK, f"{release}: new enough by its number")


def forwarding(node: NodeFacts) -> Iterator[Finding]:
    """Judge whether the node forwards at all."""
    check = "forwarding"
    match node.forwarding:
        case Unknown(reason=reason):
            yield Finding(check, Status.UNKNOWN, reason)
        case True:
            yield Finding(check, Status.OK, "IPv4 is forwarded")
        case False:
            why = "Pods reach nobody beyond this node: silence, and not by a policy."
            remedy = "sysctl -w net.ipv4.ip_forward=1; the network plugin wants it too"
            said = "IPv4 is not forwarded (net.ipv4.ip_forward=0)"
            yield Finding(check, Status.PROBLEM, said, why, remedy)


def tracked(node: NodeFacts) -> Iterator[Finding]:
    """Judge how full the table of connections is."""
    check = "conntrack"
    match node.tracked:
        case Unknown(reason=reason):
            yield Finding(check, Status.UNKNOWN, reason)
        case None:
            said = "not in use yet; the agent's first rule switches it on"
            yield Finding(check, Status.OK, said)
        case Tracked(held=held, limit=limit):
            said = f"{held} of {limit} connections"
            filled = held / max(limit, 1)
            if filled < _FILLING:
                yield Finding(check, Status.OK, said)
                return
            status = Status.PROBLEM if filled >= _NEARLY_FULL else Status.WARNING
            why = "Where the table is full, new connections are dropped unjudged."
            remedy = "raise net.netfilter.nf_conntrack_max"
            yield Finding(check, status, said, why, remedy)
