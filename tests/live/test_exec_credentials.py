"""Programs that hand out credentials."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from live.commands import Said, ringfence
from live.loopback import Reply, Request, serving, write_config

V1 = "client.authentication.k8s.io/v1"


def plugin(path: Path, body: str, **more: object) -> dict[str, Any]:
    """Return the exec entry of a program with this Python text."""
    program = path / "login"
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    program.chmod(0o755)
    return {"apiVersion": V1, "command": "./login", **more}


def answering(status: object) -> str:
    said = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(said)!r})"


def ask(
    capsys: pytest.CaptureFixture[str], path: Path, program: object
) -> tuple[Said, list[str]]:
    """Return what is said and the tokens that the server got."""
    tokens: list[str] = []

    def answer(request: Request) -> Reply | None:
        tokens.append(request.headers.get("Authorization", ""))
        return None

    with serving(answer) as url:
        config = write_config(path / "config", url, exec=program)
        live = ("--live", "--kubeconfig", config)
        return ringfence(capsys, "get", "pods", *live), tokens


def test_the_token_is_used_and_the_program_runs_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = "open(os.path.dirname(sys.argv[0]) + '/runs', 'a').write('x')\n"
    said, tokens = ask(
        capsys, tmp_path, plugin(tmp_path, body + answering({"token": "abc"}))
    )
    assert said.code == 0
    assert set(tokens) == {"Bearer abc"}
    assert (tmp_path / "runs").read_text() == "x"


def test_the_program_is_told_what_the_kubeconfig_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "token = '-'.join([*sys.argv[1:], os.environ['WHO'], info['apiVersion'],\n"
        "    info['spec']['cluster']['server'][:16]])\n"
        "print(json.dumps({'kind': 'ExecCredential', 'status': {'token': token}}))"
    )
    program = plugin(
        tmp_path,
        body,
        args=["-x"],
        env=[{"name": "WHO", "value": "me"}],
        provideClusterInfo=True,
    )
    _, tokens = ask(capsys, tmp_path, program)
    assert set(tokens) == {f"Bearer -x-me-{V1}-http://127.0.0.1"}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("sys.exit(3)", "failed with exit code 3"),
        ("print('hello')", "answered no ExecCredential"),
        ('print(\'{"kind": "ExecCredential"}\')', "answered no token"),
        (answering({"token": ""}), "answered no token and no certificate"),
    ],
)
def test_a_program_that_fails_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, body: str, complaint: str
) -> None:
    said, tokens = ask(capsys, tmp_path, plugin(tmp_path, body))
    assert (said.code, tokens) == (2, [])
    assert said.err.startswith('error: user "u": the program that logs in, ')
    assert complaint in said.err


def test_a_program_that_is_missing_brings_its_own_advice(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = {"apiVersion": V1, "command": "no-such", "installHint": "get it"}
    said, _ = ask(capsys, tmp_path, program)
    assert said.err == (
        'error: user "u": the program that logs in, no-such, is not there (get it)\n'
    )


def test_a_version_of_the_future_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = plugin(tmp_path, "") | {"apiVersion": "client.authentication.k8s.io/v2"}
    said, _ = ask(capsys, tmp_path, program)
    assert 'has apiVersion "client.authentication.k8s.io/v2"' in said.err
