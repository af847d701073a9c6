"""The readings of a moment that must agree: each turns a cluster into a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from typing import TypeAlias

import oracle
from cases import Ask, Moment, flows_of
from ringfence.analysis.matrix import By, Cell, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.lab.topology import plan_topology
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    PodEnd,
)
from ringfence.model.verdict import Outcome
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.simulation.journey import Wire

SOMEWHERE = (ip_address("198.18.0.77"), ip_address("2001:db8:77::1"))
"""Addresses that no block of the cases holds: the internet."""

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


def tabulated(cluster: Cluster) -> Judge:
    """Judge by the matrix: single ports between two pods, or a pod and an address."""
    table = matrix(compile_cluster(cluster), By.POD)
    places = {pod: n for n, e in enumerate(table.endpoints) for pod in e.pods}
    cells = {(row, column): cell for row, column, cell in table.cells()}

    def sites(end: End) -> list[int]:
        if isinstance(end, PodEnd):
            return [places[end.key]]
        found = (end.address,) if isinstance(end, AddressEnd) else SOMEWHERE
        return [
            number
            for number, endpoint in enumerate(table.endpoints)
            if any(address in cidr for cidr in endpoint.cidrs for address in found)
        ]

    def judge(flow: Flow) -> Outcome:
        pairs = product(sites(flow.source), sites(flow.destination))
        outcomes = {in_cell(cells[pair], flow) for pair in pairs if pair in cells}
        order = (Outcome.ALLOW, Outcome.UNDECIDED)
        return next((found for found in order if found in outcomes), Outcome.DENY)

    return judge


def in_cell(cell: Cell, flow: Flow) -> Outcome:
    """Look a flow's port up in a cell of the matrix."""
    for conns, outcome in (
        (cell.allowed, Outcome.ALLOW),
        (cell.undecided, Outcome.UNDECIDED),
    ):
        if flow.port is None and conns.other:
            return outcome
        if flow.port is not None and conns.holds(flow.protocol.value, flow.port):
            return outcome
    return Outcome.DENY


def tabled(moment: Moment, cluster: Cluster) -> Moment:
    """Return the moment with the questions that cells of the matrix answer."""
    live = {key for key, pod in cluster.pods.items() if not pod.finished}

    def shown(flow: Flow) -> bool:
        ends = (flow.source, flow.destination)
        pods = [end for end in ends if isinstance(end, PodEnd)]
        outside = [end for end in ends if isinstance(end, AddressEnd | InternetEnd)]
        return (
            len(pods) + len(outside) == len(ends)
            and 0 < len({end.key for end in pods} & live) == len(pods)
            and all(end.address is None for end in pods)
        )

    asks = (
        ask for ask in sendable(moment).asks if all(map(shown, flows_of(cluster, ask)))
    )
    return replace(moment, asks=tuple(asks))


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
