"""``ringfence ruleset``: the nftables ruleset that a node would load."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import click

from ringfence.cli.asking import load_compiled
from ringfence.cli.options import (
    Exit,
    Inputs,
    cluster_options,
    output_option,
    say,
)
from ringfence.engine.compiled import Compiled
from ringfence.errors import InputError, Problem
from ringfence.model.cluster import Cluster
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import Hook
from ringfence.ruleset.lowering.lower import Lowered, lower
from ringfence.ruleset.lowering.omissions import Omission
from ringfence.ruleset.lowering.owners import live_pods
from ringfence.ruleset.naming import (
    BlocksId,
    ContestedId,
    Identity,
    NamedPortsId,
    PodPeersId,
    PolicyId,
    PolicySetId,
    PortsId,
    SampledId,
    UnknownId,
)
from ringfence.ruleset.render import render

SCHEMA = "ringfence/ruleset/v1"

ONLY_NODE = "node-1"
"""The node of manifests that name none."""

SHOWN = 5
"""Names that one line of a message lists."""

KINDS: dict[type[Identity], str] = {
    PolicySetId: "policySet",
    PolicyId: "policy",
    PodPeersId: "podPeers",
    BlocksId: "ipBlocks",
    NamedPortsId: "namedPorts",
    PortsId: "ports",
    ContestedId: "contested",
    UnknownId: "unknown",
    SampledId: "sampled",
}


@click.command(
    short_help="Print the nftables ruleset of a node",
    epilog="The text is one transaction: ringfence ruleset -f DIR | nft -f -",
)
@click.option(
    "--node", metavar="NAME", help="Whose ruleset; needed where there are several."
)
@click.option(
    "--mode",
    type=click.Choice(["enforce", "audit"]),
    default="enforce",
    show_default=True,
    help="audit: what would be denied is counted and logged, and passes.",
)
@click.option(
    "--hook",
    type=click.Choice([hook.value for hook in Hook]),
    default=Hook.FORWARD.value,
    show_default=True,
    help="Where packets are judged; postrouting where kube-proxy uses IPVS.",
)
@cluster_options
@output_option("text", "json")
def ruleset(
    node: str | None, *, mode: str, hook: str, inputs: Inputs, output: str
) -> int:
    """Print what a node would load into nftables to isolate its own pods.

    Manifests that name no node at all make one node, with every pod on it.
    What is left out because a fact is missing is said on stderr.
    """
    compiled = load_compiled(inputs)
    enforcement = Enforcement(audit=mode == "audit", hook=Hook(hook))
    name, lowered = _lowered(compiled, node, enforcement)
    if output == "json":
        click.echo(json.dumps(_document(name, lowered)))
        return Exit.OK
    say("warning", _left_out(lowered.omissions))
    click.echo(render(lowered.table), nl=False)
    return Exit.OK


def _lowered(
    compiled: Compiled, node: str | None, enforcement: Enforcement
) -> tuple[str, Lowered]:
    """Return the asked node's name and table; raises InputError for one unknown."""
    known = _node_names(compiled.cluster)
    if not known:
        everyone = frozenset(pod.key for pod in live_pods(compiled.cluster))
        name = _chosen(node, [ONLY_NODE])
        return name, lower(compiled, name, local=everyone, enforcement=enforcement)
    name = _chosen(node, known)
    return name, lower(compiled, name, enforcement=enforcement)


def _node_names(cluster: Cluster) -> list[str]:
    named = {pod.node for pod in cluster.pods.values() if pod.node is not None}
    return sorted(named.union(cluster.nodes))


def _chosen(node: str | None, known: list[str]) -> str:
    if node is None and len(known) == 1:
        return known[0]
    if node is None:
        raise click.UsageError(f"--node is needed: one of {_few(known)}")
    if node not in known:
        near = get_close_matches(node, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is {_few(known)}"
        raise InputError([Problem("", f"no node {node}", "", hint)])
    return node


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    rest = len(names) - SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _left_out(omissions: Iterable[Omission]) -> Iterator[Problem]:
    """Yield one problem a reason, for the first few of its subjects by name."""
    subjects: dict[str, list[str]] = defaultdict(list)
    for subject, reason in omissions:
        subjects[reason].append(subject)
    for reason, of in subjects.items():
        yield Problem(_few(of), reason)


def _document(node: str, lowered: Lowered) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "node": node,
        "nft": render(lowered.table),
        "names": {
            name: _meaning(of) for name, of in sorted(lowered.table.index.items())
        },
        "leftOut": [
            {"subject": subject, "reason": reason}
            for subject, reason in lowered.omissions
        ],
    }


def _meaning(of: Identity) -> dict[str, Any]:
    meaning: dict[str, Any] = {"kind": KINDS[type(of)], "text": str(of)}
    match of:
        case PolicySetId(direction, policies):
            meaning["direction"] = str(direction)
            meaning["policies"] = _keys(policies)
        case PolicyId(direction, policy):
            meaning["direction"] = str(direction)
            meaning["policies"] = _keys((policy,))
        case _:
            pass  # a set's text says it all
    return meaning


def _keys(policies: Iterable[object]) -> list[str]:
    return [str(policy) for policy in policies]
