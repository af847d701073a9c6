"""The matrix says of every pair and port what the oracle says of the single flow."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

import oracle
import strategies
from ringfence.analysis.matrix import By, Cell, Endpoint, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import PORT_PROTOCOLS, AddressEnd, End, Flow, PodEnd, Protocol
from ringfence.model.verdict import Outcome
from ringfence.sets.conns import NOTHING, ConnSet

SHORT_RUN = range(100)
LONG_RUN = range(100, 10_200)
DENIED = Cell(NOTHING, NOTHING)
FLOWS_A_PAIR = 8


def outcome(cell: Cell, protocol: Protocol, port: int | None) -> Outcome:
    def holds(conns: ConnSet) -> bool:
        if port is None:
            return conns.other
        return conns.holds(protocol.value, port)

    if holds(cell.allowed):
        return Outcome.ALLOW
    return Outcome.UNDECIDED if holds(cell.undecided) else Outcome.DENY


def end_of(endpoint: Endpoint) -> End:
    if endpoint.pods:
        return PodEnd(endpoint.pods[0])
    network = endpoint.cidrs[0]
    return AddressEnd(network[network.num_addresses // 2])


def services(random: Random, cluster: Cluster) -> Iterator[tuple[Protocol, int | None]]:
    ports = oracle.telling_ports(cluster)
    for _ in range(FLOWS_A_PAIR):
        protocol = random.choice([*PORT_PROTOCOLS, Protocol.ICMP])
        yield protocol, random.choice(ports) if protocol.has_ports else None


def disagreements(seed: int) -> list[str]:
    random = strategies.seeded(seed)
    cluster = strategies.make_world(random, decided=seed % 3 == 0).cluster
    found = matrix(compile_cluster(cluster), By.POD)
    cells = {(row, column): cell for row, column, cell in found.cells()}
    wrong = []
    for row, source in enumerate(found.endpoints):
        for column, destination in enumerate(found.endpoints):
            if row == column or not (source.pods or destination.pods):
                continue
            for protocol, port in services(random, cluster):
                flow = Flow(end_of(source), end_of(destination), protocol, port)
                shown = outcome(cells.get((row, column), DENIED), protocol, port)
                right = oracle.verdict(cluster, flow)
                if shown is not right:
                    wrong.append(f"{flow}: matrix {shown}, oracle {right}")
    return wrong


def test_matrix_and_oracle_agree_on_fixed_worlds() -> None:
    for seed in SHORT_RUN:
        assert disagreements(seed) == [], seed


@pytest.mark.property
def test_matrix_and_oracle_agree_on_many_fixed_worlds() -> None:
    for seed in LONG_RUN:
        assert disagreements(seed) == [], seed
