"""What an operator chooses: audit, established connections, unknown pods, bridges."""

from __future__ import annotations

import pytest

from agent.nodes import place
from agent.stage import (
    CLIENT,
    FAR,
    PLACES,
    SERVED,
    SERVER,
    first,
    objects,
    staged,
)
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


def test_audit_drops_nothing_and_counts_what_it_would(api_server: ControlPlane) -> None:
    with staged(api_server, Cni.ROUTED, "--mode", "audit") as stage:
        stage.settle(PLACES)
        stage.deny(SERVER)
        stage.start()
        assert stage.open(CLIENT, SERVER)
        sample = (
            'ringfence_denied_flows_total{direction="ingress",mode="audit",'
            'namespace="shop"}'
        )
        stage.until(
            lambda: stage.agents["n1"].metric(sample) > 0, "would-be denials counted"
        )


def test_kept_connections_outlive_a_denial(api_server: ControlPlane) -> None:
    with staged(api_server, Cni.ROUTED, "--established", "keep") as stage:
        stage.settle(PLACES)
        stage.start()
        server = stage.traffic(SERVER, "serve", str(SERVED))
        held = stage.traffic(CLIENT, "held", first(SERVER), str(SERVED))
        knocks = stage.traffic(CLIENT, "flips", first(SERVER), str(SERVED))
        stage.deny(SERVER)
        generation = "ringfence_realised_generation"
        agent = stage.agents["n1"]
        before = agent.metric(generation)
        stage.deny(FAR)
        stage.until(lambda: agent.metric(generation) >= before, "both are realised")
        assert held.end()["ended"] is None
        knocks.end()
        server.end()


def test_unknown_pods_are_shut_until_they_are_known(api_server: ControlPlane) -> None:
    with staged(api_server, Cni.ROUTED, "--unknown-pods", "closed") as stage:
        stranger = "shop/stranger"
        stage.settle(PLACES)
        stage.start()
        assert stage.open(CLIENT, FAR)
        all_ = {**PLACES, stranger: place("n1", 77)}
        stage.nodes.become(all_)
        assert stage.shut(CLIENT, stranger)
        assert stage.shut(stranger, FAR)
        stage.cluster.become(objects(all_))
        stage.until(lambda: stage.open(CLIENT, stranger), "the pod is known")
        stage.until(lambda: stage.open(stranger, FAR), "the pod is known")


def test_bridges_are_made_to_show_their_packets(api_server: ControlPlane) -> None:
    with staged(api_server, Cni.BRIDGE) as stage:
        stage.settle(PLACES)
        stage.deny(SERVER)
        assert stage.open(CLIENT, SERVER)
        stage.start()
        assert stage.shut(CLIENT, SERVER)
        assert stage.open(CLIENT, FAR)
