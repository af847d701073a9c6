"""``agent install`` prints; what it prints, the agent understands."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.core import ParameterSource

from ringfence.cli.agent import run as agent_run
from ringfence.cli.main import run
from ringfence.deploy.manifests import Install, manifests
from ringfence.manifest.reader import read_documents


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run("ringfence", ("agent", *words))
    written = capsys.readouterr()
    return code, written.out, written.err


def environment() -> dict[str, str]:
    """Return what the DaemonSet's container has; the node's name comes from the API."""
    found: list[Any] = [
        document.value
        for document in read_documents(manifests(Install()).encode(), "agent.yaml")
    ]
    (daemonset,) = (value for value in found if value["kind"] == "DaemonSet")
    (container,) = daemonset["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["agent", "run"]
    return {one["name"]: one.get("value", "worker-1") for one in container["env"]}


def test_the_manifests_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("install", "--mode", "audit", "--image=net/ringfence:2", "-n", "net")
    expected = manifests(Install("net", "net/ringfence:2", "audit"))
    assert said(capsys, *words) == (0, expected, "")


def test_a_wrong_image_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "install", "--image=Net:1")
    assert (code, out) == (2, "")
    assert err.startswith('error: --image: "Net:1" is no image (')
    assert err.count("\n") == 1


def test_the_cluster_is_only_chosen_to_apply(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(capsys, "install", "--context=prod")
    assert (code, out) == (2, "")
    assert "--kubeconfig and --context need --apply" in err


def test_a_missing_kubectl_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = said(capsys, "install", "--apply")
    assert code == 2
    assert "kubectl is not installed" in err


def test_the_way_out_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "uninstall", "--namespace=net")
    assert code == 0
    assert "kubectl delete namespace net\n" in out


@pytest.mark.parametrize("name", sorted(environment()))
def test_every_setting_of_the_daemonset_reaches_the_agent(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environment().items():
        monkeypatch.setenv(key, value)
    context = agent_run.make_context("run", [])
    option = "--" + name.removeprefix("RINGFENCE_").lower().replace("_", "-")
    (parameter,) = (
        one
        for one in agent_run.params
        if isinstance(one, click.Option) and option in one.opts
    )
    assert parameter.name is not None
    assert context.get_parameter_source(parameter.name) is ParameterSource.ENVIRONMENT
