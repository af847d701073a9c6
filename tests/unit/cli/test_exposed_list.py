"""``ringfence get exposed``: the list, its document, its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

EXAMPLE = str(Path(__file__).parents[3] / "examples" / "wordpress")


def exposed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run("ringfence", ["get", "exposed", "-f", EXAMPLE, *words]) == Exit.OK
    return capsys.readouterr().out


def test_each_line_says_who_and_on_which_ports(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [" ".join(line.split()) for line in exposed(capsys).splitlines()]
    assert lines[0] == "ENDPOINT OPEN AUDIENCE PORTS"
    assert (
        "default/deploy/mysql from pods tier=wordpress of namespace default 3306"
        in lines
    )
    assert "default/deploy/wordpress from 0.0.0.0/0 80,443" in lines


def test_labels_and_namespaces_choose_endpoints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = exposed(capsys, "-n", "kube-system", "-o", "name").split()
    assert names == ["kube-system/pod/kube-dns"]
    assert exposed(capsys, "-l", "tier=mysql", "-o", "name").split() == [
        "default/deploy/mysql"
    ]


def test_the_document_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(exposed(capsys, "-l", "tier=mysql", "-o", "json"))
    assert document["schema"] == "ringfence/exposed/v1"
    (one,) = [item for item in document["items"] if item["direction"] == "Ingress"]
    assert one["audience"] == "meant"
    assert one["selector"]["podSelector"] == "tier=wordpress"
    assert one["ports"] == [{"protocol": "TCP", "port": 3306}]
