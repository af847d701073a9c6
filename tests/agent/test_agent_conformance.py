"""Every judged cell of the suites through a real API, agents on two nodes, packets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from _pytest.mark import ParameterSet

from agent.moments import faults, networks, staged
from agent.stage import Stage
from agent.stage import staged as stage_of
from cases import SUITES, Case, conformance
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


def cases() -> Iterator[ParameterSet]:
    """Yield every case on both kinds of node; the most on bridges are for long runs."""
    for cni, suite in product(Cni, SUITES):
        long = cni is Cni.BRIDGE and suite == "cyclonus"
        marks = [pytest.mark.property] if long else []
        for case in conformance(suite):
            yield pytest.param(cni, case, id=f"{cni.value}-{case.name}", marks=marks)


@pytest.fixture(scope="module")
def stage(api_server: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage_of(api_server, request.param, more=networks()) as stage:
        stage.start()
        yield stage


@pytest.mark.parametrize(("stage", "case"), cases(), indirect=["stage"], scope="module")
def test_packets_obey_the_api_as_every_cell_says(case: Case, stage: Stage) -> None:
    for moment in case.moments:
        made = staged(moment)
        stage.nodes.become(made.pods)
        stage.cluster.become(made.manifests)
        assert faults(stage.nodes, made.asked) == [], moment.name
