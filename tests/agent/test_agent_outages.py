"""An API server that goes, comes back, and has forgotten what was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.stage import CLIENT, FAR, PLACES, SERVER, Stage, staged
from controlplane.servers import control_plane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


@pytest.fixture(scope="module")
def running(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        control_plane(built, tmp_path_factory.mktemp("outages")) as plane,
        staged(plane, Cni.ROUTED) as stage,
    ):
        stage.start()
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.settle(PLACES)
    running.calm()
    return running


def test_rules_stay_while_the_server_is_away_and_follow_it_after(
    stage: Stage,
) -> None:
    stage.deny(SERVER)
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the policy is obeyed")
    stage.plane.stop()
    assert stage.shut(CLIENT, SERVER)
    assert stage.open(CLIENT, FAR)
    stage.plane.start()
    stage.allow(SERVER)
    stage.deny(FAR)
    stage.until(lambda: stage.open(CLIENT, SERVER), "the policy is gone")
    stage.until(lambda: stage.shut(CLIENT, FAR), "the new policy is obeyed")


def test_what_agents_missed_and_the_store_forgot_is_found_by_a_new_list(
    stage: Stage,
) -> None:
    stage.deny(SERVER)
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the policy is obeyed")
    with stage.cut_off():
        stage.allow(SERVER)
        stage.deny(FAR)
        for _ in range(20):
            stage.deny(CLIENT)
            stage.allow(CLIENT)
        stage.plane.compact()
        stage.plane.stop()
        stage.plane.start()
        assert stage.shut(CLIENT, SERVER)
    stage.until(lambda: stage.open(CLIENT, SERVER), "the policy is gone")
    stage.until(lambda: stage.shut(CLIENT, FAR), "the new policy is obeyed")
