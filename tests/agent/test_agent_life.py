"""The agent's life: what happens to packets while it starts, ends and is away."""

from __future__ import annotations

import subprocess

import pytest

from agent.cluster import namespace, policy
from agent.nodes import NODES, node
from agent.stage import (
    CLIENT,
    FAR,
    PLACES,
    PORT,
    SERVED,
    SERVER,
    Stage,
    app,
    first,
    load,
    pod_of,
)
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Fate, Probe
from ringfence.model.flow import Protocol

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


def each(stage: Stage, what: str) -> None:
    for agent in stage.agents.values():
        getattr(agent, what)()


def test_a_policy_shuts_and_its_end_opens(stage: Stage) -> None:
    assert stage.open(CLIENT, SERVER)
    stage.deny_now(SERVER)
    assert stage.shut(FAR, SERVER)
    assert stage.open(SERVER, FAR)
    stage.allow(SERVER)
    stage.until(lambda: stage.open(CLIENT, SERVER), "the policy is gone")


def test_a_node_reaches_its_own_pods_whatever_policies_say(stage: Stage) -> None:
    stage.deny_now(SERVER)
    own = NODES["n1"][0]
    probe = Probe(own, PLACES[SERVER].addresses[0], Protocol.TCP, PORT)
    assert stage.nodes.probe([probe]) == [Fate.CONNECTED]


def test_a_relabelled_pod_comes_under_the_policy_and_leaves_it(stage: Stage) -> None:
    labelled = {"matchLabels": {"shut": "yes"}}
    stage.cluster.put(policy("shop/by-label", podSelector=labelled))
    stage.cluster.put(pod_of(SERVER, PLACES[SERVER], shut="yes"))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the label is seen")
    stage.cluster.put(pod_of(SERVER, PLACES[SERVER]))
    stage.until(lambda: stage.open(CLIENT, SERVER), "the label is gone")


def test_a_relabelled_namespace_is_let_in(stage: Stage) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"in": "yes"}}}
    rules = [{"from": [peer]}]
    stage.cluster.put(policy("shop/in", podSelector=app("server"), ingress=rules))
    stage.until(lambda: stage.shut(CLIENT, SERVER), "the policy is obeyed")
    stage.cluster.put(namespace("shop", **{"in": "yes"}))
    stage.until(lambda: stage.open(CLIENT, SERVER), "the label is seen")


def test_an_address_means_the_pod_that_has_it_now(stage: Stage) -> None:
    stage.deny_now(SERVER)
    others = {**PLACES, "shop/next": PLACES[SERVER]}
    del others[SERVER]
    stage.nodes.become(others)
    stage.cluster.remove(("Pod", "shop", "server"))
    stage.cluster.put(pod_of("shop/next", PLACES[SERVER]))
    stage.until(lambda: stage.open(CLIENT, "shop/next"), "the address is free")


def test_no_packet_is_lost_or_leaks_while_agents_crash_and_come_back(
    stage: Stage,
) -> None:
    stage.deny_now(SERVER)
    with load(stage) as told:
        for _ in range(2):
            each(stage, "kill")
            stage.start()
    assert (told.failures, told.leaked) == ([], 0)


def test_what_changed_meanwhile_is_true_after_a_restart(stage: Stage) -> None:
    stage.deny_now(SERVER)
    each(stage, "kill")
    assert stage.shut(CLIENT, SERVER)
    stage.allow(SERVER)
    stage.deny(FAR)
    gone = {name: at for name, at in PLACES.items() if name != SERVER}
    moved = {**gone, "shop/next": PLACES[SERVER]}
    stage.nodes.become(moved)
    stage.cluster.remove(("Pod", "shop", "server"))
    stage.cluster.put(pod_of("shop/next", PLACES[SERVER]))
    stage.start()
    assert stage.open(CLIENT, "shop/next")
    assert stage.shut(CLIENT, FAR)


def test_rules_stay_when_it_is_told_to_end(stage: Stage) -> None:
    stage.deny_now(SERVER)
    for agent in stage.agents.values():
        assert agent.terminate()[0] == 0
    assert stage.shut(CLIENT, SERVER)


def test_cleanup_opens_everything_and_leaves_no_table(stage: Stage) -> None:
    stage.deny_now(SERVER)
    for agent in stage.agents.values():
        agent.terminate()
        assert agent.command("cleanup")[0] == 0
    assert stage.open(CLIENT, SERVER)
    for name in NODES:
        with stage.nodes.inside(node(name)):
            tables = subprocess.run(
                ["nft", "list", "tables"], capture_output=True, check=True, text=True
            )
        assert "ringfence" not in tables.stdout


def test_an_established_connection_that_is_denied_is_cut(stage: Stage) -> None:
    server = stage.traffic(SERVER, "serve", str(SERVED))
    held = stage.traffic(CLIENT, "held", first(SERVER), str(SERVED))
    stage.deny(SERVER)
    assert held.wait()["ended"]["error"] == "ConnectionResetError"
    server.end()


def test_a_connection_on_which_only_the_server_speaks_is_cut(stage: Stage) -> None:
    server = stage.traffic(SERVER, "pour", str(SERVED))
    silent = stage.traffic(CLIENT, "drink", first(SERVER), str(SERVED))
    stage.deny(SERVER)
    assert server.wait()["ended"]["error"] == "ConnectionResetError"
    silent.end()


def test_an_established_connection_that_stays_allowed_is_not_cut(stage: Stage) -> None:
    far = stage.traffic(FAR, "serve", str(SERVED))
    held = stage.traffic(CLIENT, "held", first(FAR), str(SERVED))
    stage.deny_now(SERVER)
    assert held.end()["ended"] is None
    far.end()


def test_policies_are_made_with_kubectl(
    stage: Stage, kubectl: str, api_server: ControlPlane
) -> None:
    def run(*words: str, text: str = "") -> None:
        command = [kubectl, "--kubeconfig", str(api_server.kubeconfig()), *words]
        subprocess.run(command, input=text, check=True, text=True, capture_output=True)

    text = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: kubectl, namespace: shop}
spec: {podSelector: {matchLabels: {app: server}}}
"""
    run("create", "-f", "-", text=text)
    stage.until(lambda: stage.shut(CLIENT, SERVER), "create")
    opened = text.replace("}}}", "}}, ingress: [{}]}")
    run("apply", "-f", "-", text=opened)
    stage.until(lambda: stage.open(CLIENT, SERVER), "apply")
    run("apply", "-f", "-", text=text)
    stage.until(lambda: stage.shut(CLIENT, SERVER), "apply again")
    run("label", "pod", "-n", "shop", "server", "app=other", "--overwrite")
    stage.until(lambda: stage.open(CLIENT, SERVER), "label")
    run("label", "pod", "-n", "shop", "server", "app=server", "--overwrite")
    stage.until(lambda: stage.shut(CLIENT, SERVER), "label back")
    run("delete", "-n", "shop", "networkpolicy", "kubectl")
    stage.until(lambda: stage.open(CLIENT, SERVER), "delete")
