"""The agent's settings: flags, then the environment, then the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.agent import service
from ringfence.agent.config import Config, Established, Mode, UnknownPods
from ringfence.agent.inspection.audit import Findings
from ringfence.cli.main import run
from ringfence.ruleset.ir import Hook


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The settings of the agents that would have been started."""
    taken: list[Config] = []
    monkeypatch.setattr(service, "serve", taken.append)
    return taken


def start(*arguments: str) -> int:
    return run("ringfence", ["agent", "run", *arguments])


def test_every_setting_has_a_default(served: list[Config]) -> None:
    assert start("--node", "n1") == 0
    assert served == [Config(node="n1", flow_socket="/run/ringfence/flows.sock")]


def test_flags_say_everything(served: list[Config]) -> None:
    flags = (
        *("--node", "n1", "--mode", "audit", "--unknown-pods", "closed"),
        *("--established", "keep", "--hook", "postrouting", "--flow-log", "-"),
        *("--flow-socket", "", "--sample-allowed", "7", "--audit-interval", "1m30s"),
        *("--listen", "[::]:9000", "--kubeconfig", "k", "--context", "c"),
    )
    assert start(*flags) == 0
    assert served == [
        Config(
            node="n1",
            kubeconfig="k",
            context="c",
            mode=Mode.AUDIT,
            unknown_pods=UnknownPods.CLOSED,
            established=Established.KEEP,
            hook=Hook.POSTROUTING,
            flow_log="-",
            flow_socket="",
            sample_allowed=7,
            audit_interval_s=90.0,
            listen=("::", 9000),
        )
    ]


def test_the_flag_wins_then_the_environment_then_the_file(
    served: list[Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "node: file\nmode: audit\nunknown-pods: closed\nsample_allowed: 3\n"
    )
    monkeypatch.setenv("RINGFENCE_NODE", "environment")
    monkeypatch.setenv("RINGFENCE_MODE", "audit")
    assert start("--config", str(file), "--mode", "enforce") == 0
    (config,) = served
    assert config.node == "environment"
    assert config.mode is Mode.ENFORCE
    assert config.unknown_pods is UnknownPods.CLOSED
    assert config.sample_allowed == 3


def test_the_node_is_what_the_pod_was_told(
    served: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_NAME", "worker-7")
    assert start() == 0
    assert served[0].node == "worker-7"


def test_a_setting_that_is_not_there_is_told_with_its_line(
    served: list[Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("mode: audit\nunknown-pod: closed\n")
    assert start("--config", str(file)) == 2
    assert not served
    told = capsys.readouterr().err
    assert f"{file}:2:1: unknown-pod: there is no such option" in told
    assert "did you mean unknown-pods?" in told


def test_a_wrong_value_in_the_file_is_told(
    served: list[Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("mode: enforced\nlisten: x\nbogus: y\n")
    assert start("--config", str(file)) == 2
    assert not served
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"error: {file}:1:1: mode: 'enforced' is not one of 'enforce', 'audit'.",
        f'error: {file}:2:1: listen: "x" is no ADDRESS:PORT',
        f"error: {file}:3:1: bogus: there is no such option",
    ]


def test_the_file_of_the_agent_is_read_by_who_verifies_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken: list[Config] = []

    def looked(config: Config) -> Findings:
        taken.append(config)
        return Findings(missing=False, differences=(), disagreements=(), judged=0)

    monkeypatch.setattr("ringfence.agent.verify.verify_node", looked)
    file = tmp_path / "agent.yaml"
    file.write_text("node: n1\nmode: audit\nlisten: 127.0.0.1:9000\n")
    assert run("ringfence", ["agent", "verify", "--config", str(file)]) == 0
    assert taken == [Config(node="n1", mode=Mode.AUDIT)]


@pytest.mark.parametrize("value", ["9477", ":x", "localhost:70000"])
def test_a_place_to_listen_is_an_address_and_a_port(
    value: str, served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--listen", value) == 2
    assert not served
    assert f'"{value}" is no ADDRESS:PORT' in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(
    served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--config", "/nowhere/agent.yaml") == 2
    assert not served
    assert (
        "/nowhere/agent.yaml: --config: No such file or directory"
        in capsys.readouterr().err
    )
