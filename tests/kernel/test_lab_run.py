"""``ringfence lab run``: what it prints, and what it says to its caller."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80, name: http}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 53, protocol: UDP}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-http}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}, {ipBlock: {cidr: 192.0.2.0/24}}]
    ports: [{port: http}]
"""


def run_lab(manifests: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ringfence", "lab", "run", "-f", "-", *options],
        input=manifests,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(tmp_path: Path, *questions: dict[str, object]) -> list[str]:
    file = tmp_path / "batch.jsonl"
    file.write_text("".join(f"{json.dumps(question)}\n" for question in questions))
    return ["--batch", str(file), "-o", "json"]


def test_the_matrix_shows_what_packets_did() -> None:
    ended = run_lab(MANIFESTS)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[1:5] == [
        "[1]   default/db    -     80    all   all",
        "[2]   default/web   all   -     all   all",
        "[3]   internet      all   .     -     -",
        "[4]   192.0.2.1     all   80    -     -",
    ]
    assert lines[-1] == (
        "prediction = ruleset = packets for all 16 flows (12 connected, 4 dropped)"
    )


def test_every_flow_is_a_json_line() -> None:
    ended = run_lab(MANIFESTS, "-o", "json", "--nodes", "2")
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) == 16
    assert found[0] == {
        "from": "default/web",
        "to": "default/db",
        "protocol": "TCP",
        "port": 9999,
        "predicted": "ALLOW",
        "interpreted": "ALLOW",
        "packet": "connected",
        "agree": True,
    }


def test_a_batch_is_answered_line_by_line_in_its_own_words(tmp_path: Path) -> None:
    ended = run_lab(
        MANIFESTS,
        *asked(
            tmp_path,
            {"from": "db", "to": "svc/web", "port": 8080},
            {"from": "192.0.2.77", "to": "web", "port": "http", "protocol": "TCP"},
            {"from": "10.1.2.3", "to": "web", "port": 80},
            {"from": "web", "to": "db", "port": None, "protocol": "UDP"},
            {"from": "ns:default", "to": "web", "protocol": "ICMP"},
        ),
    )
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(one["to"], one["port"], one["packet"]) for one in found] == [
        ("svc/web", 8080, "connected"),
        ("web", "http", "connected"),
        ("web", 80, "dropped"),
        ("db", None, "connected"),
        ("web", None, "dropped"),
    ]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"from": "db", "to": "wep", "port": 80}, ":1: no pod wep in default; did you"),
        ({"from": "db", "to": "web", "port": 0}, ":1: nobody can listen on port 0"),
        ({"from": "db", "to": "224.0.0.1", "port": 1}, "no host can have address"),
        ({"from": "db"}, ':1: "to" is missing'),
    ],
)
def test_a_question_that_cannot_be_tried_is_wrong_input(
    tmp_path: Path, question: dict[str, object], words: str
) -> None:
    ended = run_lab(MANIFESTS, *asked(tmp_path, question))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr


def test_an_address_of_two_pods_is_wrong_input() -> None:
    twin = "metadata: {{name: {}}}\nspec: {{containers: []}}\n"
    status = "status: {podIP: 10.0.0.1}\n"
    pods = [f"apiVersion: v1\nkind: Pod\n{twin.format(n)}{status}" for n in "ab"]
    ended = run_lab("---\n".join(pods))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "address 10.0.0.1 also belongs to pod default/a" in ended.stderr


def test_a_cluster_without_pods_has_nothing_to_try() -> None:
    ended = run_lab("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")
    assert ended.returncode == 2
    assert "no pod" in ended.stderr
