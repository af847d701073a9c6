"""Prediction, simulated ruleset and real packet, asked the same question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.lab.plan import Fate, Probe
from ringfence.lab.session import Lab
from ringfence.lab.topology import Topology
from ringfence.model.flow import Flow
from ringfence.model.verdict import Outcome
from ringfence.questions.answer import answer
from ringfence.questions.resolve import Question
from ringfence.report.story import derivation, headline
from ringfence.report.words import end_id, port_words
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.render import render
from ringfence.ruleset.simulation.journey import Wire

_BEST_FIRST = (Fate.CONNECTED, Fate.REFUSED, Fate.DROPPED)


@dataclass(frozen=True, slots=True)
class Check:
    """One flow and the three answers; ``probes`` are the packets that were sent.

    Like a client, a flow with several address pairs has connected if one has.
    """

    flow: Flow
    predicted: Outcome
    interpreted: Outcome
    packet: Fate
    probes: tuple[tuple[Probe, Fate], ...]

    @property
    def agree(self) -> bool:
        """Whether all three say the same; what is undecided agrees with nothing."""
        passed = Outcome.ALLOW if self.packet is Fate.CONNECTED else Outcome.DENY
        return self.predicted is self.interpreted is passed


class Crosscheck:
    """A completed cluster, compiled, lowered and loaded into a lab."""

    def __init__(self, lab: Lab, topology: Topology) -> None:
        """Build and load the lab. Raises KernelError."""
        self._lab = lab
        self._topology = topology
        self.compiled: Compiled = compile_cluster(topology.cluster)
        tables = {
            node: lower(self.compiled, node).table for node in topology.cluster.nodes
        }
        self._wire = Wire(tables, topology.cluster)
        lab.build(topology.plan)
        lab.load({node: render(table) for node, table in tables.items()})

    def check(self, flows: Sequence[Flow]) -> list[Check]:
        """Ask all three about each flow; each has one port, or a protocol without.

        Raises KernelError when the packets do not come to an end.
        """
        probes = [tuple(self._probes(flow)) for flow in flows]
        fates = iter(self._lab.probe([probe for of in probes for probe in of]))
        checks = []
        for flow, sent in zip(flows, probes, strict=True):
            seen = tuple((probe, next(fates)) for probe in sent)
            checks.append(
                Check(
                    flow,
                    evaluate(self.compiled, flow).outcome,
                    self._wire.carry(flow).outcome,
                    _best(fate for _, fate in seen),
                    seen,
                )
            )
        return checks

    def _probes(self, flow: Flow) -> Iterator[Probe]:
        _, sources = self._topology.locate(flow.source)
        _, destinations = self._topology.locate(flow.destination)
        for source in sources:
            for destination in destinations:
                if source.version == destination.version:
                    yield Probe(source, destination, flow.protocol, flow.port)

    def stories(self, check: Check) -> Iterator[str]:
        """Tell a check three times: what policies, ruleset and packets did."""
        flow = check.flow
        found = answer(self.compiled, Question((flow,)))
        ends = end_id(flow.source), end_id(flow.destination)
        yield f"predicted: {headline(*ends, found)}"
        yield from derivation(found)
        yield "interpreted:"
        for line in self._wire.carry(flow).story():
            yield f"  {line}"
        yield "packets:"
        for probe, fate in check.probes:
            words = port_words(probe.protocol, probe.port)
            yield f"  {probe.source} -> {probe.destination} {words}: {fate}"
        if not check.probes:
            yield "  the ends have no address of the same family"


def _best(fates: Iterable[Fate]) -> Fate:
    """Return the fate that a client would see; without any way it is refused."""
    seen = set(fates)
    return next((fate for fate in _BEST_FIRST if fate in seen), Fate.REFUSED)
