"""Batches of questions, as they come from a file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from ringfence.cli.asking import read_asks
from ringfence.cli.main import run
from ringfence.cli.options import Exit
from ringfence.errors import InputError


class Named(BytesIO):
    """A file of a name."""

    name = "asks.jsonl"


def test_a_separator_of_lines_inside_json_parts_no_line() -> None:
    asks = read_asks(Named('{"from": "a", "to": "b\u2028"}'.encode()), "default")
    assert [ask.destination_text for ask in asks] == ["b\u2028"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_ends_as_files_of_any_system_end_it(end: str) -> None:
    line = '{"from": "a", "to": "b"}'
    asks = read_asks(Named(f"{line}{end}{line}{end}".encode()), "default")
    assert [ask.place for ask in asks] == ["asks.jsonl:1", "asks.jsonl:2"]


def test_text_of_another_encoding_is_named_by_its_first_byte() -> None:
    with pytest.raises(InputError, match=r"asks\.jsonl: no UTF-8 at byte 1"):
        read_asks(Named(b"{\xff}"), "default")


@pytest.mark.parametrize(
    "line",
    [
        '{"from": "a", "to": "b:80/icmp"}',
        '{"from": "a", "to": "b", "port": 80, "protocol": "ICMP"}',
    ],
)
def test_a_port_of_a_protocol_without_ports_is_refused(line: str) -> None:
    with pytest.raises(InputError, match=r"asks\.jsonl:1: ICMP has no ports"):
        read_asks(Named(line.encode()), "default")


@pytest.mark.parametrize("command", ["can", "why"])
def test_both_ends_that_are_not_there_are_told(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: web}}")
    for ends, told in (("a b", "ab"), ("a a", "a"), ("web b", "b")):
        words = [command, *ends.split(), "-f", str(path)]
        assert run("ringfence", words) == Exit.USAGE
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(" in ")[0] for line in lines] == [
            f"error: no pod {name}" for name in told
        ]
