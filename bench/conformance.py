"""Judge every cell of the visible conformance suites in one process.

    python -m bench.conformance predicted|packets      (with tests/ on PYTHONPATH)

Exit code 1 if an answer is wrong: a speed that gets things wrong is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

from cases import SUITES, Moment, conformance, flows_of
from readings import cluster_of, outside_addresses, predicted, wrong
from ringfence.lab.crosscheck import Crosscheck
from ringfence.lab.session import Lab
from ringfence.lab.topology import plan_topology


def main() -> int:
    """Print how many cells were judged, and each that was judged wrongly."""
    judge = {"predicted": by_prediction, "packets": by_packets}[sys.argv[1]]
    moments = [
        moment
        for suite in SUITES
        for case in conformance(suite)
        for moment in case.moments
    ]
    faults = list(judge(moments))
    for fault in faults:
        print(fault, file=sys.stderr)
    cells = sum(len(moment.asks) for moment in moments)
    print(f"{cells} cells, {len(faults)} wrong")
    return 1 if faults else 0


def by_prediction(moments: list[Moment]) -> Iterator[str]:
    """Yield each cell that the engine judges wrongly."""
    for moment in moments:
        cluster = cluster_of(moment)
        yield from wrong(moment, cluster, predicted(cluster))


def by_packets(moments: list[Moment]) -> Iterator[str]:
    """Yield each cell where prediction, ruleset and packets are not all as judged."""
    with closing(Lab()) as lab:
        for moment in moments:
            cluster = cluster_of(moment)
            outside = outside_addresses(cluster, moment.asks)
            topology = plan_topology(cluster, outside=outside)
            crosscheck = Crosscheck(lab, topology)
            asked = [
                (ask, flow)
                for ask in moment.asks
                for flow in flows_of(topology.cluster, ask)
            ]
            checks = crosscheck.check([flow for _, flow in asked])
            for (ask, _), check in zip(asked, checks, strict=True):
                if not check.agree or check.predicted is not ask.expected:
                    yield f"{moment.name}: {ask}, but the packet {check.packet}"


if __name__ == "__main__":
    sys.exit(main())
