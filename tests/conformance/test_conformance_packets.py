"""Every judged cell once more, with real packets between network namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cases import Case, articles, every_case, flows_of, own_cases
from readings import cluster_of, outside_addresses, sendable
from ringfence.lab.crosscheck import Crosscheck
from ringfence.lab.plan import Fate
from ringfence.lab.session import Lab
from ringfence.lab.topology import plan_topology
from ringfence.model.verdict import Outcome

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case.name)
def test_packets_do_what_every_cell_says(case: Case, lab: Lab) -> None:
    check(case, lab, nodes=1)


@pytest.mark.parametrize(
    "case", [*own_cases(), *articles()], ids=lambda case: case.name
)
def test_packets_do_the_same_between_nodes(case: Case, lab: Lab) -> None:
    check(case, lab, nodes=3)


def check(case: Case, lab: Lab, nodes: int) -> None:
    for moment in map(sendable, case.moments):
        cluster = cluster_of(moment)
        outside = outside_addresses(cluster, moment.asks)
        topology = plan_topology(cluster, outside=outside, nodes=nodes)
        crosscheck = Crosscheck(lab, topology)
        asked = [(flow, ask) for ask in moment.asks for flow in flows_of(cluster, ask)]
        checks = crosscheck.check([flow for flow, _ in asked])
        for found, (_, ask) in zip(checks, asked, strict=True):
            connected = found.packet is Fate.CONNECTED
            if connected != (ask.expected is Outcome.ALLOW) or not found.agree:
                stories = crosscheck.stories(found)
                pytest.fail("\n".join((moment.name, str(ask), *stories)))
