"""``agent verify`` and ``agent status``: a look at a node from beside its agent."""

from __future__ import annotations

import json

import pytest

from agent.agents import START_S
from agent.nodes import node
from agent.stage import PLACES, SERVER, Stage

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]


def verified(stage: Stage, *flags: str) -> tuple[int, str]:
    agent = stage.agents["n1"]
    place = ("--kubeconfig", str(stage.plane.kubeconfig()), "--node", "n1")
    return agent.command("verify", *place, *flags)


def nft(stage: Stage, *words: str) -> None:
    process = stage.nodes.start(node("n1"), ["nft", *words], None)
    process.communicate(timeout=START_S)
    assert process.returncode == 0


def test_a_kernel_that_holds_what_it_should_is_clean(stage: Stage) -> None:
    stage.deny_now(SERVER)
    code, output = verified(stage)
    assert code == 0, output
    assert "the kernel holds the desired table" in output
    assert "0 differ" in output


def test_what_somebody_took_out_is_named_and_not_mended(stage: Stage) -> None:
    stage.deny_now(SERVER)
    stage.agents["n1"].kill()  # it would mend it
    address = str(PLACES[SERVER].addresses[0])
    nft(stage, "delete", "element", "inet", "ringfence", "in4", f"{{ {address} }}")
    for _ in range(2):
        code, output = verified(stage)
        assert code == 1
        assert f"map in4 lacks {address} -> in/shop/deny-server" in output
        assert "is denied, by the rules it passes" in output
    document = json.loads(verified(stage, "-o", "json")[1])
    assert document["schema"] == "ringfence/audit/v1"
    assert not document["clean"]
    assert document["disagreements"]


def test_a_node_without_a_table_is_not_clean(stage: Stage) -> None:
    for agent in stage.agents.values():
        agent.terminate()
    assert stage.agents["n1"].command("cleanup")[0] == 0
    code, output = verified(stage)
    assert code == 1
    assert "nothing is enforced" in output


def test_the_status_says_ready_and_why_not(stage: Stage) -> None:
    agent = stage.agents["n1"]
    listen = ("--listen", "127.0.0.1:9477")
    code, output = agent.command("status", *listen)
    assert code == 0
    assert "ready: true" in output
    agent.kill()
    assert agent.command("status", *listen)[0] == 2
    assert "no agent answers: Connection refused" in agent.said()
