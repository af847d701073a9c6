"""Two nodes, agents on them, and a real API server that they follow."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agent.stage import PLACES, Stage, staged
from controlplane.fixtures import api_server, built, kubectl, plane
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

__all__ = ["api_server", "built", "kubectl", "plane"]


@pytest.fixture(scope="session", autouse=True)
def root() -> None:
    """Skip, where agents cannot be started in namespaces that others made."""
    if os.geteuid() != 0:
        pytest.skip("agents run in network namespaces of this machine: run as root")


@pytest.fixture(scope="module")
def running(api_server: ControlPlane) -> Iterator[Stage]:
    """Two routed nodes whose agents have the default settings."""
    with staged(api_server, Cni.ROUTED) as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The two nodes with three pods, no policy and agents that are ready."""
    running.settle(PLACES)
    running.start()
    running.calm()
    return running
