"""A proxy on loopback that can do to connections what networks do to them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread

from controlplane.servers import ControlPlane

_MOST = 1 << 16


class Proxy:
    """Connections to one port handed on to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._passing = Event()
        self._passing.set()
        self._refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End every connection that is there."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(pair)

    def refuse(self) -> None:
        """End every connection, and each one that comes."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        """Hand connections on again."""
        self._refusing = False

    def stall(self) -> None:
        """Hand nothing on, and end nothing either."""
        self._passing.clear()

    def resume(self) -> None:
        """Hand on again, what was kept first."""
        self._passing.set()

    def close(self) -> None:
        """End all of it."""
        self._refusing = True
        self._passing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                thread = Thread(target=self._pump, args=(source, sink))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_MOST):
                self._passing.wait()
                sink.sendall(data)
        _end((source, sink))
        source.close()


def _end(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(plane: ControlPlane, path: Path) -> Iterator[tuple[Proxy, Path]]:
    """Yield a proxy before an API server, and the admin's kubeconfig through it."""
    proxy = Proxy(plane.port)
    config = json.loads(plane.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
    file = path / "through-proxy"
    file.write_text(json.dumps(config))
    try:
        yield proxy, file
    finally:
        proxy.close()
