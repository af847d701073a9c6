"""The flow log from a packet that is denied to the line that a person reads."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.agents import START_S, Agent
from agent.cluster import policy
from agent.nodes import node
from agent.stage import CLIENT, FAR, PLACES, PORT, SERVER, Stage, app, staged
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

NAME = "n1"
OTHERS_MAY = {"from": [{"podSelector": app("Client")}], "ports": [{"port": PORT}]}
Record = dict[str, Any]


class Logging(Agent):
    """The agent of n1 with every way out for its flow records."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.path, self.socket = directory / "flows.jsonl", directory / "flows.sock"
        ways = ("--flow-log", str(self.path), "--flow-socket", str(self.socket))
        config = stage.plane.kubeconfig()
        super().__init__(stage.nodes, NAME, config, *ways, "--sample-allowed", "50")

    def flows(self) -> list[Record]:
        text = self.path.read_text() if self.path.exists() else ""
        # The last line may be half written.
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line)["flow"] for line in lines]

    def observe(self, *words: str) -> subprocess.Popen[bytes]:
        """Start ``ringfence observe`` on the node."""
        server = ("--server", f"unix:{self.socket}")
        command = [sys.executable, "-m", "ringfence", "observe", *server, *words]
        return self._nodes.start(node(NAME), command, None)


@pytest.fixture(scope="module")
def running(api_server: ControlPlane) -> Iterator[Stage]:
    with staged(api_server, Cni.ROUTED) as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.settle(PLACES)
    return running


@pytest.fixture
def agent(stage: Stage, tmp_path: Path) -> Iterator[Logging]:
    """The agent, and a policy of SERVER's that CLIENT all but meets."""
    rules = [OTHERS_MAY]
    stage.cluster.put(policy("shop/p", podSelector=app("server"), ingress=rules))
    made = Logging(stage, tmp_path)
    made.start()
    try:
        made.await_ready()
        yield made
    finally:
        made.close()


def found(agent: Logging, stage: Stage, holds: Callable[[Record], bool]) -> Record:
    """Return the first record that is so, once it is written."""
    stage.until(lambda: any(map(holds, agent.flows())), "the flow is logged")
    return next(filter(holds, agent.flows()))


def of(verdict: str, source: str, destination: str) -> Callable[[Record], bool]:
    """Return whether a record is of this verdict between these pods."""

    def holds(flow: Record) -> bool:
        ends = [flow[end].get("pod_name") for end in ("source", "destination")]
        names = [name.partition("/")[2] for name in (source, destination)]
        return flow["verdict"] == verdict and ends == names

    return holds


def test_a_denied_connection_is_told_with_what_it_missed(
    agent: Logging, stage: Stage
) -> None:
    assert stage.shut(CLIENT, SERVER)
    flow = found(agent, stage, of("DROPPED", CLIENT, SERVER))
    assert flow["node_name"] == NAME
    assert flow["traffic_direction"] == "INGRESS"
    assert flow["source"]["namespace"] == "shop"
    assert flow["l4"]["TCP"]["destination_port"] == PORT
    assert [each["name"] for each in flow["policies"]] == ["p"]
    assert "Client" in json.dumps(flow["nearest_miss"])
    denied = (
        'ringfence_denied_flows_total{direction="ingress",mode="enforce",'
        'namespace="shop"}'
    )
    assert agent.metric(denied) >= 1


def test_an_allowed_connection_may_be_sampled(agent: Logging, stage: Stage) -> None:
    assert stage.open(SERVER, FAR)
    found(agent, stage, of("FORWARDED", SERVER, FAR))


def test_what_audit_would_deny_passes_and_is_told(agent: Logging, stage: Stage) -> None:
    annotate(stage, "audit")
    stage.until(lambda: stage.open(CLIENT, SERVER), "nothing is dropped")
    flow = found(agent, stage, of("AUDIT", CLIENT, SERVER))
    assert [each["name"] for each in flow["policies"]] == ["p"]
    annotate(stage, None)
    stage.until(lambda: stage.shut(CLIENT, SERVER), "it is enforced again")


def annotate(stage: Stage, mode: str | None) -> None:
    change = {"metadata": {"annotations": {"ringfence.dev/mode": mode}}}
    path, kind = "/api/v1/namespaces/shop", "application/merge-patch+json"
    stage.plane.ask("PATCH", path, change, kind)


def test_denials_are_observed_live_and_afterwards(agent: Logging, stage: Stage) -> None:
    words = ("--verdict", "DROPPED", "--to-pod", SERVER)
    live = agent.observe("-f", *words)
    assert live.stdout is not None
    # Until it is connected: whoever follows is told what comes from then on.
    stage.until(lambda: stage.shut(CLIENT, SERVER) and ready(live), "a line comes")
    line = live.stdout.readline().decode()
    assert "shop/client" in line
    assert "policy-verdict:shop/p INGRESS DENIED" in line
    live.kill()
    live.communicate()
    output, _ = agent.observe("--last", "1", *words, "-o", "json").communicate()
    (told,) = output.splitlines()
    assert of("DROPPED", CLIENT, SERVER)(json.loads(told)["flow"])


def ready(program: subprocess.Popen[bytes]) -> bool:
    assert program.stdout is not None
    return bool(select.select([program.stdout], [], [], 0.5)[0])


def test_a_log_that_was_moved_away_goes_on_in_a_new_file(
    agent: Logging, stage: Stage
) -> None:
    assert stage.shut(CLIENT, SERVER)
    found(agent, stage, of("DROPPED", CLIENT, SERVER))
    agent.path.rename(agent.path.with_suffix(".1"))
    stage.until(
        lambda: stage.shut(CLIENT, SERVER) and bool(agent.flows()), "a new file"
    )
    agent.path.unlink()
    stage.until(
        lambda: stage.shut(CLIENT, SERVER) and bool(agent.flows()), "another one"
    )


def test_nobody_who_reads_or_not_keeps_the_agent_from_ending(
    agent: Logging, stage: Stage
) -> None:
    lazy = agent.observe("-f")
    stage.until(lambda: stage.shut(CLIENT, SERVER), "there is something to say")
    assert agent.terminate()[0] == 0
    lazy.communicate(timeout=START_S)
    assert not agent.socket.exists()
    assert "trace" not in agent.said()
