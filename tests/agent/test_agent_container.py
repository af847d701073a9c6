"""The agent confined as its DaemonSet confines it: one capability, a read-only root."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.agents import Agent, await_truth
from agent.nodes import node
from agent.stage import FAR, SERVER, Stage
from controlplane.servers import ControlPlane
from ringfence.deploy.manifests import Install, manifests
from ringfence.manifest.reader import read_documents

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

NAME = "n1"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
# As a container has it: the account's files, and only /run/ringfence to be written.
CONFINED = """
mount -t tmpfs tmpfs /run && mkdir -p /run/ringfence {account}
cp {token} {account}/token && cp {authority} {account}/ca.crt
mount -o remount,bind,ro /
exec setpriv --bounding-set=-all,+net_admin --inh-caps=-all --no-new-privs \
  env -i {environment} {python} -B -m ringfence agent run
"""


def container() -> Any:
    found: list[Any] = [
        document.value
        for document in read_documents(manifests(Install()).encode(), "agent.yaml")
    ]
    (daemonset,) = (value for value in found if value["kind"] == "DaemonSet")
    return daemonset["spec"]["template"]["spec"]["containers"][0]


def test_the_confinement_below_is_the_containers() -> None:
    security = container()["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]


@pytest.fixture
def token(api_server: ControlPlane, kubectl: Path, tmp_path: Path) -> Iterator[Path]:
    """A token of the agent's own account, which has the rights it is installed with."""

    def admin(*words: str, text: str = "") -> str:
        config = f"--kubeconfig={api_server.kubeconfig()}"
        ended = subprocess.run(
            [str(kubectl), config, *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    admin("apply", "--server-side", "-f", "-", text=manifests(Install()))
    path = tmp_path / "token"
    path.write_text(admin("create", "token", "ringfence-agent", "-n", "ringfence"))
    yield path
    admin("delete", "clusterrole,clusterrolebinding", "ringfence-agent")
    admin("delete", "daemonset,serviceaccount", "ringfence-agent", "-n", "ringfence")


class Confined(Agent):
    """The agent as the DaemonSet runs it, its image apart."""

    def __init__(self, stage: Stage, token: Path) -> None:
        super().__init__(stage.nodes, NAME, token)
        given = {one["name"]: one.get("value", NAME) for one in container()["env"]}
        given |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(stage.plane.port),
            "PATH": os.environ["PATH"],
        }
        words = (f"{key}={value}" for key, value in given.items())
        self._script = CONFINED.format(
            account=ACCOUNT,
            token=token,
            authority=stage.plane.authority,
            environment=shlex.join(words),
            python=shlex.quote(sys.executable),
        )

    def start(self) -> None:
        command = ["unshare", "--mount", "sh", "-euc", self._script]
        with self.log.open("ab") as log:
            self._process = self._nodes.start(node(NAME), command, log)


def test_the_agent_enforces_with_the_rights_it_is_installed_with(
    stage: Stage, token: Path
) -> None:
    stage.agents[NAME].terminate()
    confined = Confined(stage, token)
    confined.start()
    try:
        confined.await_ready()
        stage.deny_now(SERVER)
        stage.allow(SERVER)
        await_truth(
            lambda: stage.open(FAR, SERVER), "the server is open", confined.said
        )
    finally:
        confined.kill()
