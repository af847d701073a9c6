"""Flow records get to a file, to standard output and to a socket's readers."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.agent.records import flowlog, flowsocket
from ringfence.agent.records.flowlog import FlowLog
from ringfence.agent.records.flowsocket import FlowSocket
from ringfence.errors import KernelError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "flows.sock"


@pytest.fixture
def served(path: Path) -> Iterator[FlowSocket]:
    made = FlowSocket(str(path), "n1")
    yield made
    made.close()


def reader(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(str(path))
    return made


def ended(path: Path) -> list[bytes]:
    """Return the lines of a reader that will not have more."""
    with reader(path) as one:
        one.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: one.recv(1 << 16), b"")).splitlines()


def test_a_reader_that_will_have_no_more_gets_the_last_lines_and_an_end(
    path: Path, served: FlowSocket
) -> None:
    served.write(b"one\n")
    served.write(b"two\n")
    assert ended(path) == [b"one", b"two"]


def test_two_readers_get_each_new_line(path: Path, served: FlowSocket) -> None:
    served.write(b"old\n")
    with reader(path) as one, reader(path) as other:
        streams = [of.makefile("rb") for of in (one, other)]
        assert [of.readline() for of in streams] == [b"old\n", b"old\n"]
        served.write(b"new\n")
        assert [of.readline() for of in streams] == [b"new\n", b"new\n"]
        for of in streams:
            of.close()


def test_no_more_lines_are_kept_than_some(path: Path, served: FlowSocket) -> None:
    for number in range(flowsocket.HISTORY + 5):
        served.write(b"%d\n" % number)
    assert ended(path)[0] == b"5"


def test_a_slow_reader_loses_lines_and_is_told_how_many(
    path: Path, served: FlowSocket
) -> None:
    with reader(path) as slow, slow.makefile("rb") as lines:
        line = b"x" * 1000 + b"\n"
        served.write(line)
        lines.readline()
        written = read = told = 0
        while served.lost < 10:
            served.write(line)
            written += 1
        while told < served.lost:
            if read + served.lost == written:  # all are read: the next one is told
                served.write(line)
                written += 1
            found = lines.readline()
            read += found == line
            told += 0 if found == line else lost_in(found)
    assert told == served.lost


def lost_in(line: bytes) -> int:
    found = json.loads(line)["lost_events"]
    assert found["source"] == "OBSERVER_EVENTS_QUEUE"
    return int(found["num_events_lost"])


def test_a_reader_that_goes_is_forgotten(path: Path, served: FlowSocket) -> None:
    for _ in range(flowsocket.READERS * 3):
        with reader(path) as one, one.makefile("rb") as lines:
            served.write(b"line\n")
            assert lines.readline() == b"line\n"


def test_only_so_many_readers_are_served(path: Path, served: FlowSocket) -> None:
    served.write(b"line\n")
    kept = [reader(path) for _ in range(flowsocket.READERS)]
    for one in kept:
        assert one.recv(100) == b"line\n"
    with reader(path) as refused:
        assert refused.recv(100) == b""
    for one in kept:
        one.close()


def test_the_socket_is_its_owners_alone_and_goes_with_the_agent(path: Path) -> None:
    made = FlowSocket(str(path), "n1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made.close()
    assert not path.exists()


def test_what_a_dead_agent_left_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    made = FlowSocket(str(path), "n1")
    assert ended(path) == []
    made.close()


def test_a_file_in_the_sockets_place_is_no_socket_to_replace(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(KernelError, match=r"cannot serve flows at .*in use"):
        FlowSocket(str(path), "n1")
    assert path.read_text() == "precious"


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    place = tmp_path / "flows.log"
    place.write_text("before\n")
    log = FlowLog(str(place), "", "n1")
    log.write(["one", "two"])
    log.close()
    assert place.read_text() == "before\none\ntwo\n"


def test_a_renamed_file_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flowlog, "_LOOK_S", 0.0)
    place = tmp_path / "flows.log"
    log = FlowLog(str(place), "", "n1")
    log.write(["one"])
    place.rename(tmp_path / "flows.log.1")
    log.write(["two"])
    log.close()
    assert place.read_text() == "two\n"


def test_a_full_disk_loses_lines_and_counts_them() -> None:
    log = FlowLog("/dev/full", "", "n1")
    log.write(["one", "two"])
    log.close()
    assert log.lost == {"file": 2}


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"cannot write flows to .*No such file"):
        FlowLog(str(tmp_path / "no" / "flows.log"), "", "n1")


def test_a_standard_output_that_nobody_reads_does_not_stop_the_agent() -> None:
    script = """
import sys
from ringfence.agent.records.flowlog import FlowLog
log = FlowLog("-", "", "n1")
for _ in range(200):
    log.write(["x" * 1000])
sys.stderr.write(str(log.lost["stdout"]))
"""
    here, there = os.pipe()
    ran = subprocess.run(
        [sys.executable, "-c", script],
        stdout=there,
        stderr=subprocess.PIPE,
        timeout=30,
        check=True,
        text=True,
    )
    os.close(there)
    with os.fdopen(here, "rb") as read:
        got = read.read().count(b"\n")
    assert got + int(ran.stderr) == 200
    assert int(ran.stderr) > 0
