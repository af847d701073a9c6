"""Which pods are under a policy, and whose an address is, while pods change."""

from __future__ import annotations

import pytest

from agent.cluster import Manifest, path_of, policy
from agent.nodes import NODES, Place, place
from agent.stage import CLIENT, FAR, PLACES, PORT, SERVER, Stage, objects, pod_of
from ringfence.lab.plan import Fate, Probe
from ringfence.model.flow import Protocol

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

NEXT = "shop/next"


def followed(stage: Stage) -> None:
    """Wait until agents have what was written before this: a policy for CLIENT."""
    stage.deny_now(CLIENT)


def test_a_new_pod_is_shut_by_the_policy_that_was_there_before(stage: Stage) -> None:
    stage.cluster.put(policy("shop/all"))
    pods = {**PLACES, NEXT: place("n2", 20)}
    stage.nodes.become(pods)
    stage.cluster.become([*objects(pods), policy("shop/all")])
    stage.until(lambda: stage.shut(CLIENT, NEXT), "the new pod is shut")


def test_a_completed_pods_address_is_free(stage: Stage) -> None:
    stage.deny_now(SERVER)
    done = pod_of(SERVER, PLACES[SERVER])
    stage.cluster.put({**done, "status": {**done["status"], "phase": "Succeeded"}})
    stage.until(lambda: stage.open(CLIENT, SERVER), "the pod is no endpoint")
    pods = {CLIENT: PLACES[CLIENT], FAR: PLACES[FAR], NEXT: PLACES[SERVER]}
    stage.nodes.become(pods)
    stage.cluster.put(pod_of(NEXT, PLACES[SERVER]))
    stage.deny_now(NEXT)
    stage.allow(NEXT)
    stage.until(lambda: stage.open(CLIENT, NEXT), "the policy is gone")


def test_a_terminating_pod_stays_under_its_policy_until_it_is_gone(
    stage: Stage,
) -> None:
    stage.deny_now(SERVER)
    pod = path_of(pod_of(SERVER, PLACES[SERVER]))
    answer = stage.plane.ask("DELETE", pod, {"gracePeriodSeconds": 600})
    assert answer["metadata"]["deletionTimestamp"]
    followed(stage)
    assert stage.shut(FAR, SERVER)
    stage.cluster.remove(("Pod", "shop", "server"))
    stage.until(lambda: stage.open(FAR, SERVER), "the pod is gone")


def test_a_host_network_pod_is_neither_isolated_nor_a_peer(stage: Stage) -> None:
    own = Place("n2", NODES["n2"])
    on_host = pod_of("shop/host", own)
    spec = {**on_host["spec"], "hostNetwork": True}
    stage.cluster.put({**on_host, "spec": spec})
    everybody: Manifest = {"podSelector": {}}
    stage.cluster.put(policy("shop/all", ingress=[{"from": [everybody]}]))
    to_host = Probe(PLACES[CLIENT].addresses[0], own.addresses[0], Protocol.TCP, PORT)
    from_host = Probe(own.addresses[0], PLACES[CLIENT].addresses[0], Protocol.TCP, PORT)
    stage.until(
        lambda: (
            stage.nodes.probe([to_host, from_host]) == [Fate.CONNECTED, Fate.DROPPED]
        ),
        "the pod on the host is as its node",
    )
    assert stage.open(FAR, CLIENT)


def test_a_pod_that_moves_to_the_other_node_is_shut_there(stage: Stage) -> None:
    stage.deny_now(SERVER)
    moved = {**PLACES, SERVER: place("n2", 30)}
    stage.nodes.become(moved)
    stage.cluster.put(pod_of(SERVER, moved[SERVER]))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the policy follows the pod")
