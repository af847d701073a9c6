"""A real API server followed: what is told is what is there, in order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.cluster import pod_object
from controlplane.servers import ControlPlane, control_plane
from live.following import await_end, following, name_of, names, reflecting
from live.proxy import proxied
from ringfence.adapters.kubernetes.deltas import Changed, Down, Listed, Up
from ringfence.adapters.kubernetes.kubeconfig import Choice, choose_access
from ringfence.model.netpol import NetworkPolicy

pytestmark = pytest.mark.controlplane

NETWORKING = "networking.k8s.io"
POLICIES = f"/apis/{NETWORKING}/v1/namespaces/default/networkpolicies"
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"
RBAC = "rbac.authorization.k8s.io"
both_ways = pytest.mark.parametrize("streaming", [True, False])


def make(plane: ControlPlane, *policies: str) -> None:
    for name in policies:
        plane.ask("POST", POLICIES, {"metadata": {"name": name}, "spec": {}})


def make_pod(plane: ControlPlane, name: str, *addresses: str) -> None:
    """Make a pod of a node; without addresses it is one that has not come up."""
    pod = dict(pod_object(f"default/{name}", "n1", addresses or ["192.0.2.1"]))
    if not addresses:
        pod.pop("status")
    plane.create([pod])


def remove(plane: ControlPlane, policy: str) -> None:
    plane.ask("DELETE", f"{POLICIES}/{policy}")


@contextmanager
def granted(plane: ControlPlane, user: str, *verbs: str) -> Iterator[None]:
    """Let a user do this with NetworkPolicies for a block."""
    said = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": f"follow-{verbs[0]}"}}
    rule = {"apiGroups": [NETWORKING], "resources": ["networkpolicies"]}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"follow-{verbs[0]}"}
    subject = {"apiGroup": RBAC, "kind": "User", "name": user}
    bound = {"roleRef": role, "subjects": [subject]}
    made: list[dict[str, Any]] = [
        {"kind": "ClusterRole", "rules": [{**rule, "verbs": list(verbs)}], **said},
        {"kind": "ClusterRoleBinding", **bound, **said},
    ]
    plane.create(made)
    try:
        yield
    finally:
        for manifest in made:
            plural = f"{manifest['kind'].lower()}s"
            plane.ask("DELETE", f"/apis/{RBAC}/v1/{plural}/follow-{verbs[0]}")


def config_with(plane: ControlPlane, path: Path, user: dict[str, Any]) -> Path:
    config = json.loads(plane.kubeconfig().read_text())
    config["users"][0]["user"] = user
    (path / "config").write_text(json.dumps(config))
    return path / "config"


@both_ways
def test_what_is_there_comes_first_and_changes_follow_in_order(
    plane: ControlPlane, streaming: bool
) -> None:
    make(plane, "a", "b")
    with following(
        plane.kubeconfig(), "NetworkPolicy", streaming=streaming
    ) as followed:
        assert names(followed.next(Listed)) == ["a", "b"]
        make(plane, "c")
        patch: dict[str, Any] = {"spec": {"ingress": [{}]}}
        plane.ask("PATCH", f"{POLICIES}/a", patch, MERGE)
        remove(plane, "b")
        told = [followed.next(Changed) for _ in range(3)]
    assert [(name_of(delta), delta.stored is None) for delta in told] == [
        ("c", False),
        ("a", False),
        ("b", True),
    ]
    changed = told[1].stored
    assert changed is not None
    assert isinstance(changed.value, NetworkPolicy)
    assert len(changed.value.ingress) == 1
    assert changed.version == told[1].version


@pytest.mark.parametrize("count", [3, 4, 5])
def test_pages_make_one_list_without_gaps_or_twins(
    plane: ControlPlane, count: int
) -> None:
    wanted = [f"p{number}" for number in range(count)]
    make(plane, *wanted)
    config = plane.kubeconfig()
    with following(config, "NetworkPolicy", streaming=False, page=2) as followed:
        listed = followed.next(Listed)
    assert names(listed) == wanted
    assert len(listed.objects) == count


@both_ways
def test_an_empty_list_is_told_too(plane: ControlPlane, streaming: bool) -> None:
    with following(
        plane.kubeconfig(), "NetworkPolicy", streaming=streaming
    ) as followed:
        assert followed.next(Listed).objects == ()


def test_a_server_whose_streaming_lists_are_off_is_asked_for_pages(
    built: Path, tmp_path: Path
) -> None:
    off = "--feature-gates=WatchList=false"
    with control_plane(built, tmp_path, off) as plane:
        make(plane, "a")
        config = plane.kubeconfig()
        with following(config, "NetworkPolicy", streaming=True) as followed:
            assert names(followed.next(Listed)) == ["a"]
            make(plane, "b")
            assert name_of(followed.next(Changed)) == "b"


def test_a_watch_that_is_cut_goes_on_where_it_was(
    plane: ControlPlane, tmp_path: Path
) -> None:
    make(plane, "a")
    with (
        proxied(plane, tmp_path) as (proxy, config),
        following(config, "NetworkPolicy") as followed,
    ):
        followed.next(Listed)
        proxy.refuse()
        make(plane, "b")
        remove(plane, "a")
        proxy.accept()
        gone = followed.await_named("a")
    assert gone.stored is None


def test_a_connection_that_went_silent_is_given_up(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        proxied(plane, tmp_path) as (proxy, config),
        following(config, "NetworkPolicy", watch=1.0, slack=0.2, answer=1.0) as said,
    ):
        said.next(Listed)
        proxy.stall()
        make(plane, "a")
        said.await_(Down)
        proxy.resume()
        said.await_(Up)
        said.await_named("a")


def test_a_server_that_stops_is_down_until_it_is_back(plane: ControlPlane) -> None:
    make(plane, "a")
    with following(plane.kubeconfig(), "NetworkPolicy") as followed:
        followed.next(Listed)
        plane.stop()
        try:
            down = followed.next(Down)
        finally:
            plane.start()
        assert f"{plane.url} cannot be reached: " in down.reason
        followed.await_(Up)
        make(plane, "b")
        followed.await_(Changed)


def test_what_went_while_the_past_was_forgotten_is_not_in_the_next_list(
    plane: ControlPlane, tmp_path: Path
) -> None:
    make(plane, "a", "b")
    with (
        proxied(plane, tmp_path) as (proxy, config),
        following(config, "NetworkPolicy") as followed,
    ):
        assert names(followed.next(Listed)) == ["a", "b"]
        proxy.refuse()
        make(plane, "c")
        remove(plane, "a")
        plane.stop()
        plane.start()
        plane.compact()
        proxy.accept()
        assert names(followed.await_(Listed)) == ["b", "c"]


@both_ways
def test_a_missing_verb_is_named_and_its_absence_survived(
    plane: ControlPlane, streaming: bool
) -> None:
    config = plane.kubeconfig("nobody")
    with following(config, "NetworkPolicy", streaming=streaming) as followed:
        told = 'user "nobody" lacks the verb "{}" on networkpolicies.networking.k8s.io'
        assert told.format("list") in followed.next(Down).reason
        with granted(plane, "nobody", "list"):
            followed.next(Listed)
            down = followed.next(Down)
            assert told.format("watch") in down.reason
            assert down.refused
            make(plane, "a")
            while names(followed.await_(Listed)) != ["a"]:
                pass
            with granted(plane, "nobody", "watch"):
                followed.await_(Up)
                make(plane, "b")
                followed.await_named("b")


def test_a_token_is_read_again_when_the_server_refuses_it(
    plane: ControlPlane, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("expired")
    config = config_with(plane, tmp_path, {"tokenFile": "token"})
    with following(config, "NetworkPolicy") as followed:
        assert "does not accept the credentials" in followed.next(Down).reason
        token.write_text(plane.tokens["admin"])
        followed.next(Listed)
        followed.next(Up)


def test_a_token_that_was_replaced_is_used_from_the_next_request_on(
    plane: ControlPlane, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(plane.tokens["admin"])
    config = config_with(plane, tmp_path, {"tokenFile": "token"})
    with following(config, "NetworkPolicy", watch=1.0) as followed:
        followed.next(Listed)
        token.write_text("revoked")
        assert "does not accept the credentials" in followed.next(Down).reason


def test_a_pod_follows_with_its_service_account(
    plane: ControlPlane, tmp_path: Path
) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    plane.ask("POST", accounts, {"metadata": {"name": "agent"}})
    made = plane.ask("POST", f"{accounts}/agent/token", {"spec": {}})
    (tmp_path / "token").write_text(made["status"]["token"])
    (tmp_path / "ca.crt").write_bytes(plane.authority.read_bytes())
    (tmp_path / "namespace").write_text("kube-system")
    access = choose_access(
        Choice(),
        {
            "KUBECONFIG": str(tmp_path / "none"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(plane.port),
        },
        service_account=tmp_path,
    )
    assert access.namespace == "kube-system"
    user = "system:serviceaccount:default:agent"
    with (
        granted(plane, user, "list", "watch"),
        reflecting(access, "NetworkPolicy") as followed,
    ):
        assert followed.next(Listed).objects == ()
    plane.ask("DELETE", f"{accounts}/agent")


def test_a_program_that_logs_in_is_run_again_when_its_token_expired(
    plane: ControlPlane, tmp_path: Path
) -> None:
    version = "client.authentication.k8s.io/v1"
    (tmp_path / "tokens").write_text(f"{plane.tokens['admin']}\nexpired\n")
    program = tmp_path / "login"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "file = pathlib.Path(sys.argv[0]).parent / 'tokens'\n"
        "*rest, token = file.read_text().split()\n"
        "file.write_text('\\n'.join(rest or [token]))\n"
        f"said = {{'apiVersion': '{version}', 'kind': 'ExecCredential'}}\n"
        "print(json.dumps({**said, 'status': {'token': token}}))\n"
    )
    program.chmod(0o755)
    plugin = {"apiVersion": version, "command": "./login"}
    with following(
        config_with(plane, tmp_path, {"exec": plugin}), "NetworkPolicy"
    ) as followed:
        followed.next(Listed)


def test_a_full_queue_holds_the_server_back_and_loses_nothing(
    plane: ControlPlane,
) -> None:
    with following(plane.kubeconfig(), "NetworkPolicy", room=1) as followed:
        wanted = [f"p{number:02}" for number in range(20)]
        make(plane, *wanted)
        listed = names(followed.next(Listed))
        told = [name_of(followed.next(Changed)) for _ in wanted[len(listed) :]]
    assert listed + told == wanted


def test_nothing_waits_for_a_server_that_says_nothing_when_it_is_over(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with proxied(plane, tmp_path) as (proxy, config):
        with following(config, "NetworkPolicy") as followed:
            followed.next(Listed)
            proxy.stall()
            followed.reflector.stop()
            await_end(followed.reflector)
        proxy.resume()


def test_a_queue_that_nobody_empties_ends_too(plane: ControlPlane) -> None:
    with following(plane.kubeconfig(), "NetworkPolicy", room=1) as followed:
        make(plane, "a", "b", "c")
        assert followed.reflector.alive
        followed.reflector.stop()
        await_end(followed.reflector)


def test_what_says_nothing_of_packets_is_not_told(plane: ControlPlane) -> None:
    make(plane, "a")
    with following(plane.kubeconfig(), "NetworkPolicy") as followed:
        followed.next(Listed)
        note = {"metadata": {"annotations": {"note": "1"}}}
        plane.ask("PATCH", f"{POLICIES}/a", note, MERGE)
        make(plane, "b")
        assert name_of(followed.next(Changed)) == "b"
        remove(plane, "a")
        make(plane, "a")
        told = [followed.next(Changed) for _ in range(2)]
    assert [(name_of(one), one.stored is None) for one in told] == [
        ("a", True),
        ("a", False),
    ]


def test_pods_without_an_address_wait_for_others_and_an_end_does_not(
    plane: ControlPlane,
) -> None:
    with following(plane.kubeconfig(), "Pod", rest=3600.0) as followed:
        followed.next(Listed)
        make_pod(plane, "a")
        assert followed.silent(0.5)


def test_a_pod_with_an_address_waits_for_nobody(plane: ControlPlane) -> None:
    make_pod(plane, "a", "10.9.9.9")
    with following(plane.kubeconfig(), "Pod", rest=3600.0) as followed:
        followed.next(Listed)
        relabelled = {"metadata": {"labels": {"app": "a"}}}
        plane.ask("PATCH", f"{PODS}/a", relabelled, MERGE)
        assert name_of(followed.next(Changed)) == "a"


def test_pods_that_waited_are_told_in_order(plane: ControlPlane) -> None:
    several = [f"p{number}" for number in range(30)]
    with following(plane.kubeconfig(), "Pod", rest=0.2) as followed:
        followed.next(Listed)
        for name in several:
            make_pod(plane, name)
        assert [name_of(followed.next(Changed)) for _ in several] == several
