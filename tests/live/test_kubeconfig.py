"""Kubeconfig files merge and choose as kubectl does."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ringfence.adapters.kubernetes.kubeconfig import Access, Choice, choose_access
from ringfence.errors import InputError


def context(name: str, cluster: str, user: str, **more: str) -> dict[str, Any]:
    return {"name": name, "context": {"cluster": cluster, "user": user, **more}}


def cluster(name: str, server: str, **more: object) -> dict[str, Any]:
    return {"name": name, "cluster": {"server": server, **more}}


def user(name: str, **credentials: object) -> dict[str, Any]:
    return {"name": name, "user": credentials}


def write(path: Path, **config: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    keys = {key.replace("_", "-"): value for key, value in config.items()}
    path.write_text(json.dumps(keys))
    return path


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write(
        tmp_path / "one" / "config",
        current_context="dev",
        contexts=[context("dev", "c1", "u1", namespace="shop")],
        clusters=[cluster("c1", "https://one:6443/")],
        users=[user("u1", token="t1")],  # noqa: S106 - of nobody
    )


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return write(
        tmp_path / "two" / "config",
        current_context="prod",
        contexts=[context("dev", "c2", "u2"), context("prod", "c2", "u1")],
        clusters=[cluster("c2", "https://two", certificate_authority="unread")],
        users=[user("u1", token="other"), user("u2", token="t2")],  # noqa: S106 - of nobody
    )


def chosen(*paths: Path, **choice: Any) -> Access:
    environment = {"KUBECONFIG": ":".join(map(str, paths))}
    return choose_access(Choice(**choice), environment)


def refusal(*paths: Path, **choice: Any) -> str:
    with pytest.raises(InputError) as caught:
        chosen(*paths, **choice)
    return str(caught.value)


def test_the_first_file_to_say_something_is_right(one: Path, two: Path) -> None:
    access = chosen(one, two)
    assert (access.context, access.namespace) == ("dev", "shop")
    assert access.server.url == "https://one:6443"
    assert chosen(two, one).context == "prod"


def test_files_complete_one_another(one: Path, two: Path) -> None:
    access = chosen(one, two, context="prod")
    assert (access.server.url, access.user.token) == ("https://two", "t1")


def test_files_that_are_not_there_are_passed_over(one: Path, tmp_path: Path) -> None:
    assert chosen(tmp_path / "missing", one).context == "dev"


def test_the_option_hides_the_environment(one: Path, two: Path) -> None:
    assert chosen(one, kubeconfig=str(two)).context == "prod"


def test_the_file_of_the_option_must_be_there(one: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refusal(one, kubeconfig=str(missing)) == (
        f"{missing}: no such file or directory"
    )


def test_cluster_and_user_may_be_others_than_the_contexts(one: Path, two: Path) -> None:
    access = chosen(one, two, cluster="c2", user="u2")
    assert access.server.url == "https://two"
    assert (access.user.token, access.namespace) == ("t2", "shop")


def test_files_are_looked_for_beside_the_kubeconfig(tmp_path: Path) -> None:
    path = write(
        tmp_path / "far" / "config",
        current_context="a",
        contexts=[context("a", "c", "u")],
        clusters=[cluster("c", "https://c", **{"certificate-authority": "ca.pem"})],
        users=[
            user(
                "u",
                tokenFile="token",
                exec={"command": "bin/login", "apiVersion": "v1"},
                **{"client-certificate": "/abs/cert.pem"},
            )
        ],
    )
    access = chosen(path)
    far = tmp_path / "far"
    assert access.server.ca_file == str(far / "ca.pem")
    assert access.user.token_file == str(far / "token")
    assert access.user.cert_file == "/abs/cert.pem"
    assert access.user.exec is not None
    assert access.user.exec.command == str(far / "bin" / "login")


def test_a_misspelt_context_has_a_suggestion(one: Path, two: Path) -> None:
    text = refusal(one, two, context="prd")
    assert text == f'{one}:{two}: there is no context "prd" (did you mean prod?)'


def test_a_context_that_names_a_missing_cluster_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config", current_context="a", contexts=[context("a", "gone", "u")]
    )
    assert 'there is no cluster "gone"' in refusal(path)


def test_no_current_context_names_those_to_choose_from(one: Path) -> None:
    config = json.loads(one.read_text())
    del config["current-context"]
    one.write_text(json.dumps(config))
    assert refusal(one).endswith("no context is chosen (--context chooses from dev)")


def test_every_wrong_type_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("contexts: 3\nclusters:\n- cluster: {server: 1}\nusers: {}\n")
    lines = refusal(path).splitlines()
    assert lines[0].startswith(f"{path}:1:11: contexts: must be a list")
    assert lines[1].startswith(f"{path}:3:3: clusters[0]: a name is missing")
    assert lines[2].startswith(f"{path}:4:8: users: must be a list")


def test_an_address_must_be_one(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        current_context="a",
        contexts=[context("a", "c", "")],
        clusters=[cluster("c", "here:6443")],
    )
    assert "must be the address of an API server" in refusal(path)


def test_logging_in_by_auth_provider_is_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        current_context="a",
        contexts=[context("a", "c", "u")],
        clusters=[cluster("c", "https://c")],
        users=[user("u", **{"auth-provider": {"name": "gcp"}})],
    )
    assert "auth-provider is not supported" in refusal(path)


def test_whom_to_act_as_may_be_said_by_file_or_option(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        current_context="a",
        contexts=[context("a", "c", "u")],
        clusters=[cluster("c", "https://c")],
        users=[user("u", **{"as": "jane", "as-uid": "7", "as-groups": ["dev"]})],
    )
    by_file = chosen(path).user
    assert (by_file.as_user, by_file.as_uid, by_file.as_groups) == (
        "jane",
        "7",
        ("dev",),
    )
    by_option = chosen(path, as_user="bob").user
    assert (by_option.as_user, by_option.as_uid, by_option.as_groups) == ("bob", "", ())


def test_a_group_to_act_as_needs_a_user(one: Path) -> None:
    assert refusal(one, as_groups=("dev",)) == (
        "--as-group: needs --as, the user to act as"
    )


@pytest.mark.controlplane
def test_kubectl_chooses_the_same(kubectl: Path, one: Path, two: Path) -> None:
    missing = one.parent / "missing"
    for files in itertools.permutations((one, two, missing)):
        for chosen_context in ("", "dev", "prod"):
            shown = subprocess.run(
                [
                    *(kubectl, "config", "view", "--raw", "--minify", "-o", "json"),
                    f"--context={chosen_context}",
                ],
                env=os.environ | {"KUBECONFIG": ":".join(map(str, files))},
                check=True,
                capture_output=True,
            )
            told = json.loads(shown.stdout)
            access = chosen(*files, context=chosen_context)
            assert access.context == told["current-context"]
            assert access.user.token == told["users"][0]["user"]["token"]
            (server,) = (each["cluster"]["server"] for each in told["clusters"])
            assert access.server.url == server.rstrip("/")
