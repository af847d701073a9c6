"""What befalls an API server: it goes, it comes back, it forgets what was."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

from agent.agents import await_truth
from controlplane.servers import ControlPlane

_PDEATHSIG = 1


class Server:
    """The kube-apiserver process of a control plane that this process started."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._command = _command(f"--cert-dir={plane.directory / 'certs'}")
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Kill it; every connection to it ends."""
        self._plane.connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            return
        os.kill(_pid(self._command), signal.SIGKILL)

    def start(self) -> None:
        """Run it again as it was, over the same store; returns when it answers."""
        with (self._plane.directory / "again.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one system call, no locks
            )
        await_truth(self._plane.ready, "the API server answers again")

    def close(self) -> None:
        """End what was started here."""
        if self._process is not None:
            self.stop()

    def forget(self) -> None:
        """Compact the store: of what was before, only the last state is left."""
        (store,) = (
            word.partition("=")[2]
            for word in self._command
            if word.startswith("--etcd-servers=")
        )
        meta = self._plane.ask("GET", "/api/v1/namespaces")["metadata"]
        body = {"revision": meta["resourceVersion"], "physical": True}
        request = urllib.request.Request(  # noqa: S310 - our own etcd
            f"{store}/v3/kv/compaction", json.dumps(body).encode()
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _command(word: str) -> list[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")[:-1]
        except OSError:
            continue  # it has ended meanwhile
        if word in words:
            return words
    raise AssertionError(f"no process runs with {word}")


def _pid(command: list[str]) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().decode().split("\0")[:-1] == command:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError(f"{command[0]} does not run")
