"""What installs the agent, before a real API server: text, kustomize base and chart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from controlplane.build import HELM, NoToolchainError, programs
from controlplane.servers import ControlPlane
from ringfence.adapters.kubernetes.resources import FOLLOWED
from ringfence.deploy.manifests import Install, manifests, removal
from ringfence.manifest.reader import read_documents

pytestmark = pytest.mark.controlplane

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "ringfence"
DRY = ("apply", "--server-side", "--dry-run=server")
DIFF = ("diff", "--server-side", "--field-manager=ringfence")
KUBE = "--kube-version=1.36.3"
CHARTS_OWN = {
    "app.kubernetes.io/managed-by": "Helm",
    "app.kubernetes.io/instance": "ringfence",
    "helm.sh/chart": "ringfence-0.1.0",
}
ACCOUNT = "system:serviceaccount:ringfence:ringfence-agent"
NEEDS = {
    (resource.group, resource.plural, verb)
    for resource in FOLLOWED
    for verb in ("get", "list", "watch")
}


class Ran(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


def run(*command: str | Path, text: str = "", path: Path | None = None) -> Ran:
    environment = dict(os.environ)
    if path is not None:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    ended = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def helm() -> Path:
    """The program helm."""
    try:
        return programs(HELM) / "helm"
    except NoToolchainError as error:
        pytest.skip(f"helm is built from source: {error}")


def rendered(helm: Path, *values: str) -> Ran:
    settings = [f"--set-json={value}" for value in values]
    words = ("template", "ringfence", CHART, "--namespace=ringfence", KUBE)
    return run(helm, *words, *settings)


def objects(text: str) -> list[Any]:
    return [document.value for document in read_documents(text.encode(), "rendered")]


@pytest.fixture
def namespace(plane: ControlPlane) -> ControlPlane:
    """The API server, with the agent's namespace in it."""
    plane.create(
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ringfence"}}]
    )
    return plane


class Cluster(NamedTuple):
    """kubectl as the administrator calls it."""

    kubectl: Path
    config: Path

    def __call__(self, *words: str, text: str = "") -> Ran:
        return run(self.kubectl, f"--kubeconfig={self.config}", *words, text=text)


@pytest.fixture
def cluster(namespace: ControlPlane, kubectl: Path) -> Cluster:
    return Cluster(kubectl, namespace.kubeconfig())


@pytest.fixture
def installed(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the agent's objects, for a test."""
    text = manifests(Install())
    applied = cluster("apply", "--server-side", "-f", "-", text=text)
    assert applied.code == 0, applied.err
    yield cluster
    names = ("clusterrole/ringfence-agent", "clusterrolebinding/ringfence-agent")
    cluster("delete", *names)
    kinds = ("daemonset/ringfence-agent", "serviceaccount/ringfence-agent")
    cluster("delete", "--namespace=ringfence", *kinds)


def test_the_text_passes_a_server_side_dry_run(cluster: Cluster) -> None:
    ran = cluster(*DRY, "-f", "-", text=manifests(Install()))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("(server dry run)") == 5


def test_the_kustomize_base_passes_a_server_side_dry_run(cluster: Cluster) -> None:
    base = str(DEPLOY / "kustomize")
    ran = cluster(*DRY, "-k", base)
    assert (ran.code, ran.err) == (0, "")


def test_the_chart_passes_a_server_side_dry_run(cluster: Cluster, helm: Path) -> None:
    chart = rendered(helm)
    assert chart.code == 0, chart.err
    ran = cluster(*DRY, "-f", "-", text=chart.out)
    assert (ran.code, ran.err) == (0, "")


def test_the_chart_renders_the_objects_of_the_text(helm: Path) -> None:
    def comparable(value: Any) -> tuple[str, Any]:
        labels = value["metadata"]["labels"]
        kept = {key: label for key, label in labels.items() if key not in CHARTS_OWN}
        return value["kind"], {
            **value,
            "metadata": {**value["metadata"], "labels": kept},
        }

    chart = dict(map(comparable, objects(rendered(helm).out)))
    text = dict(map(comparable, objects(manifests(Install()))))
    del text["Namespace"]
    assert chart == text


def test_the_chart_names_itself_on_every_object(helm: Path) -> None:
    for value in objects(rendered(helm).out):
        assert CHARTS_OWN.items() <= value["metadata"]["labels"].items()


def test_helm_finds_nothing_to_say_about_the_chart(helm: Path) -> None:
    ran = run(helm, "lint", "--strict", KUBE, CHART)
    assert ran.code == 0, ran.out


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('mode="learn"', "mode"),
        ('moed="audit"', "moed"),
        ('flowSocket="/etc/passwd"', "flowSocket"),
        ("podMonitor.enabled=true", "listen: 0.0.0.0:9477"),
    ],
)
def test_the_chart_refuses_a_wrong_value(helm: Path, value: str, words: str) -> None:
    ran = rendered(helm, value)
    assert ran.code != 0
    assert words in ran.err


def test_the_chart_lets_prometheus_in_where_asked(helm: Path) -> None:
    ran = rendered(helm, "podMonitor.enabled=true", 'listen="[::]:9000"')
    found = {value["kind"]: value for value in objects(ran.out)}
    (container,) = found["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 9000}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 9000}
    assert found["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"


def test_a_pod_of_the_agent_breaks_the_baseline_in_what_it_must(
    cluster: Cluster,
) -> None:
    warn = "pod-security.kubernetes.io/warn=baseline"
    cluster("label", "namespace", "ringfence", warn)
    (daemonset,) = (
        value for value in objects(manifests(Install())) if value["kind"] == "DaemonSet"
    )
    ran = cluster("create", "--dry-run=server", "-f", "-", text=json.dumps(daemonset))
    assert ran.code == 0, ran.err
    _, _, told = ran.err.partition('"baseline:latest": ')
    assert told == (
        'non-default capabilities (container "agent" must not include "NET_ADMIN" in '
        "securityContext.capabilities.add), host namespaces (hostNetwork=true), "
        'hostPath volumes (volume "run"), probe or lifecycle host (container "agent" '
        'uses probe or lifecycle host "127.0.0.1")\n'
    )


def test_a_pod_of_the_agent_is_admitted_as_one_that_its_node_needs(
    cluster: Cluster,
) -> None:
    (daemonset,) = (
        value for value in objects(manifests(Install())) if value["kind"] == "DaemonSet"
    )
    template = daemonset["spec"]["template"]
    identity = {"apiVersion": "v1", "kind": "Pod"}
    meta = {**template["metadata"], "name": "agent", "namespace": "ringfence"}
    pod = {**identity, "metadata": meta, "spec": template["spec"]}
    create = ("create", "--dry-run=server", "-f", "-", "-o", "json")
    ran = cluster(*create, text=json.dumps(pod))
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["spec"]["priority"] == 2_000_001_000


def test_the_account_may_do_what_the_agent_needs_and_nothing_else(
    installed: Cluster,
) -> None:
    assert rights(installed, ACCOUNT) - rights(installed, f"{ACCOUNT}-other") == NEEDS


def rights(cluster: Cluster, user: str) -> set[tuple[str, str, str]]:
    """Return what a user may do to resources, as the server says it."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "ringfence"},
    }
    words = ("create", "-f", "-", "-o", "json", "--validate=false", f"--as={user}")
    ran = cluster(*words, text=json.dumps(review))
    assert ran.code == 0, ran.err
    status = json.loads(ran.out)["status"]
    assert not status["incomplete"]
    return {
        (group, resource, verb)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_command_applies_what_it_prints(cluster: Cluster) -> None:
    words = ("agent", "install", "--apply", f"--kubeconfig={cluster.config}")
    program = (sys.executable, "-m", "ringfence")
    ran = run(*program, *words, path=cluster.kubectl.parent)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("serverside-applied") == 5
    diff = cluster(*DIFF, "-f", "-", text=manifests(Install()))
    cluster("delete", "-f", "-", "--wait=false", text=manifests(Install()))
    assert diff.code == 0, diff.out


def test_kubectls_refusal_is_told_in_its_words(cluster: Cluster) -> None:
    words = ("agent", "install", "--apply", f"--kubeconfig={cluster.config}")
    program = (sys.executable, "-m", "ringfence")
    ran = run(*program, *words, "--context=elsewhere", path=cluster.kubectl.parent)
    assert ran.code == 2
    assert 'context "elsewhere" does not exist' in ran.err


def test_the_commands_of_the_way_out_remove_all(
    installed: Cluster, namespace: ControlPlane
) -> None:
    name, labels = "worker", {"kubernetes.io/os": "linux"}
    node = {"apiVersion": "v1", "kind": "Node"}
    namespace.create([{**node, "metadata": {"name": name, "labels": labels}}])
    stop_and_clean, _, rest = removal(Install()).partition("kubectl wait pod --all")
    wait, _, take_back = rest.partition("\n")
    assert shell(installed, stop_and_clean).code == 0
    (pod,) = json.loads(
        installed("get", "pods", "--namespace=ringfence", "-o", "json").out
    )["items"]
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["hostNetwork"]
    assert pod["spec"]["nodeName"] == name
    assert "NET_ADMIN" in container["securityContext"]["capabilities"]["add"]
    assert container["command"] == ["ringfence", "agent", "cleanup"]
    status = json.dumps({"status": {"phase": "Succeeded"}})
    patch = ("patch", "pod", pod["metadata"]["name"], "--subresource=status")
    installed(*patch, "--type=merge", "-p", status, "--namespace=ringfence")
    assert shell(installed, f"kubectl wait pod --all{wait}").code == 0
    # No controller is there that would end the namespace.
    ran = shell(installed, take_back.replace("delete namespace", "get namespace"))
    assert ran.code == 0, ran.err
    left = installed("get", "daemonset,clusterrole", "-A", "-o", "name").out
    assert "ringfence" not in left


def shell(cluster: Cluster, script: str) -> Ran:
    """Run a script as an administrator does, with kubectl on the PATH."""
    script = f"export KUBECONFIG={cluster.config}\n{script}"
    return run("bash", "-euc", script, path=cluster.kubectl.parent)
