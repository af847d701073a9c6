"""Every judged cell of the suites through a real API, agents on two nodes, packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.moments import faults, networks, staged
from agent.stage import Stage
from agent.stage import staged as stage_of
from cases import SUITES, Case, conformance
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

CASES = [case for suite in SUITES for case in conformance(suite)]


@pytest.fixture(scope="module", params=Cni, ids=lambda cni: cni.value)
def stage(api_server: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage_of(api_server, request.param, more=networks()) as stage:
        stage.start()
        yield stage


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_packets_obey_the_api_as_every_cell_says(case: Case, stage: Stage) -> None:
    for moment in case.moments:
        made = staged(moment)
        stage.nodes.become(made.pods)
        stage.cluster.become(made.manifests)
        assert faults(stage.nodes, made.asked) == [], moment.name
