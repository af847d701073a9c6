"""A cluster that does not let us: one clear sentence, and nothing half answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.servers import ControlPlane
from live.commands import Said, ringfence
from ringfence.adapters.kubernetes.resources import RESOURCES

pytestmark = pytest.mark.controlplane


def ask(capsys: pytest.CaptureFixture[str], config: Path | str, *more: str) -> Said:
    live = ("--live", "--kubeconfig", str(config))
    said = ringfence(capsys, "can", "web", "web:80", *live, *more)
    assert (said.code, said.out) == (2, "")
    return said


def changed(plane: ControlPlane, path: Path, **cluster: str | None) -> Path:
    config: dict[str, Any] = json.loads(plane.kubeconfig().read_text())
    config["clusters"][0]["cluster"].update(cluster)
    path.write_text(json.dumps(config))
    return path


def grant(plane: ControlPlane, user: str, *left_out: str) -> None:
    """Let a user list everything that is read but this."""
    group = "rbac.authorization.k8s.io"
    rules = [
        {"verbs": ["list"], "apiGroups": [r.group], "resources": [r.plural]}
        for r in RESOURCES
        if r.plural not in left_out
    ]
    name = f"{user}-without-{'-'.join(left_out)}"
    role: dict[str, Any] = {"kind": "ClusterRole", "rules": rules}
    binding: dict[str, Any] = {
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    said = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    plane.create([{**role, **said}, {**binding, **said}])


def test_every_list_that_is_not_allowed_is_named(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask(capsys, plane.kubeconfig("nobody"))
    for resource in RESOURCES:
        assert f'user "nobody" lacks the verb "list" on {resource.plural}' in said.err
    assert said.err.count("error: ") == len(RESOURCES)


def test_one_missing_list_is_named_alone_with_what_it_is_for(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    grant(plane, "reader", "networkpolicies")
    said = ask(capsys, plane.kubeconfig("reader"))
    assert said.err == (
        'error: live:reader: user "reader" lacks the verb "list" on '
        "networkpolicies.networking.k8s.io, cluster-wide: each may change any verdict "
        "of its namespace (kubectl create clusterrole ringfence --verb=list "
        "--resource=networkpolicies.networking.k8s.io and a clusterrolebinding allow "
        "it)\n"
    )


def test_the_right_to_list_is_all_that_is_needed(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    grant(plane, "nobody", "nothing")
    live = ("--live", "--kubeconfig", str(plane.kubeconfig("nobody")))
    assert ringfence(capsys, "get", "pods", *live).code == 0


def test_acting_as_somebody_else_has_their_rights(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask(capsys, plane.kubeconfig(), "--as", "jane", "--as-group", "dev")
    assert 'user "jane" lacks the verb "list" on pods' in said.err


def test_acting_as_a_group_of_masters_is_enough(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    live = ("--live", "--kubeconfig", str(plane.kubeconfig()))
    acting = ("--as", "jane", "--as-group", "dev", "--as-group", "system:masters")
    assert ringfence(capsys, "get", "pods", *live, *acting).code == 0


def test_the_right_to_act_as_somebody_may_be_missing(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask(capsys, plane.kubeconfig("reader"), "--as", "admin")
    assert "cannot impersonate" in said.err
    assert said.err.count("\n") == 1


def test_an_unknown_token_is_told_once(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config: dict[str, Any] = json.loads(plane.kubeconfig().read_text())
    config["users"][0]["user"]["token"] = "expired"  # noqa: S105 - not one of anybody
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    assert ask(capsys, path).err == (
        'error: live:admin: the cluster does not accept the credentials of user "admin"'
        ": Unauthorized (log in again: a token or certificate may have expired)\n"
    )


def test_a_certificate_of_somebody_else_is_not_trusted(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config: dict[str, Any] = json.loads(plane.kubeconfig().read_text())
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    assert "is not trusted" in ask(capsys, path).err


def test_the_name_in_the_certificate_counts(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = changed(plane, tmp_path / "config", **{"tls-server-name": "elsewhere"})
    assert "is not trusted" in ask(capsys, path).err
    path = changed(plane, tmp_path / "config", **{"tls-server-name": "kubernetes"})
    live = ("--live", "--kubeconfig", str(path))
    assert ringfence(capsys, "get", "pods", *live).code == 0


def test_a_server_that_is_not_there_is_told_once(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = changed(plane, tmp_path / "config", server="https://127.0.0.1:1")
    assert ask(capsys, path).err == (
        "error: live:admin: https://127.0.0.1:1 cannot be reached: connection refused "
        "(does the cluster run, and is the context the right one?)\n"
    )


def test_data_that_is_no_certificate_is_told(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = changed(plane, tmp_path / "config", **{"certificate-authority-data": "!"})
    assert "the certificates or the address cannot be used" in ask(capsys, path).err
