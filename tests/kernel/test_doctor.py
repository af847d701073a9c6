"""The doctor in a network namespace that has what it looks for."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kernel

DOCTOR = f"{shlex.quote(sys.executable)} -m ringfence doctor"
BRIDGE = """
ip link add cni0 type bridge
for n in 1 2; do ip link add veth$n type veth peer name peer$n; done
ip link set veth1 master cni0; ip link set veth2 master cni0
for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
  if [ -e $file ]; then echo 0 > $file; fi
done
"""


ROOT = pytest.mark.skipif(
    os.geteuid() != 0,
    reason="some facts are root's to see: run as root",
)


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a network namespace that ends with it."""
    become = [] if os.geteuid() == 0 else ["--map-root-user"]
    words = ["bash", "-ec", f"PATH=$PATH:/usr/sbin:/sbin\n{script}"]
    return subprocess.run(
        ["unshare", *become, "--net", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def examined(script: str, *, code: int) -> dict[str, list[Any]]:
    """Return the findings by their check."""
    ran = in_namespace(f"{script}\n{DOCTOR} -o json")
    assert ran.returncode == code, ran.stderr
    found: dict[str, list[Any]] = {}
    for one in json.loads(ran.stdout)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


@pytest.fixture(scope="module")
def sick() -> dict[str, list[Any]]:
    """The findings of a node with much in the way."""
    rules = """
echo 0 > /proc/sys/net/ipv4/ip_forward
nft -f - <<END
table inet ringfence { comment "somebody's" ; }
table ip filter {
  chain KUBE-ROUTER-FORWARD { }
  chain FORWARD {
    type filter hook forward priority filter; policy accept;
    jump KUBE-ROUTER-FORWARD
    counter drop
  }
}
END
tc qdisc add dev veth1 clsact
"""
    return examined(BRIDGE + rules, code=1)


@ROOT
@pytest.mark.parametrize(
    ("check", "status", "said"),
    [
        (
            "enforcers on this node",
            "problem",
            "kube-router has been here: chain KUBE-ROUTER-FORWARD",
        ),
        (
            "other chains on forward",
            "warning",
            "ip filter FORWARD ends in a drop of everything",
        ),
        (
            "table inet ringfence",
            "problem",
            'there, and not of ringfence: its comment is "somebody\'s"',
        ),
        ("forwarding", "problem", "IPv4 is not forwarded (net.ipv4.ip_forward=0)"),
        ("eBPF programs", "ok", "none on any link (xdp, tc, tcx, netkit)"),
    ],
)
def test_what_is_in_the_way_is_found(
    sick: dict[str, list[Any]], check: str, status: str, said: str
) -> None:
    (found,) = sick[check]
    assert (found["status"], found["said"]) == (status, said)


def test_a_bridge_of_pods_that_is_not_filtered_is_found(
    sick: dict[str, list[Any]],
) -> None:
    (found,) = sick["bridge cni0"]
    assert found["said"] == "packets from port to port, of 2, pass by the forward hook"


def test_a_bridge_that_is_filtered_is_in_order() -> None:
    on = "ip link set cni0 type bridge nf_call_iptables 1 nf_call_ip6tables 1"
    (found,) = examined(f"{BRIDGE}\n{FORWARDS}\n{on}", code=0)["bridge cni0"]
    assert found["status"] == "ok"


FORWARDS = "echo 1 > /proc/sys/net/ipv4/ip_forward"


def test_an_agents_table_is_in_order() -> None:
    table = """nft 'table inet ringfence { comment "owner=ringfence schema=1" ; }'"""
    found = examined(f"{FORWARDS}\n{table}", code=0)
    (own,) = found["table inet ringfence"]
    assert own["said"] == "there: owner=ringfence schema=1"


def test_the_probe_shows_that_this_kernel_enforces_and_leaves_nothing() -> None:
    listed = "nft list ruleset; ip link"
    ran = in_namespace(
        f"{FORWARDS}\n{listed} > /dev/stderr\n{DOCTOR} --probe\n{listed} > /dev/stderr"
    )
    assert ran.returncode == 0
    assert "probe: packets in the lab fared as policies, engine" in ran.stdout
    before, after = (
        ran.stderr[: len(ran.stderr) // 2],
        ran.stderr[len(ran.stderr) // 2 :],
    )
    assert before == after


def test_an_ordinary_user_is_told_what_cannot_be_seen() -> None:
    # For files still their owner: a checkout below /root stays in reach.
    become = ["unshare", "--map-user=65534", "--map-group=65534"]
    ran = subprocess.run(
        [*(become if os.geteuid() == 0 else ()), *shlex.split(DOCTOR), "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = {one["check"]: one for one in json.loads(ran.stdout)["findings"]}
    assert told["enforcers on this node"]["status"] == "unknown"
    assert "you must be root" in told["flowtables"]["said"]


PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
THE_PAGES_NODE = """
ip link set cni0 type bridge nf_call_iptables 1
nft -f - <<END
table ip nat { chain KUBE-SERVICES { } ; }
table ip filter {
  chain KUBE-ROUTER-FORWARD { }
  chain KUBE-POD-FW-A7 { }
  chain KUBE-POD-FW-B2 { }
}
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    reject with icmpx admin-prohibited
  }
}
END
"""
OF_THE_MACHINE = re.compile(r"^ok +(kernel: |conntrack: |nft: ).*$", re.MULTILINE)


@ROOT
def test_the_node_of_the_page_is_judged_as_the_page_says() -> None:
    (shown,) = re.findall(
        r"```text\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    ran = in_namespace(f"{FORWARDS}\n{BRIDGE}\n{THE_PAGES_NODE}\n{DOCTOR} --probe")
    assert ran.returncode == 1, ran.stderr
    said, promised = (OF_THE_MACHINE.sub(r"\1", text) for text in (ran.stdout, shown))
    assert said == promised
