"""A server on loopback for what no well-behaved API server can be made to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

EMPTY: dict[str, Any] = {"kind": "List", "metadata": {}, "items": []}


@dataclass
class Reply:
    """An answer; ``body`` is JSON unless it is bytes."""

    body: object
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Request(NamedTuple):
    """What is asked; ``resource`` is the end of the path."""

    resource: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


Answer = Callable[[Request], Reply | None]
"""None is an empty list."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve for a block and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            resource = url.path.rpartition("/")[2]
            request = Request(resource, url.path, query, dict(self.headers))
            reply = answer(request) or Reply(EMPTY)
            body = reply.body
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(reply.code)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            with suppress(ConnectionError):  # who asked may not have waited
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_config(path: Path, url: str, **user: object) -> str:
    """Write a kubeconfig of one context, ``there``, and return its path."""
    config = {
        "current-context": "there",
        "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(config))
    return str(path)
