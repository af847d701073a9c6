"""The agent of a node, run as its user would: started, asked, ended."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.nodes import Nodes, node

START_S = 120.0
_PORT = 9477
_SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


class Agent:
    """``ringfence agent run`` in the network namespace of a node."""

    def __init__(self, nodes: Nodes, name: str, kubeconfig: Path, *flags: str) -> None:
        self.name = name
        self.log = kubeconfig.with_name(f"agent-{name}.log")
        self.log.write_bytes(b"")
        self._nodes = nodes
        self._place = ("--kubeconfig", str(kubeconfig), "--node", name)
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that runs."""
        return self._running().pid

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not because it was told to."""
        told = (None, 0, -signal.SIGKILL)
        return self._process is not None and self._process.poll() not in told

    def start(self) -> None:
        """Start it; it is not ready yet."""
        listen = ("--listen", f"127.0.0.1:{_PORT}", "--flow-socket", "")
        self._process = self._begin("run", *self._place, *listen, *self._flags)

    def await_ready(self) -> None:
        """Wait until its node's kernel holds what the API says."""
        await_truth(self.ready, f"agent of {self.name} is ready", self.said)

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        assert self._running().poll() is None, self.said()
        try:
            return self.get("/readyz")[0] == http.client.OK
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP server, from its node."""
        connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=10)
        with self._nodes.inside(node(self.name)):
            connection.connect()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, sample: str) -> float:
        """Return a metric's sample, named with its labels; 0 if there is none yet."""
        found = dict(_SAMPLE.findall(self.get("/metrics")[1]))
        return float(found.get(sample, 0))

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def terminate(self) -> tuple[int, float]:
        """Tell it to end; return its exit code and how many seconds that took."""
        started = time.monotonic()
        self._end(signal.SIGTERM)
        return self._running().returncode, time.monotonic() - started

    def close(self) -> None:
        """End it if it runs; nothing of it stays in the kernel."""
        if self.runs:
            self.kill()
        self.command("cleanup")

    def command(self, *words: str) -> tuple[int, str]:
        """Run another command of the agent on its node: exit code and output."""
        process = self._begin(*words)
        output, _ = process.communicate(timeout=START_S)
        return process.returncode, output.decode()

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text()[-4000:]

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ringfence", "agent", *words]
        with self.log.open("ab") as log:
            return self._nodes.start(node(self.name), command, log)

    def _end(self, how: signal.Signals) -> None:
        process = self._running()
        os.kill(process.pid, how)
        process.communicate(timeout=START_S)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the agent has not been started"
        return self._process


def await_truth(
    holds: Callable[[], bool], what: str, said: Callable[[], str] = str
) -> None:
    """Wait until something holds; fails saying what did not."""
    end = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < end, f"not within {START_S:g} s: {what}\n{said()}"
        time.sleep(0.005)
