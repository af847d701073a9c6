"""Ready is said only where nothing is waited for, and the waiting has reasons."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from threading import Event
from threading import enumerate as threads

import pytest

from ringfence.agent.health import Health, HealthServer
from ringfence.agent.metrics import Metrics
from ringfence.agent.status import ask_status, lines
from ringfence.errors import InputError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def health() -> Health:
    return Health(node="n1", mode="enforce")


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_a_part_that_is_waited_for_keeps_the_agent_from_being_ready() -> None:
    known = health()
    assert known.ready().code == 200
    assert known.want("kernel", "refused")
    assert known.ready().code == 503
    assert known.ready().body == b"kernel: refused\n"
    assert known.have("kernel")
    assert known.ready().code == 200


def test_only_news_is_news() -> None:
    known = health()
    assert known.want("api", "a")
    assert not known.want("api", "a")
    assert known.want("api", "b")
    assert known.have("api")
    assert not known.have("api")


def test_the_paths_answer_over_http() -> None:
    known, metrics, port = health(), Metrics(), free_port()
    metrics.policies.set(7)
    with HealthServer(("127.0.0.1", port), known, metrics.exposition):
        assert ask(port, "/healthz") == (200, "ok\n")
        assert ask(port, "/readyz?verbose") == (200, "ok\n")
        assert "\nringfence_policies 7.0\n" in ask(port, "/metrics")[1]
        assert json.loads(ask(port, "/status")[1])["ready"] is True
        assert ask(port, "/elsewhere")[0] == 404
        known.want("bridges", "no br_netfilter")
        document = ask_status(("127.0.0.1", port))
        assert document["waiting"] == {"bridges": "no br_netfilter"}


def test_who_hangs_up_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    gone, port = Event(), free_port()

    def late() -> bytes:
        gone.wait(10)
        return bytes(1 << 24)

    with HealthServer(("127.0.0.1", port), health(), late):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        gone.set()
        while any("request" in thread.name for thread in threads()):
            time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(InputError, match=rf"127.0.0.1:{port}: --listen: cannot"):
            HealthServer(("127.0.0.1", port), health(), bytes)


def test_a_status_tells_each_reason_once() -> None:
    away = "https://a cannot be reached"
    document = {
        "node": "n1",
        "api:Pod": away,
        "api:Node": away,
        "ready": False,
        "waiting": {"api Pod": away, "api Node": away, "kernel": "nothing yet"},
    }
    assert list(lines(document)) == [
        "node: n1",
        "ready: false",
        f"waiting for api Pod, api Node: {away}",
        "waiting for kernel: nothing yet",
    ]
    assert list(lines({"waiting": 1})) == []


def test_a_status_that_nobody_gives_is_told() -> None:
    with pytest.raises(InputError, match="no agent answers: Connection refused"):
        ask_status(("127.0.0.1", free_port()))
