"""Names that no server would take, but a file may hold, stay inside their place."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

HOSTILE = r"""
apiVersion: v1
kind: Pod
metadata:
  name: aa
  labels: {app: "x\e[31m\ny`|<b>\u202e"}
  ownerReferences: [{kind: ReplicaSet, name: "w\e[2J\nv<i>", controller: true}]
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bb}
spec: {containers: [{name: c}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchExpressions: [{key: app, operator: Exists}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: entry}
spec: {rules: [{host: "h\e[31m\nst", http: {paths: [{path: "/p\e\n"}]}}]}
"""
FILE = "odd\x1b[31m\n`.yaml"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text(HOSTILE)
    Path("before.yaml").write_text(HOSTILE.partition("---\napiVersion: net")[0])
    return FILE


@pytest.mark.parametrize(
    "words",
    [
        "matrix",
        "matrix --by workload",
        "matrix --to aa --from bb",
        "matrix -o md",
        "matrix --by workload -o dot",
        "matrix --by workload -o mermaid",
        "get policies",
        "get paths",
        "get exposed",
        "describe netpol/closed",
        "describe pod/aa",
        "can bb aa",
        "why bb aa",
    ],
)
def test_no_line_is_cut_and_no_terminal_steered(
    file: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ringfence", [*words.split(), "-f", file]) != Exit.USAGE
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))


@pytest.mark.parametrize("output", ["text", "md"])
def test_a_difference_names_them_on_its_lines(
    file: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ringfence", ["diff", "before.yaml", file, "-o", output])
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert r"\x1b" in out


def test_the_head_of_a_comment_keeps_a_name_in_its_quotes(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ringfence", ["diff", "before.yaml", file, "-o", "md"])
    _, head, *_ = capsys.readouterr().out.splitlines()
    assert head == (r"### Who can reach whom: `before.yaml` to `odd\x1b[31m\n'.yaml`")


@pytest.mark.parametrize("words", ["matrix -o svg", "matrix -o svg --by workload"])
def test_a_diagram_is_xml(
    file: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ringfence", [*words.split(), "-f", file])
    ET.fromstring(capsys.readouterr().out)  # noqa: S314 - our own


def test_the_picture_of_a_difference_is_xml(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ringfence", ["diff", "before.yaml", file, "-o", "svg"])
    ET.fromstring(capsys.readouterr().out)  # noqa: S314 - our own
