"""Everything that may pass between two ends, as sets of connections."""

from __future__ import annotations

from typing import NamedTuple

from ringfence.engine.compiled import Compiled
from ringfence.engine.evaluate import decide_at, flow_atoms
from ringfence.engine.stations import Connections, connections
from ringfence.model.flow import PORT_PROTOCOLS, End, Flow, Protocol
from ringfence.model.verdict import Outcome
from ringfence.sets.conns import LAST_PORT, ConnSet, Range, conn_set


class Reach(NamedTuple):
    """What is allowed between two ends, and what cannot be decided."""

    allowed: ConnSet
    undecided: ConnSet


def reach(compiled: Compiled, source: End, destination: End) -> Reach:
    """Return every connection that passes from one end to the other.

    Raises RingfenceBug where an end is not in the cluster or has finished.
    """
    flow = Flow(source, destination, Protocol.TCP, None)
    candidates = connections(compiled, flow)
    found: dict[Outcome, dict[str, list[Range]]] = {outcome: {} for outcome in Outcome}
    for protocol in PORT_PROTOCOLS:
        for outcome, stretch in _stretches(compiled, candidates, protocol):
            found[outcome].setdefault(protocol.value, []).append(stretch)
    # No policy tells protocols without ports apart: one stands for all.
    other = decide_at(compiled, candidates, (Protocol.OTHER, None)).verdict.outcome
    return Reach(
        *(
            conn_set(found[outcome], other=other is outcome)
            for outcome in (Outcome.ALLOW, Outcome.UNDECIDED)
        )
    )


def _stretches(
    compiled: Compiled, candidates: Connections, protocol: Protocol
) -> list[tuple[Outcome, Range]]:
    atoms = flow_atoms(compiled, candidates, protocol)
    ends = [*(atom - 1 for atom in atoms[1:]), LAST_PORT]
    return [
        (decide_at(compiled, candidates, (protocol, low)).verdict.outcome, (low, high))
        for low, high in zip(atoms, ends, strict=True)
    ]
