"""``observe`` shows what the agent logged, from a file, a pipe or its socket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from flowrecords import DENIED, WEB
from ringfence.agent.records.flowsocket import FlowSocket
from ringfence.cli.observe import SHOWN, observe
from ringfence.errors import InputError
from ringfence.observe.hubble import line, lost_line
from ringfence.observe.instants import SECOND
from ringfence.observe.record import FlowRecord, Verdict, Workload

AUDITED = replace(DENIED, verdict=Verdict.AUDIT)
PROGRAM = [sys.executable, "-m", "ringfence", "observe"]


def lines(records: Iterable[FlowRecord]) -> str:
    return "".join(f"{line(record)}\n" for record in records)


def run(text: str, *options: str) -> Result:
    return CliRunner().invoke(
        observe,
        ["--input-file", "-", *options],
        input=text,
        standalone_mode=False,
    )


def shown(text: str, *options: str) -> list[str]:
    result = run(text, *options)
    assert result.exception is None
    return result.stdout.splitlines()


def numbered(count: int) -> str:
    return lines(replace(DENIED, ports=(n, 80)) for n in range(count))


def source_ports(printed: Iterable[str]) -> list[int]:
    flows = (json.loads(text)["flow"] for text in printed)
    return [flow["l4"]["TCP"]["source_port"] for flow in flows]


def test_records_are_told_in_compact_lines() -> None:
    (told,) = shown(lines([DENIED]))
    assert told.endswith("policy-verdict:shop/web-in INGRESS DENIED (TCP Flags: SYN)")


def test_json_is_the_line_as_it_was_read() -> None:
    text = lines([DENIED])
    assert run(text, "-o", "jsonpb").stdout == text
    assert run(text, "-o", "json").stdout == text


def test_filters_choose_and_not_turns_the_next() -> None:
    text = lines([DENIED, AUDITED])
    assert len(shown(text)) == 2
    assert len(shown(text, "--verdict", "AUDIT")) == 1
    assert len(shown(text, "--not", "--verdict", "AUDIT", "-n", "shop")) == 1
    assert shown(text, "--not", "-n", "shop") == []
    assert shown(text, "--not", "--pod=shop/web") == []
    assert shown(text, "-6") == []
    assert shown(text, "--not", "-4") == []


@pytest.mark.parametrize(
    "options",
    [
        ["--not", "--all"],
        ["--not"],
        ["--first", "1", "--last", "1"],
        ["-o", "table", "-f"],
        ["--server", "unix:/x"],
    ],
)
def test_wrong_usage_is_refused(options: list[str]) -> None:
    assert isinstance(run("", *options).exception, click.UsageError)


def test_everything_that_makes_no_sense_is_told() -> None:
    wrong = run("", "--since", "yesterday", "--until", "x", "--verdict", "MAYBE")
    assert isinstance(wrong.exception, InputError)
    places = [problem.place for problem in wrong.exception.problems]
    assert places == ["--since", "--until", "--verdict"]


def test_the_first_and_the_last_are_counted_among_what_passes() -> None:
    text = numbered(9)
    assert source_ports(shown(text, "--last", "2", "-o", "json")) == [7, 8]
    assert source_ports(shown(text, "--first", "2", "-o", "json")) == [0, 1]
    few = shown(
        text, "--from-port", "3", "--from-port", "4", "--last", "1", "-o", "json"
    )
    assert source_ports(few) == [4]


def test_times_bound_what_is_shown() -> None:
    later = replace(DENIED, time=DENIED.time + 60 * SECOND, ports=(1, 80))
    text = lines([DENIED, later])
    at = "2026-11-21T10:00:30Z"
    assert source_ports(shown(text, "--since", at, "-o", "json")) == [1]
    assert source_ports(shown(text, "--until", at, "-o", "json")) == [40000]


def test_losses_and_other_lines_are_told_aside() -> None:
    text = lost_line(7, "PERF_EVENT_RING_BUFFER", "n1", 0) + "\nnonsense\n\n"
    result = run(text + lines([DENIED]))
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr.splitlines() == [
        "EVENTS LOST: 7 (PERF_EVENT_RING_BUFFER)",
        "warning: no flow record: nonsense",
    ]


@pytest.mark.parametrize("output", ["compact", "dict", "table"])
def test_no_name_forges_a_line_or_steers_a_terminal(output: str) -> None:
    owner = Workload("Job", "a\n10.0.0.9: forged\x1b[2J\x9b31m\u202e")
    odd = replace(WEB, namespace="s\nhop", workloads=(owner,))
    honest = shown(lines([DENIED]), "-o", output)
    told = shown(lines([replace(DENIED, destination=odd)]), "-o", output)
    assert len(told) == len(honest)
    assert all(text.isprintable() for text in told)


def test_what_is_told_aside_steers_no_terminal_either() -> None:
    result = run(lost_line(7, "\x9b2J", "n1", 0) + "\n\x9b2J\n")
    assert all(text.isprintable() for text in result.stderr.splitlines())


def test_a_socket_gives_the_last_ones_and_all_on_request(tmp_path: Path) -> None:
    path = tmp_path / "flows.sock"
    served = FlowSocket(str(path), "n1")
    for text in numbered(SHOWN + 5).splitlines(keepends=True):
        served.write(text.encode())
    options = ["--server", f"unix:{path}", "-o", "json"]
    for more, count in (([], SHOWN), (["--all"], SHOWN + 5), (["--last", "3"], 3)):
        result = CliRunner().invoke(observe, [*options, *more], standalone_mode=False)
        assert result.exception is None
        assert len(result.stdout.splitlines()) == count
    served.close()


def test_a_socket_is_followed_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "flows.sock"
    served = FlowSocket(str(path), "n1")
    text = numbered(9).splitlines(keepends=True)
    for one in text[:4]:
        served.write(one.encode())
    options = [f"--server=unix:{path}", "-f", "--last", "2", "-o", "json"]
    with subprocess.Popen([*PROGRAM, *options], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        printed = [program.stdout.readline() for _ in range(2)]
        for one in text[4:]:
            served.write(one.encode())
        printed += [program.stdout.readline() for _ in range(5)]
        served.close()
        assert program.wait(60) == 0
    assert source_ports(map(bytes.decode, printed)) == [2, 3, 4, 5, 6, 7, 8]


def test_a_file_is_followed_over_its_rotation(tmp_path: Path) -> None:
    place = tmp_path / "flows.log"
    text = numbered(3).splitlines(keepends=True)
    place.write_text(text[0] + text[1][:20])
    options = ["--input-file", str(place), "-f", "-o", "json"]
    with subprocess.Popen([*PROGRAM, *options], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        printed = [program.stdout.readline()]
        with place.open("a") as log:
            log.write(text[1][20:])
        printed.append(program.stdout.readline())
        place.rename(tmp_path / "flows.log.1")
        place.write_text(text[2])
        printed.append(program.stdout.readline())
        program.terminate()
    assert source_ports(map(bytes.decode, printed)) == [0, 1, 2]


def test_no_agent_is_said_in_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        observe, ["--server", f"unix:{tmp_path}/none"], standalone_mode=False
    )
    assert isinstance(result.exception, InputError)
    assert "is an agent running here" in str(result.exception)
