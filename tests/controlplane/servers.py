"""A kube-apiserver with its etcd on loopback, as long as somebody wants it."""

from __future__ import annotations

import base64
import ctypes
import http.client
import json
import secrets
import select
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 120
_PDEATHSIG = 1
_MERGE = "application/merge-patch+json"


class Answered(Exception):  # noqa: N818 - an answer, not always an error
    """The server said no."""

    def __init__(self, code: int, status: dict[str, Any]) -> None:
        super().__init__(f"HTTP {code}: {status.get('message')}")
        self.code, self.status = code, status


class Program:
    """A program that can be stopped and started; it ends with us at the latest."""

    def __init__(self, path: Path, flags: list[str], directory: Path) -> None:
        self._command = [str(path), *flags]
        self._words = directory / f"{path.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have it run; its words go to a file."""
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, no locks
            )

    def stop(self) -> None:
        """Kill it, if it runs: a server asked to end waits for all who watch."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass(frozen=True)
class ControlPlane:
    """A running API server; ``tokens`` by user: only the admin has any right."""

    directory: Path
    port: int
    tokens: Mapping[str, str]
    authority: Path
    connection: http.client.HTTPSConnection
    server: Program
    store: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, user: str = "admin", **more: str) -> Path:
        """Write a kubeconfig of one context, called as its user."""
        data = base64.b64encode(self.authority.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": data}
        credentials = {"token": self.tokens[user]}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": user,
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [
                {"name": user, "context": {"cluster": "here", "user": user, **more}}
            ],
        }
        path = self.directory / f"kubeconfig-{user}-{len(more)}"
        path.write_text(json.dumps(config))
        return path

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Return the answer to a request of the admin's; raises Answered."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self.tokens['admin']}",
            "Content-Type": content_type,
        }
        self._hang_up_if_idle()
        self.connection.request(method, path, data, headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= http.client.BAD_REQUEST:
            raise Answered(response.status, answer)
        assert isinstance(answer, dict)
        return answer

    def _hang_up_if_idle(self) -> None:
        """Let go of a connection that the server has ended, as it does after 90 s."""
        held = self.connection.sock
        # Nothing is to be read between an answer and the next request but the end.
        if held is not None and select.select([held], [], [], 0)[0]:
            self.connection.close()

    def ready(self) -> bool:
        """Whether the server answers already."""
        try:
            self.ask("GET", "/api/v1/namespaces/default")
        except (OSError, Answered, http.client.HTTPException):
            self.connection.close()
            return False
        return True

    def stop(self) -> None:
        """End the API server; etcd runs on."""
        self.server.stop()
        self.connection.close()

    def start(self) -> None:
        """Have the API server run again, at the same address."""
        self.server.start()
        _await(self.ready, self.directory)

    def compact(self) -> None:
        """Have etcd forget what was before now (etcd's gRPC gateway, /v3/kv)."""
        store = http.client.HTTPConnection("127.0.0.1", self.store)
        revision = self.ask("GET", "/api/v1/nodes")["metadata"]["resourceVersion"]
        body = json.dumps({"revision": revision, "physical": True})
        store.request("POST", "/v3/kv/compaction", body)
        response = store.getresponse()
        assert response.status == http.client.OK, response.read()
        store.close()

    def create(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Create objects as a cluster admin would; their status is set after."""
        for manifest in manifests:
            path = collection(manifest)
            name = manifest["metadata"]["name"]
            try:
                self.ask("POST", path, manifest)
            except Answered as answer:
                if answer.code != http.client.CONFLICT:
                    raise
                # The server made it by itself: the namespace `default`.
                self.ask("PATCH", f"{path}/{name}", manifest, _MERGE)
            if "status" in manifest:
                status = {"status": manifest["status"]}
                self.ask("PATCH", f"{path}/{name}/status", status, _MERGE)

    def clear(self) -> None:
        """Remove what tests made."""
        now = {"gracePeriodSeconds": 0}
        for kind, resource in PLURALS.items():
            root = _root(API_VERSIONS[kind])
            for entry in self.ask("GET", f"{root}/{resource}")["items"]:
                if not _made_by_server(kind, entry["metadata"]):
                    self._remove(kind, entry["metadata"], now)

    def _remove(self, kind: str, meta: dict[str, Any], now: object) -> None:
        identity = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": meta}
        path = f"{collection(identity)}/{meta['name']}"
        self.ask("DELETE", path, now)
        if kind == "Namespace":
            # No controller is there that would end it.
            bare = {"metadata": {"name": meta["name"]}, "spec": {"finalizers": []}}
            self.ask("PUT", f"{path}/finalize", {**identity, **bare})


PLURALS = {
    "Pod": "pods",
    "Service": "services",
    "ReplicationController": "replicationcontrollers",
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "Node": "nodes",
    "Namespace": "namespaces",
}
API_VERSIONS = {
    **dict.fromkeys(PLURALS, "apps/v1"),
    **dict.fromkeys(("Pod", "Service", "ReplicationController"), "v1"),
    **dict.fromkeys(("Node", "Namespace"), "v1"),
    **dict.fromkeys(("Job", "CronJob"), "batch/v1"),
    **dict.fromkeys(("NetworkPolicy", "Ingress"), "networking.k8s.io/v1"),
}
_CLUSTER_SCOPED = frozenset({"Node", "Namespace"})
_RBAC = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"}


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def collection(manifest: Mapping[str, Any]) -> str:
    """Return the path that an object is POSTed to."""
    kind, root = manifest["kind"], _root(manifest["apiVersion"])
    if kind in _RBAC:
        return f"{root}/{_RBAC[kind]}"
    if kind in _CLUSTER_SCOPED:
        return f"{root}/{PLURALS[kind]}"
    namespace = manifest["metadata"].get("namespace", "default")
    return f"{root}/namespaces/{namespace}/{PLURALS[kind]}"


def _made_by_server(kind: str, meta: Mapping[str, Any]) -> bool:
    name = meta["name"]
    if kind == "Namespace":
        return name == "default" or str(name).startswith("kube-")
    return kind == "Service" and name == "kubernetes"


@contextmanager
def control_plane(
    programs: Path, directory: Path, *more: str
) -> Iterator[ControlPlane]:
    """Run etcd and kube-apiserver of this directory of programs for a block.

    ``more`` are flags of the API server.
    """
    users = ("admin", "reader", "lister", "nobody")
    tokens = {user: secrets.token_hex(16) for user in users}
    groups = {"admin": "system:masters"}
    (directory / "tokens.csv").write_text(
        "".join(
            f'{token},{user},{user},"{groups.get(user, "")}"\n'
            for user, token in tokens.items()
        )
    )
    store, peer, port = _free_ports(3)
    etcd = Program(programs / "etcd", _etcd_flags(directory, store, peer), directory)
    flags = [*_server_flags(directory, store, port), *more]
    server = Program(programs / "kube-apiserver", flags, directory)
    with ExitStack() as running:
        for program in (etcd, server):
            program.start()
            running.callback(program.stop)
        authority = directory / "certs" / "apiserver.crt"
        _await(authority.exists, directory)
        trust = ssl.create_default_context(cafile=str(authority))
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust)
        running.callback(connection.close)
        plane = ControlPlane(
            directory, port, tokens, authority, connection, server, store
        )
        _await(plane.ready, directory)
        yield plane


def _etcd_flags(directory: Path, store: int, peer: int) -> list[str]:
    client, other = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={other}",
        f"--initial-advertise-peer-urls={other}",
        f"--initial-cluster=default={other}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _server_flags(directory: Path, store: int, port: int) -> list[str]:
    # The server makes its certificate first: its key may sign for accounts, too.
    key = directory / "certs" / "apiserver.key"
    return [
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--disable-admission-plugins=ServiceAccount",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://ringfence.test",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--token-auth-file={directory / 'tokens.csv'}",
        f"--cert-dir={directory / 'certs'}",
        "--authorization-mode=RBAC",
        "--enable-priority-and-fairness=false",
    ]


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        bound = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def _await(holds: Callable[[], bool], directory: Path) -> None:
    end = time.monotonic() + START_S
    while not holds():
        if time.monotonic() > end:
            said = (directory / "kube-apiserver.log").read_text()[-4000:]
            raise RuntimeError(f"kube-apiserver is not ready in {START_S} s: {said}")
        time.sleep(0.1)
