"""The stories behind a matrix's cells: why the ports are open, why the rest is not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from ringfence.analysis.focus import Table
from ringfence.analysis.matrix import Cell, Endpoint
from ringfence.engine.compiled import Compiled
from ringfence.engine.evaluate import evaluate
from ringfence.model.flow import AddressEnd, End, Flow, PodEnd, Protocol
from ringfence.model.verdict import Outcome
from ringfence.questions.answer import answer
from ringfence.questions.resolve import Question
from ringfence.report.matrixdoc import PROTOCOLS
from ringfence.report.story import derivation, headline
from ringfence.report.words import end_id
from ringfence.sets.conns import NOTHING, ConnSet

TRIED = 12
"""Pairs of pods that are tried for an example of a cell that is not for all."""

NO_CELL = Cell(NOTHING, NOTHING)


def pair_stories(
    compiled: Compiled, table: Table, row: int, column: int, cell: Cell
) -> Iterator[list[str]]:
    """Yield the derivations of a cell, each as lines: what it allows, then the rest."""
    pairs = list(islice(_pairs(table.endpoints[row], table.endpoints[column]), TRIED))
    if not pairs:
        return
    for conns, outcome in (
        (cell.allowed, Outcome.ALLOW),
        (cell.undecided, Outcome.UNDECIDED),
    ):
        port = _example(conns)
        if port is not None:
            yield _told(compiled, _shown(compiled, pairs, port, outcome))
    if not cell.allowed.is_all(PROTOCOLS) or cell.mixed:
        rest = _closed(compiled, pairs[0][1], cell.allowed)
        yield _told(compiled, _shown(compiled, pairs, rest, Outcome.DENY))


def _pairs(source: Endpoint, target: Endpoint) -> Iterator[tuple[End, End]]:
    both = product(_ends(source), _ends(target))
    return ((one, other) for one, other in both if one != other)


def _ends(endpoint: Endpoint) -> list[End]:
    if endpoint.pods:
        return [PodEnd(key) for key in endpoint.pods[:TRIED]]
    first = endpoint.cidrs[0]
    # Not its first address: 0.0.0.0 is nobody's.
    return [AddressEnd(first.network_address + first.num_addresses // 2)]


def _example(conns: ConnSet) -> tuple[Protocol, int | None] | None:
    """Return the first port of a set, to ask about; None for the empty set."""
    order = {name: number for number, name in enumerate(PROTOCOLS)}
    for name, ranges in sorted(conns.ports, key=lambda entry: order[entry[0]]):
        port = None if conns.is_all(PROTOCOLS) else ranges[0][0]
        return Protocol(name), port
    return (Protocol.ICMP, None) if conns.other else None


def _closed(
    compiled: Compiled, target: End, allowed: ConnSet
) -> tuple[Protocol, int | None]:
    """Return a port to ask the rest about: one that the pod serves, or every one."""
    if isinstance(target, PodEnd):
        for port in compiled.cluster.pods[target.key].ports or ():
            if not allowed.holds(port.protocol.value, port.number):
                return port.protocol, port.number
    return Protocol.TCP, None


def _shown(
    compiled: Compiled,
    pairs: list[tuple[End, End]],
    port: tuple[Protocol, int | None],
    outcome: Outcome,
) -> Flow:
    """Return the first pair for which it is so, or else the first."""
    flows = [Flow(one, other, *port) for one, other in pairs]
    matching = (f for f in flows if evaluate(compiled, f).outcome is outcome)
    return next(matching, flows[0])


def _told(compiled: Compiled, flow: Flow) -> list[str]:
    found = answer(compiled, Question((flow,)))
    ends = end_id(flow.source), end_id(flow.destination)
    return [headline(*ends, found), *derivation(found)]
