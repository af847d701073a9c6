"""Credentials that a program hands out: kubeconfig's ``exec`` (KEP-541).

lightkube runs such programs of v1beta1 only, tells them nothing about the
cluster, waits for ever and knows no certificates: so they are run here and their
answer is given to it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ringfence.adapters.kubernetes.kubeconfig import Access, Exec, Server, User
from ringfence.errors import InputError, Problem

_GROUP = "client.authentication.k8s.io"
_VERSIONS = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_LOGIN_S = 120


def with_credentials(access: Access) -> Access:
    """Return the access with what its program hands out, if it has one.

    The program may ask for a login on the terminal, for at most two minutes.
    Raises InputError where it cannot run, fails or answers no credential.
    """
    user = access.user
    if user.exec is None or user.token or user.token_file:
        return access
    answer = _run(user.exec, access)
    token, cert = answer.get("token"), answer.get("clientCertificateData")
    if isinstance(token, str) and token:
        user = replace(user, token=token)
    if isinstance(cert, str) and cert:
        key = str(answer.get("clientKeyData") or "")
        user = replace(user, cert_data=_base64(cert), key_data=_base64(key))
    if user is access.user:
        raise _failed(user, "answered no token and no certificate")
    return replace(access, user=user)


def files_stamp(access: Access) -> tuple[tuple[int, int] | None, ...]:
    """Return what differs once a file that the access is read from was replaced.

    A kubelet replaces tokens long before they expire, a cluster its authority.
    """
    user = access.user
    files = (user.token_file, user.cert_file, user.key_file, access.server.ca_file)
    return tuple(_stamp(Path(file)) for file in files if file)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _run(program: Exec, access: Access) -> dict[str, Any]:
    """Return the status of the program's answer."""
    user = access.user
    if program.api_version not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        raise _failed(user, f'has apiVersion "{program.api_version}"', known)
    if shutil.which(program.command) is None:
        hint = program.install_hint.strip() or "install it, or put it on the PATH"
        raise _failed(user, "is not there", hint)
    interactive = sys.stdin.isatty()
    environment = {
        **os.environ,
        **program.environment,
        "KUBERNETES_EXEC_INFO": _request(program, access.server, interactive),
    }
    try:
        ended = subprocess.run(  # noqa: S603 - what the user's kubeconfig says
            [program.command, *program.arguments],
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # its complaints and its login go to the terminal
            check=False,
            timeout=_LOGIN_S,
        )
    except subprocess.TimeoutExpired:
        raise _failed(user, f"did not end within {_LOGIN_S} s") from None
    except OSError as error:
        raise _failed(user, f"cannot run: {error.strerror}") from None
    if ended.returncode:
        raise _failed(user, f"failed with exit code {ended.returncode}")
    return _status(ended.stdout, user)


def _request(program: Exec, server: Server, interactive: bool) -> str:  # noqa: FBT001 - as the API has it
    spec: dict[str, Any] = {"interactive": interactive}
    if program.wants_cluster:
        cluster = {
            "server": server.url,
            "tls-server-name": server.tls_name,
            "insecure-skip-tls-verify": server.insecure,
            "certificate-authority-data": server.ca_data,
        }
        spec["cluster"] = {key: value for key, value in cluster.items() if value}
    kind = {"apiVersion": program.api_version, "kind": "ExecCredential"}
    return json.dumps({**kind, "spec": spec})


def _status(answer: bytes, user: User) -> dict[str, Any]:
    try:
        document = json.loads(answer)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("kind") == "ExecCredential":
        status = document.get("status")
        return status if isinstance(status, dict) else {}
    raise _failed(user, "answered no ExecCredential")


def _failed(user: User, what: str, hint: str = "") -> InputError:
    command = user.exec.command if user.exec else ""
    message = f"the program that logs in, {command}, {what}"
    return InputError([Problem(f'user "{user.name}"', message, "", hint)])
