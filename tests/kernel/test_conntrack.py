"""Connections are listed as the kernel has them, and end with the next packet."""

from __future__ import annotations

import pytest

from programs import run_python
from smallnode import run_alone

pytestmark = pytest.mark.kernel

TRACKED = """
table inet tracked {
  chain input { type filter hook input priority 0; ct state new accept; }
}
"""
TRANSLATED = """
table ip nat {
  chain output {
    type nat hook output priority -100;
    ip daddr 127.0.0.9 dnat to 127.0.0.2;
  }
}
"""
CUT = """
table inet cut {
  chain input {
    type filter hook input priority 0;
    ct state established accept
    tcp dport 7001 tcp flags & (fin|syn|rst|ack) != syn reject with tcp reset
  }
}
"""
HEAD = """
import socket, subprocess, time
from ringfence.adapters.kernel.conntrack import Conntrack
from ringfence.adapters.kernel.netlink import LOOPBACK, Netlink, link_up
from ringfence.adapters.kernel.netns import isolate
from ringfence.errors import KernelError
isolate()
Netlink().request([link_up(LOOPBACK)])
subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
def packed(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
def connect(family, address, source=""):
    listener = socket.create_server((address, 0), family=family)
    client = socket.socket(family)
    if source:
        client.bind((source, 0))
    client.settimeout(60)
    client.connect(listener.getsockname()[:2])
    return client, listener.accept()[0]
tracker = Conntrack()
def tracked(wanted):
    # What was sent may wait for its turn on a busy machine.
    end = time.monotonic() + 60
    while len(entries := tracker.entries()) < wanted and time.monotonic() < end:
        time.sleep(0.001)
    assert len(entries) == wanted, len(entries)
    return entries
"""


def run_isolated(body: str, rules: str = TRACKED) -> str:
    return run_python(f"RULES = {rules!r}\n{HEAD}{body}")


@pytest.mark.parametrize(
    ("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")]
)
def test_a_connection_is_listed_with_both_directions(family: str, address: str) -> None:
    run_isolated(f"""
client, server = connect(socket.{family}, "{address}")
(entry,) = tracker.entries()
here, there = client.getsockname(), client.getpeername()
packed_ = packed("{address}")
assert entry.original == (packed_, packed_, here[1], there[1])
assert entry.reply == (packed_, packed_, there[1], here[1])
assert entry.protocol == socket.IPPROTO_TCP
assert entry.status & 2, "IPS_SEEN_REPLY"
""")


def test_a_translated_destination_answers_under_its_own_address() -> None:
    run_isolated(
        """
listener = socket.create_server(("127.0.0.2", 7000))
client = socket.create_connection(("127.0.0.9", 7000), timeout=60)
(entry,) = tracker.entries({packed("127.0.0.2")})
assert entry.original.destination == packed("127.0.0.9")
assert (entry.reply.source, entry.reply.source_port) == (packed("127.0.0.2"), 7000)
""",
        TRANSLATED,
    )


def test_only_entries_that_touch_the_addresses_are_listed() -> None:
    run_isolated("""
kept = [connect(socket.AF_INET, f"127.0.0.{n}", f"127.0.1.{n}") for n in range(1, 5)]
assert len(tracker.entries()) == 4
asked = tracker.entries({packed("127.0.0.2"), packed("127.0.1.3")})
assert sorted(entry.reply.source[3] for entry in asked) == [2, 3]
""")


def test_icmp_and_unusual_protocols_are_listed_without_ports() -> None:
    run_isolated("""
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
raw.sendto(b"x", ("127.0.0.1", 0))
echo = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
echo.sendto(bytes.fromhex("0800f7fd00010001"), ("127.0.0.1", 0))
found = {entry.protocol: entry.original for entry in tracked(2)}
assert set(found) == {1, 253}
assert all(of.destination_port is None for of in found.values())
""")


def test_a_forgotten_connection_is_new_again_and_reset() -> None:
    run_isolated(
        """
listener = socket.create_server(("127.0.0.1", 7001))
client = socket.create_connection(("127.0.0.1", 7001), timeout=60)
server = listener.accept()[0]
client.send(b"a")
assert server.recv(1) == b"a"
assert tracker.forget(tracker.entries({packed("127.0.0.1")})) == 1
client.send(b"b")
try:
    client.recv(1)
    raise SystemExit("the connection lives on")
except ConnectionResetError:
    pass
""",
        CUT,
    )


def test_an_entry_with_another_id_is_left_alone() -> None:
    run_isolated("""
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.sendto(b"x", ("127.0.0.1", 9002))
(entry,) = tracked(1)
assert tracker.forget([entry._replace(id=entry.id ^ 1)]) == 0
assert len(tracker.entries()) == 1
""")


def test_many_entries_are_forgotten_and_gone_ones_do_no_harm() -> None:
    run_isolated("""
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(2000, 3000):
    sender.sendto(b"x", ("127.0.0.1", port))
    if port % 100 == 99:  # well below what a processor lets wait
        entries = tracked(port - 1999)
assert tracker.forget(entries[:500]) == 500
assert tracker.forget(entries) == 500
assert tracker.entries() == []
assert tracker.forget([]) == 0
""")


def test_without_the_privilege_the_refusal_says_which() -> None:
    printed = run_isolated("""
import ctypes
libc = ctypes.CDLL(None)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0
try:
    tracker.forget_all()
except KernelError as error:
    print(error)
""")
    assert "Operation not permitted (CAP_NET_ADMIN is needed)" in printed


RELABELLED = """
from ringfence.adapters.kernel.conntrack import Conntrack
from ringfence.agent.enforcing.cut import Judge, Site
from ringfence.engine.following.events import Event
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Pod
WEB, DB, OTHER = (ObjectKey("shop", name) for name in ("web", "db", "other"))
pods = (
    Pod(key, {}, (ip_address(f"10.0.0.{n}"), ip_address(f"fd00::{n}")), node="n1")
    for n, key in enumerate((WEB, DB, OTHER), start=1)
)
node = SmallNode(Cluster(pods={of.key: of for of in pods}))
node.enforce()
def connect(pod, to, family):
    with node.inside(pod):
        client = socket.socket(family)
    client.settimeout(60)
    client.connect((to, 80))
    return client
pairs = []
for family, host in ((socket.AF_INET, "10.0.0.%d"), (socket.AF_INET6, "fd00::%d")):
    for pod, number in ((DB, 2), (OTHER, 3)):
        with node.inside(pod):
            listener = socket.create_server((host % number, 80), family=family)
        client = connect(WEB, host % number, family)
        pairs.append((pod, client, listener.accept()[0]))
CLOSED = NetworkPolicy(
    ObjectKey("shop", "closed"), EVERYTHING, frozenset({Direction.INGRESS}), (), ()
)
from dataclasses import replace
from ringfence.model.labels import LabelSelector, Operator, Requirement
only = LabelSelector((Requirement("app", Operator.IN, frozenset({"db"})),))
database = replace(node.state.cluster.pods[DB], labels={"app": "db"})
node.state.apply([Event.put(database), Event.put(replace(CLOSED, pod_selector=only))])
node.enforce()
judge = Judge(node.state.compiled, node.state.claims, Site(frozenset(node.pods)))
with Conntrack() as tracker:
    denied = judge.denied(tracker.entries(judge.subjects()))
    print(tracker.forget(denied))
for pod, client, server in pairs:
    client.send(b"x")
    try:
        got = server.recv(1) if pod == OTHER else client.recv(1)
        print(pod.name, got.decode())
    except ConnectionResetError:
        print(pod.name, "reset")
"""


def test_a_policy_cuts_what_it_denies_with_the_next_packet() -> None:
    printed = run_alone(RELABELLED).split("\n")
    assert printed[0] == "2"
    assert printed[1:5] == ["db reset", "other x", "db reset", "other x"]
