import json
from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}}
"""
OPEN = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec: {podSelector: {}, ingress: [{}]}
"""
POD = """\
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop}}
spec: {{{node}containers: [{{name: c}}]}}
status: {{podIP: {address}}}
"""


def pod(name: str, address: str, node: str = "") -> str:
    node = f"nodeName: {node}, " if node else ""
    return POD.format(name=name, address=address, node=node)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return tmp_path / "shop.yaml"


def test_manifests_without_nodes_make_one_node(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests.write_text(POLICY + pod("web", "10.0.0.1"))
    assert run("ringfence", ["ruleset", "-f", str(manifests)]) == Exit.OK
    out, err = capsys.readouterr()
    assert "10.0.0.1 : goto in/shop/deny," in out
    assert err == ""


def test_node_has_its_own_pods_only(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pods = pod("web", "10.0.0.1", "n1") + pod("db", "10.0.0.2", "n2")
    manifests.write_text(POLICY + pods)
    run("ringfence", ["ruleset", "-f", str(manifests), "--node", "n2"])
    out = capsys.readouterr().out
    assert "10.0.0.2 : goto" in out
    assert "10.0.0.1 : goto" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--node is needed: one of worker-1, worker-2"),
        (("--node", "worker-3"), "no node worker-3 (did you mean worker-2?)"),
        (("--node", "x"), "no node x (there is worker-1, worker-2)"),
    ],
)
def test_wrong_node_is_told_with_the_right_ones(
    manifests: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    pods = pod("web", "10.0.0.1", "worker-1") + pod("db", "10.0.0.2", "worker-2")
    manifests.write_text(POLICY + pods)
    assert run("ringfence", ["ruleset", "-f", str(manifests), *words]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_what_is_left_out_is_told_on_stderr(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pods = "".join(pod(f"p{i}", '""') for i in range(7))
    manifests.write_text(POLICY + pods)
    assert run("ringfence", ["ruleset", "-f", str(manifests)]) == Exit.OK
    err = capsys.readouterr().err
    assert err.startswith("warning: pod shop/p0, pod shop/p1, pod shop/p2, ")
    assert "and 2 more: no address is known" in err


def test_json_says_what_each_name_stands_for(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests.write_text(POLICY + pod("web", "10.0.0.1"))
    run("ringfence", ["ruleset", "-f", str(manifests), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    meant = {"direction": "Ingress", "policies": ["shop/deny"], "text": "shop/deny"}
    assert document["schema"] == "ringfence/ruleset/v1"
    assert document["node"] == "node-1"
    assert document["names"]["rf:D:in:shop/deny"] == {"kind": "policySet", **meant}
    assert document["leftOut"] == []


def test_json_names_the_policy_of_a_counter(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests.write_text(OPEN + pod("web", "10.0.0.1"))
    run("ringfence", ["ruleset", "-f", str(manifests), "-o", "json"])
    names = json.loads(capsys.readouterr().out)["names"]
    assert names["allow/in/shop/open"] == {
        "kind": "policy",
        "text": "shop/open",
        "direction": "Ingress",
        "policies": ["shop/open"],
    }


def test_audit_mode_drops_nothing(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests.write_text(POLICY + pod("web", "10.0.0.1"))
    run("ringfence", ["ruleset", "-f", str(manifests), "--mode", "audit"])
    out = capsys.readouterr().out
    assert "counter name would/in/shop/deny" in out
    assert "drop" not in out


def test_postrouting_hook_lets_the_node_itself_pass(
    manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests.write_text(POLICY + pod("web", "10.0.0.1"))
    run("ringfence", ["ruleset", "-f", str(manifests), "--hook", "postrouting"])
    out = capsys.readouterr().out
    assert "hook postrouting priority filter + 96" in out
    assert "fib saddr type local accept" in out
