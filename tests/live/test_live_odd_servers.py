"""Servers that are old, busy, slow, lenient, or none at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from live.commands import Said, ringfence
from live.loopback import EMPTY, Answer, Reply, Request, serving, write_config


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {}}


def policy(name: str, **spec: object) -> dict[str, Any]:
    made = {"uid": "u", "resourceVersion": "1", "managedFields": [{"manager": "x"}]}
    metadata = {"name": name, "namespace": "default", **made}
    return {"metadata": metadata, "spec": {"podSelector": {}, **spec}, "status": {}}


def listing(*entries: dict[str, Any], following: str = "") -> Reply:
    return Reply({**EMPTY, "metadata": {"continue": following}, "items": entries})


def ask(
    capsys: pytest.CaptureFixture[str], path: Path, answer: Answer, *more: str
) -> Said:
    with serving(answer) as url:
        config = write_config(path / "config", url)
        words = ("get", "pods", "-o", "name", "--live", "--kubeconfig", config, *more)
        return ringfence(capsys, *words)


def test_a_list_that_expires_between_pages_begins_anew(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    expired = [Reply({"kind": "Status", "reason": "Expired"}, 410)]

    def answer(request: Request) -> Reply | None:
        if request.resource != "pods":
            return None
        if "continue" not in request.query:
            return listing(pod("a"), following="next")
        return expired.pop() if expired else listing(pod("b"))

    said = ask(capsys, tmp_path, answer)
    assert said.out.split() == ["default/a", "default/b"]


def test_a_busy_server_is_asked_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    busy = [Reply({"kind": "Status"}, 429, {"Retry-After": "0"})] * 2

    def answer(request: Request) -> Reply | None:
        if request.resource != "pods":
            return None
        return busy.pop() if busy else listing(pod("a"))

    assert ask(capsys, tmp_path, answer).out.split() == ["default/a"]


def test_a_null_list_is_an_empty_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = ask(capsys, tmp_path, lambda _: Reply({**EMPTY, "items": None}))
    assert (said.code, said.out) == (0, "")


def test_a_page_for_people_is_no_api_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = ask(capsys, tmp_path, lambda _: Reply(b"<html>Sign in</html>"))
    assert said.code == 2
    assert "does not answer as a Kubernetes API server (HTTP 200)" in said.err


def test_what_an_old_cluster_does_not_serve_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = Reply({"kind": "Status", "message": "not found"}, 404)
    said = ask(capsys, tmp_path, lambda r: gone if r.resource == "cronjobs" else None)
    assert said.code == 2
    assert "does not serve cronjobs of batch/v1" in said.err


def test_a_server_that_fails_is_quoted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = Reply({"kind": "Status", "message": "etcdserver: no leader"}, 500)
    said = ask(capsys, tmp_path, lambda _: broken)
    assert said.err.count("etcdserver: no leader") == 1


def test_stored_host_bits_mean_what_the_server_takes_them_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    block = {"ipBlock": {"cidr": "10.0.0.7/8"}}

    def answer(request: Request) -> Reply | None:
        stored = policy("old", ingress=[{"from": [block]}])
        lists = {"networkpolicies": listing(stored), "pods": listing(pod("a"))}
        return lists.get(request.resource)

    with serving(answer) as url:
        config = write_config(tmp_path / "config", url)
        live = ("--live", "--kubeconfig", config)
        assert ringfence(capsys, "can", "10.200.0.1", "a:80", *live).code == 0
        assert ringfence(capsys, "can", "11.0.0.1", "a:80", *live).code == 1


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"ingress": [{"from": [{"newPeer": {}}]}]}, "newPeer"),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}},
            "operator",
        ),
    ],
)
def test_a_policy_that_is_not_understood_is_named_and_nothing_is_answered(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    spec: dict[str, Any],
    complaint: str,
) -> None:
    def answer(request: Request) -> Reply | None:
        found = listing(policy("odd", **spec))
        return found if request.resource == "networkpolicies" else None

    said = ask(capsys, tmp_path, answer)
    assert (said.code, said.out) == (2, "")
    assert "live:there networkpolicies/default/odd: " in said.err
    assert complaint in said.err


def test_a_job_that_has_ended_stands_for_no_pods(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def job(name: str, status: str) -> dict[str, Any]:
        conditions = [{"type": "Complete", "status": status}]
        return {**pod(name), "status": {"conditions": conditions}}

    jobs = listing(job("done", "True"), job("todo", "False"))
    said = ask(capsys, tmp_path, lambda r: jobs if r.resource == "jobs" else None)
    assert said.out.split() == ["default/todo-0"]


def test_a_server_that_says_nothing_is_not_waited_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = Event()

    def answer(_: Request) -> None:
        told.wait(10)

    with serving(answer) as url:
        config = write_config(tmp_path / "config", url)
        live = ("--live", "--kubeconfig", config, "--request-timeout", "50ms")
        said = ringfence(capsys, "get", "pods", *live)
        told.set()
    assert said.code == 2
    assert "does not answer in time" in said.err


def test_an_address_below_a_path_is_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> None:
        asked.append(request.path)

    with serving(answer) as url:
        config = write_config(tmp_path / "config", f"{url}/k8s/clusters/c-1/")
        live = ("--live", "--kubeconfig", config)
        assert ringfence(capsys, "get", "pods", *live).code == 0
    assert asked[0] == "/k8s/clusters/c-1/api/v1/namespaces"


def test_nothing_of_the_client_is_loaded_for_files(tmp_path: Path) -> None:
    path = tmp_path / "pod.json"
    path.write_text('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}')
    program = (
        "import sys; from ringfence.cli.main import run\n"
        f"assert run('ringfence', ['get', 'pods', '-f', {str(path)!r}]) == 0\n"
        "assert not {'lightkube', 'httpx2', 'msgspec', 'ssl'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_server_of_this_machine_is_asked_past_any_proxy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(capsys, tmp_path, lambda _: None).code == 0


def test_the_proxy_of_the_kubeconfig_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> None:
        asked.append(request.headers["Host"])

    with serving(answer) as url:
        path = tmp_path / "config"
        write_config(path, "http://far.invalid:8080")
        config = json.loads(path.read_text())
        config["clusters"][0]["cluster"]["proxy-url"] = url
        path.write_text(json.dumps(config))
        live = ("--live", "--kubeconfig", str(path))
        assert ringfence(capsys, "get", "pods", *live).code == 0
    assert set(asked) == {"far.invalid:8080"}


def test_a_ruleset_is_printed_for_a_cluster(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    node = {"metadata": {"name": "n1"}, "status": {"addresses": []}}
    on_node = pod("a") | {
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        "status": {"podIP": "10.0.0.1"},
    }
    lists = {
        "nodes": listing(node),
        "pods": listing(on_node),
        "networkpolicies": listing(policy("deny")),
    }
    with serving(lambda request: lists.get(request.resource)) as url:
        config = write_config(tmp_path / "config", url)
        words = ("ruleset", "--node", "n1", "--live", "--kubeconfig", config)
        said = ringfence(capsys, *words)
    assert said.code == 0, said.err
    assert "10.0.0.1" in said.out
