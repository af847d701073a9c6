"""Every judged cell of the suites through a real API, agents on two routed nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.moments import networks
from agent.stage import Stage, play, staged
from cases import SUITES, Case, conformance
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


@pytest.fixture(scope="module")
def stage(api_server: ControlPlane) -> Iterator[Stage]:
    with staged(api_server, Cni.ROUTED, more=networks()) as stage:
        stage.start()
        yield stage


@pytest.mark.parametrize(
    "case",
    [case for suite in SUITES for case in conformance(suite)],
    ids=lambda case: case.name,
)
def test_packets_obey_the_api_as_every_cell_says(case: Case, stage: Stage) -> None:
    play(stage, case)
