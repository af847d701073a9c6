"""Every judged cell once more, with real packets between network namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cases import Case, every_case, flows_of
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
    for moment in map(sendable, case.moments):
        cluster = cluster_of(moment)
        outside = outside_addresses(cluster, moment.asks)
        crosscheck = Crosscheck(lab, plan_topology(cluster, outside=outside))
        asked = [(flow, ask) for ask in moment.asks for flow in flows_of(cluster, ask)]
        checks = crosscheck.check([flow for flow, _ in asked])
        for check, (_, ask) in zip(checks, asked, strict=True):
            connected = check.packet is Fate.CONNECTED
            if connected != (ask.expected is Outcome.ALLOW) or not check.agree:
                stories = crosscheck.stories(check)
                pytest.fail("\n".join((moment.name, str(ask), *stories)))
