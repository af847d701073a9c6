"""What the agent tells whoever asks: alive, ready, metrics, status.

GET /healthz, /readyz, /metrics, /status; a kubelet asks the first two.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import Any, Final, NamedTuple, Self

from ringfence.agent import journal
from ringfence.agent.metrics import CONTENT_TYPE
from ringfence.errors import InputError, Problem

STUCK_AFTER_S: Final = 60.0
_OK, _NOT_FOUND, _UNAVAILABLE = 200, 404, 503
_PLAIN = "text/plain; charset=utf-8"
_REQUEST_TIMEOUT_S = 5.0


class Answer(NamedTuple):
    """What one path answers."""

    code: int
    content_type: str
    body: bytes


class Health:
    """What is known about the agent; written by the loop, read by requests."""

    def __init__(self, *, node: str, mode: str) -> None:
        self._lock = threading.Lock()
        self._unready: dict[str, str] = {}
        self._facts: dict[str, Any] = {"node": node, "mode": mode}
        self._beat = time.monotonic()

    def beat(self) -> None:
        """Say that the loop is alive."""
        self._beat = time.monotonic()

    def want(self, part: str, reason: str) -> bool:
        """Say why a part is not ready; return whether that is news."""
        with self._lock:
            news = self._unready.get(part) != reason
            self._unready[part] = reason
            return news

    def have(self, part: str) -> bool:
        """Say that a part is ready; return whether that is news."""
        with self._lock:
            return self._unready.pop(part, None) is not None

    def tell(self, **facts: Any) -> None:
        """Put facts into the status."""
        with self._lock:
            self._facts.update(facts)

    @property
    def unready(self) -> dict[str, str]:
        """Why the agent is not ready, by part; empty: it is."""
        with self._lock:
            return dict(self._unready)

    def alive(self) -> Answer:
        """Answer /healthz: the loop has turned lately."""
        idle = time.monotonic() - self._beat
        if idle > STUCK_AFTER_S:
            return _text(_UNAVAILABLE, f"the loop has stood still for {idle:.0f} s")
        return _text(_OK, "ok")

    def ready(self) -> Answer:
        """Answer /readyz: the API's state is known and the kernel has it."""
        waiting = self.unready
        if not waiting:
            return _text(_OK, "ok")
        lines = [f"{part}: {reason}" for part, reason in sorted(waiting.items())]
        return _text(_UNAVAILABLE, "\n".join(lines))

    def status(self) -> Answer:
        """Answer /status: a JSON object."""
        with self._lock:
            document = {**self._facts, "ready": not self._unready}
            document["waiting"] = dict(self._unready)
        body = json.dumps(document, default=str).encode() + b"\n"
        return Answer(_OK, "application/json", body)


def _text(code: int, text: str) -> Answer:
    return Answer(code, _PLAIN, text.encode() + b"\n")


class HealthServer:
    """The HTTP server of one agent; a context manager."""

    def __init__(
        self, address: tuple[str, int], health: Health, metrics: Callable[[], bytes]
    ) -> None:
        """Listen. Raises InputError where the address cannot be had."""
        answers: Mapping[str, Callable[[], Answer]] = {
            "/healthz": health.alive,
            "/readyz": health.ready,
            "/status": health.status,
            "/metrics": lambda: Answer(_OK, CONTENT_TYPE, metrics()),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_TIMEOUT_S

            def do_GET(self) -> None:
                found = answers.get(self.path.partition("?")[0])
                answer = found() if found else _text(_NOT_FOUND, "not found")
                self.send_response(answer.code)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Keep requests out of the log: a kubelet asks every few seconds."""

        class Server(ThreadingHTTPServer):
            # An IPv6 address has colons; :: takes IPv4 too (ip(7), bindv6only).
            address_family = AF_INET6 if ":" in address[0] else AF_INET
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Log what should not happen; that somebody hung up may."""
                fault = sys.exception()
                if not isinstance(fault, OSError):
                    journal.failure("a request could not be answered", fault)

        try:
            self._server = Server(address, Handler)
        except OSError as error:
            place = f"{address[0]}:{address[1]}"
            message = f"cannot listen there: {error.strerror}"
            raise InputError([Problem(place, message, "--listen")]) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    def __enter__(self) -> Self:
        """Serve, in a thread of its own."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
