"""Health is told on whatever address a node has."""

from __future__ import annotations

import http.client
import socket

import pytest

from ringfence.agent.health import Health, HealthServer
from ringfence.errors import InputError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - what is tried
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
    ],
)
def test_health_is_told_in_each_family(listen: str, asked: str) -> None:
    port = free_port()
    with HealthServer((listen, port), Health(node="n", mode="audit"), bytes):
        connection = http.client.HTTPConnection(asked, port, timeout=5)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()


def test_an_address_of_nobody_is_refused() -> None:
    with pytest.raises(InputError, match="cannot listen there"):
        HealthServer(("192.0.2.1", 9477), Health(node="n", mode="audit"), bytes)
