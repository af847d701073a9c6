"""One text installs the agent; the kustomize base is it, and it is valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringfence.deploy.manifests import NAME, SELECTOR, Install, manifests, removal
from ringfence.errors import InputError
from ringfence.manifest.reader import read_documents

DEPLOY = Path(__file__).parents[3] / "deploy"


def objects(install: Install) -> dict[str, Any]:
    """Return the objects by kind."""
    found = read_documents(manifests(install).encode(), "agent.yaml")
    values: list[Any] = [document.value for document in found]
    return {value["kind"]: value for value in values}


def container(install: Install) -> Any:
    pod = objects(install)["DaemonSet"]["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return only


def test_the_kustomize_base_is_the_text_of_the_command() -> None:
    assert (DEPLOY / "kustomize" / "agent.yaml").read_text() == manifests(Install())


def test_namespace_image_and_mode_are_the_ones_asked_for() -> None:
    install = Install("1984", "10.0.0.1:5000/net/ringfence:1.2@sha256:" + 64 * "a")
    found = objects(install)
    places = {
        found["Namespace"]["metadata"]["name"],
        found["DaemonSet"]["metadata"]["namespace"],
        found["ServiceAccount"]["metadata"]["namespace"],
        found["ClusterRoleBinding"]["subjects"][0]["namespace"],
    }
    assert places == {"1984"}
    assert container(install)["image"] == install.image


def test_the_mode_is_handed_to_the_agent() -> None:
    given = {
        one["name"]: one.get("value") for one in container(Install(mode="audit"))["env"]
    }
    assert given["RINGFENCE_MODE"] == "audit"


def test_the_agent_has_one_capability_and_may_gain_none() -> None:
    security = container(Install())["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False


def test_the_agent_may_read_and_nothing_else() -> None:
    rules = objects(Install())["ClusterRole"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {
        "get",
        "list",
        "watch",
    }


def test_no_pod_of_the_agent_cleans_up_when_it_stops() -> None:
    assert "lifecycle" not in container(Install())


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "Ring"},
        {"namespace": "a" * 64},
        {"namespace": "a\nb: c"},
        {"image": "Ring:1"},
        {"image": "ring fence"},
        {"image": 'ring"\nkind: Pod'},
        {"mode": "learn"},
    ],
)
def test_a_value_that_no_cluster_takes_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Install(**wrong)


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Install("Ring", "Ring")
    assert len(caught.value.problems) == 2


def test_nodes_are_cleaned_after_the_agents_are_stopped() -> None:
    commands = removal(Install("net", "net/ringfence:2"))
    stopped = commands.index(f"delete daemonset {NAME} --namespace=net")
    cleaned = commands.index("--image=net/ringfence:2 -- ringfence agent cleanup")
    assert stopped < cleaned < commands.index("delete namespace net")


def test_the_pods_that_are_waited_for_are_the_agents() -> None:
    labels = objects(Install())["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    assert dict(one.split("=") for one in SELECTOR.split(",")) == labels
