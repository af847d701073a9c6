"""What no real server can be made to answer, or only one that is old."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from time import monotonic
from typing import Any

import httpx2
import pytest

from live.following import Following, await_end, following, names
from live.loopback import Answer, Reply, Request, serving, write_config
from ringfence.adapters.kubernetes.connection import Connection
from ringfence.adapters.kubernetes.deltas import Changed, Delta, Down, Listed, Up
from ringfence.adapters.kubernetes.kubeconfig import Choice, choose_access
from ringfence.adapters.kubernetes.reflector import Pace, Reflector
from ringfence.adapters.kubernetes.resources import Resource
from ringfence.adapters.kubernetes.session import MOST_LINE_BYTES

END = {"k8s.io/initial-events-end": "true"}


def namespace(name: str, version: int = 1, **more: object) -> dict[str, Any]:
    meta = {"name": name, "resourceVersion": str(version)}
    return {"kind": "Namespace", "metadata": meta, **more}


def lines(*events: tuple[str, dict[str, Any]]) -> bytes:
    told = [json.dumps({"type": kind, "object": thing}) for kind, thing in events]
    return "".join(f"{line}\n" for line in told).encode()


def bookmark(version: int, **annotations: str) -> tuple[str, dict[str, Any]]:
    meta = {"resourceVersion": str(version), "annotations": annotations}
    return "BOOKMARK", {"kind": "Namespace", "spec": None, "metadata": meta}


def status(code: int, message: str = "") -> dict[str, Any]:
    return {"kind": "Status", "code": code, "message": message}


def page(*entries: dict[str, Any], version: int = 1, following: str = "") -> Reply:
    meta = {"resourceVersion": str(version), "continue": following}
    return Reply({"kind": "NamespaceList", "metadata": meta, "items": entries})


def listed(request: Request) -> bool:
    return "watch" not in request.query


def streamed(request: Request) -> bool:
    return "sendInitialEvents" in request.query


class Server:
    """Answers by script, and what it was asked."""

    def __init__(self, script: Answer) -> None:
        self._script = script
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Reply | None:
        self.asked.append(request)
        return self._script(request)

    def versions(self) -> list[str]:
        """The versions that watches began at."""
        return [
            request.query["resourceVersion"]
            for request in self.asked
            if not listed(request) and not streamed(request)
        ]


@contextmanager
def asking(
    path: Path, script: Answer, **pace: Any
) -> Iterator[tuple[Server, Following]]:
    """Follow the namespaces of a server that answers so."""
    server = Server(script)
    with serving(server) as url:
        config = write_config(path / "config", url)
        with following(config, "Namespace", **pace) as followed:
            yield server, followed


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(status(400, "unknown parameter"), 400),
        Reply(status(422, "sendInitialEvents is forbidden"), 422),
        Reply(lines(("ERROR", status(500, "RequestWatchProgress is disabled")))),
        Reply(lines(("ADDED", namespace("a")), bookmark(3))),
        Reply(lines(("ADDED", namespace("a")))),
    ],
    ids=["400", "422", "error-event", "endless", "no-end"],
)
def test_where_there_are_no_streaming_lists_pages_are_asked_for_from_then_on(
    tmp_path: Path, refusal: Reply
) -> None:
    def script(request: Request) -> Reply:
        if streamed(request):
            return refusal
        if listed(request):
            return page(namespace("a"), version=4)
        return Reply(lines(("ERROR", status(410, "too old"))))

    with asking(tmp_path, script) as (server, followed):
        for _ in range(2):
            assert names(followed.next(Listed)) == ["a"]
    assert [streamed(request) for request in server.asked].count(True) == 1


def test_a_streaming_list_is_told_at_its_end_as_what_is_left(tmp_path: Path) -> None:
    stream = lines(
        ("ADDED", namespace("a")),
        ("ADDED", namespace("b", 2)),
        ("DELETED", namespace("a", 3)),
        bookmark(5, **END),
        ("ADDED", namespace("c", 6)),
        bookmark(9),
    )

    def script(request: Request) -> Reply:
        return Reply(stream if streamed(request) else lines(bookmark(9)))

    with asking(tmp_path, script) as (server, followed):
        first = followed.next(Listed)
        assert (names(first), first.version) == (["b"], "5")
        assert followed.next(Changed).key == "c"
        while not server.versions():
            assert followed.silent(0.01)
    assert server.versions()[0] == "9"


@pytest.mark.parametrize(
    "forgotten",
    [
        Reply(status(410, "too old resource version"), 410),
        Reply(lines(("ERROR", status(410, "too old resource version")))),
        Reply(lines(("ERROR", status(504, "Too large resource version: 9")))),
    ],
    ids=["http", "event", "too-large"],
)
def test_a_version_that_is_no_more_begins_with_a_list_again(
    tmp_path: Path, forgotten: Reply
) -> None:
    lists = [page(namespace("a"), namespace("b")), page(namespace("b"), version=7)]

    def script(request: Request) -> Reply:
        if listed(request):
            return lists.pop(0) if len(lists) > 1 else lists[0]
        return forgotten

    with asking(tmp_path, script, streaming=False) as (_, followed):
        assert names(followed.next(Listed)) == ["a", "b"]
        assert names(followed.await_(Listed)) == ["b"]


def test_a_list_whose_next_page_is_forgotten_begins_anew(tmp_path: Path) -> None:
    gone = [Reply(status(410, "expired"), 410)]

    def script(request: Request) -> Reply:
        if not listed(request):
            return Reply(lines(bookmark(2)))
        if "continue" not in request.query:
            return page(namespace("a"), following="more")
        return gone.pop() if gone else page(namespace("b"))

    with asking(tmp_path, script, streaming=False) as (_, followed):
        assert names(followed.next(Listed)) == ["a", "b"]


def test_watches_that_tell_nothing_end_in_a_list(tmp_path: Path) -> None:
    def script(request: Request) -> Reply:
        return page(namespace("a"), version=3) if listed(request) else Reply(b"")

    with asking(tmp_path, script, streaming=False, empty=3) as (server, followed):
        followed.next(Listed)
        followed.next(Listed)
    assert server.versions()[:3] == ["3", "3", "3"]


def test_one_long_watch_that_tells_nothing_ends_in_a_list(tmp_path: Path) -> None:
    def script(request: Request) -> Reply:
        if listed(request):
            return page(namespace("a"), version=3)
        time.sleep(0.2)
        return Reply(b"")

    pace = {"streaming": False, "empty": 1000, "silent": 0.1}
    with asking(tmp_path, script, **pace) as (server, followed):
        followed.next(Listed)
        followed.next(Listed)
    assert server.versions()[0] == "3"


def test_a_line_that_breaks_off_is_no_event(tmp_path: Path) -> None:
    whole = lines(("ADDED", namespace("b", 4)))
    other = lines(("ADDED", namespace("c", 5)))
    watches = [Reply(whole + other[:40]), Reply(other)]

    def script(request: Request) -> Reply:
        if listed(request):
            return page(namespace("a"), version=3)
        return watches.pop(0) if watches else Reply(lines(bookmark(6)))

    with asking(tmp_path, script, streaming=False) as (server, followed):
        followed.next(Listed)
        assert [followed.next(Changed).version for _ in range(2)] == ["4", "5"]
    assert server.versions()[:2] == ["3", "4"]


def test_an_object_as_large_as_any_is_one_event(tmp_path: Path) -> None:
    filler = {"x": "y" * (3 << 20)}
    watch = Reply(lines(("ADDED", namespace("b", 4, status=filler))))

    def script(request: Request) -> Reply:
        return page() if listed(request) else watch

    with asking(tmp_path, script, streaming=False) as (_, followed):
        followed.next(Listed)
        assert followed.next(Changed).key == "b"


def test_a_line_that_never_ends_is_given_up(tmp_path: Path) -> None:
    watches = [
        Reply(b"x" * (MOST_LINE_BYTES + 1)),
        Reply(lines(("ADDED", namespace("b", 4)))),
    ]

    def script(request: Request) -> Reply:
        if listed(request):
            return page()
        return watches.pop(0) if len(watches) > 1 else watches[0]

    with asking(tmp_path, script, streaming=False) as (_, followed):
        followed.next(Listed)
        assert followed.next(Changed).key == "b"


def test_no_json_is_told_and_survived(tmp_path: Path) -> None:
    lists = [Reply(b'{"metadata": {}, "items": [}'), page(namespace("a"))]

    def script(request: Request) -> Reply:
        if listed(request):
            return lists.pop(0) if len(lists) > 1 else lists[0]
        return Reply(lines(bookmark(2)))

    with asking(tmp_path, script, streaming=False) as (_, followed):
        assert "namespaces came as no JSON" in followed.next(Down).reason
        followed.next(Listed)
        followed.next(Up)


def test_what_is_no_api_server_is_named_once_however_often_asked(
    tmp_path: Path,
) -> None:
    def script(_: Request) -> Reply:
        return Reply(b"<html>Bad Gateway</html>", 502)

    with asking(tmp_path, script) as (server, followed):
        told = followed.next(Down).reason
        assert "does not answer as a Kubernetes API server (HTTP 502)" in told
        while len(server.asked) < 5:
            assert followed.silent(0.01)


def test_a_busy_server_is_asked_again_when_it_said(tmp_path: Path) -> None:
    busy = [Reply(status(429, "too many requests"), 429, {"Retry-After": "1"})]
    asked: list[float] = []

    def script(request: Request) -> Reply:
        if streamed(request):
            asked.append(monotonic())
            return (
                busy.pop()
                if busy
                else Reply(lines(("ADDED", namespace("a")), bookmark(2, **END)))
            )
        return Reply(lines(bookmark(2)))

    with asking(tmp_path, script) as (server, followed):
        assert "too many requests" in followed.next(Down).reason
        assert names(followed.next(Listed)) == ["a"]
    assert streamed(server.asked[1])
    assert asked[1] - asked[0] >= 1, "not before the second is over"


def test_events_of_a_newer_api_are_passed_over(tmp_path: Path) -> None:
    watch = Reply(lines(("MOVED", namespace("x", 8)), ("ADDED", namespace("b", 9))))

    def script(request: Request) -> Reply:
        return page() if listed(request) else watch

    with asking(tmp_path, script, streaming=False) as (_, followed):
        followed.next(Listed)
        assert followed.next(Changed).key == "b"


def test_an_object_with_a_field_of_a_wrong_type_is_told_with_what_is_wrong(
    tmp_path: Path,
) -> None:
    odd = namespace("odd")
    odd["metadata"]["labels"] = {"team": 7}

    def script(request: Request) -> Reply:
        return page(odd, namespace("a")) if listed(request) else Reply(b"")

    with asking(tmp_path, script, streaming=False) as (_, followed):
        first, second = followed.next(Listed).objects
    assert (first.value, second.problems) == (None, ())
    assert first.problems[0].field == "metadata.labels.team"


def test_the_kernel_watches_over_connections(tmp_path: Path) -> None:
    with serving(lambda _: page()) as url:
        config = write_config(tmp_path / "config", url)
        access = choose_access(Choice(kubeconfig=config), {})
        with Connection(access, httpx2.Timeout(5)) as connection:
            response = connection.open("/api/v1/namespaces", {})
            found = response.extensions["network_stream"].get_extra_info("socket")
            alive = found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            patience = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            response.close()
    assert (alive, patience) == (1, 30_000)


def test_whoever_ends_it_does_not_wait_for_a_login(tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text('#!/bin/sh\necho $$ > "$0.pid"\nexec sleep 60\n')
    program.chmod(0o755)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(program),
        "interactiveMode": "Never",
    }
    config = write_config(tmp_path / "config", "http://127.0.0.1:9", exec=plugin)
    with following(config, "Namespace") as followed:
        pid = tmp_path / "login.pid"
        while not (pid.exists() and pid.read_text()):
            assert followed.silent(0.01)
        assert not followed.reflector.stop()
        os.kill(int(pid.read_text()), signal.SIGKILL)
        while followed.reflector.alive:
            assert followed.silent(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_we_let_die_is_told_and_seen(tmp_path: Path) -> None:
    unknown = Resource("", "v1", "widgets", "Widget", "nobody reads them")
    with serving(lambda _: page(namespace("a"))) as url:
        config = write_config(tmp_path / "config", url)
        access = choose_access(Choice(kubeconfig=config), {})
        queue: Queue[Delta] = Queue()
        pace = Pace(streaming=False)
        reflector = Reflector(access, queue, resources=(unknown,), pace=pace)
        reflector.start()
        told = queue.get(timeout=60)
        assert isinstance(told, Down)
        assert "widgets are not followed any more" in told.reason
        reflector.stop()
        await_end(reflector)
