"""The readings of a moment that must agree: each turns a cluster into a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

import oracle
from cases import Ask, Moment, flows_of
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.lab.topology import plan_topology
from ringfence.manifest.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster
from ringfence.model.flow import AddressEnd, Flow, IPAddress
from ringfence.model.verdict import Outcome
from ringfence.ruleset.journey import Wire
from ringfence.ruleset.lower import lower

Judge: TypeAlias = Callable[[Flow], Outcome]


def cluster_of(moment: Moment) -> Cluster:
    """Read a moment's manifests."""
    documents = read_documents(moment.manifests, moment.name)
    return decode_documents(documents, Options()).cluster


def sendable(moment: Moment) -> Moment:
    """Return the moment with the questions that a single packet answers."""
    asks = (
        ask
        for ask in moment.asks
        if ask.expected is not Outcome.UNDECIDED
        and (ask.port is not None or not ask.protocol.has_ports)
    )
    return replace(moment, asks=tuple(asks))


def completed(cluster: Cluster, asks: Iterable[Ask], nodes: int) -> Cluster:
    """Return the cluster as a lab completes it: addresses, nodes, nothing unknown."""
    outside = outside_addresses(cluster, asks)
    return plan_topology(cluster, outside=outside, nodes=nodes).cluster


def outside_addresses(cluster: Cluster, asks: Iterable[Ask]) -> list[IPAddress]:
    """List the addresses outside that the questions are about."""
    ends = {
        end
        for ask in asks
        for flow in flows_of(cluster, ask)
        for end in (flow.source, flow.destination)
    }
    return [end.address for end in ends if isinstance(end, AddressEnd)]


def predicted(cluster: Cluster) -> Judge:
    """Judge as the engine does."""
    compiled = compile_cluster(cluster)
    return lambda flow: evaluate(compiled, flow).outcome


def by_the_text(cluster: Cluster) -> Judge:
    """Judge as the oracle does."""
    return lambda flow: oracle.verdict(cluster, flow)


def interpreted(cluster: Cluster) -> Judge:
    """Judge by walking packets through the rulesets of all nodes."""
    compiled = compile_cluster(cluster)
    tables = {node: lower(compiled, node).table for node in sorted(cluster.nodes)}
    wire = Wire(tables, cluster)
    return lambda flow: wire.carry(flow).outcome


def wrong(moment: Moment, cluster: Cluster, judge: Judge) -> list[str]:
    """List the questions that a judge answers otherwise than the case says."""
    return [
        f"{moment.name}: {ask}, but {flow} is {found}"
        for ask in moment.asks
        for flow in flows_of(cluster, ask)
        if (found := judge(flow)) is not ask.expected
    ]
