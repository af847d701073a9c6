"""Denied packets become records, as the kernel logs them; losses are counted."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from smallnode import run_alone

pytestmark = pytest.mark.kernel

WORLD = """
import json
import select
import time
from ringfence.adapters.kernel.nflog import Nflog
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import Namespace, Node, Owner, Pod
from ringfence.observe.attribute import Attribution
from ringfence.observe.hubble import line
TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
def addresses(host):
    return tuple(map(ip_address, (f"10.0.0.{host}", f"fd00::{host}")))
WEB, DB = ObjectKey("shop", "web-7c-x"), ObjectKey("data", "db-0")
SHOP = LabelSelector((Requirement("app", Operator.IN, frozenset({"shop"})),))
RULE = Rule((Peer(SHOP, EVERYTHING),), (PolicyPort(Protocol.TCP, 5432),))
def policy(namespace, name, direction, *rules):
    kept = (rules, ()) if direction is Direction.INGRESS else ((), rules)
    return NetworkPolicy(
        ObjectKey(namespace, name), EVERYTHING, frozenset({direction}), *kept
    )
def world(*policies, enforcement=ENFORCE):
    pods = (
        Pod(WEB, {"app": "web", "pod-template-hash": "7c"}, addresses(1), node="n1",
            owner=Owner("ReplicaSet", "web-7c")),
        Pod(DB, {"app": "db"}, addresses(2), node="n1"),
    )
    return SmallNode(Cluster(
        {name: Namespace(name, {}) for name in ("shop", "data")},
        {pod.key: pod for pod in pods},
        {"n1": Node("n1", {}, ())},
        policies={of.key: of for of in policies},
    ), enforcement)
def read(log, wanted):
    found = []
    while len(found) < wanted and select.select([log], [], [], 60)[0]:
        found += log.read()
    return found
def told(node, made, log, wanted):
    known = Attribution(node.state.compiled, node.state.claims, "n1", made.table.index)
    for packet in read(log, wanted):
        record = known.record(packet)
        if record is not None:
            print(line(record))
CLOSED = policy("data", "db-ingress", Direction.INGRESS, RULE)
"""


def flows(script: str) -> list[dict[str, Any]]:
    printed = run_alone(WORLD + script).splitlines()
    return [json.loads(line)["flow"] for line in printed]


def test_denied_packets_of_each_protocol_and_family_are_told() -> None:
    found = flows("""
node = world(CLOSED)
made = node.enforce()
with Nflog([100]) as log:
    for to, echo in zip(addresses(2), (ICMP, ICMP6)):
        node.send(WEB, to, TCP, 5432)
        node.send(WEB, to, UDP, 53)
        node.send(WEB, to, SCTP, 3868)
        node.send(WEB, to, echo)
    told(node, made, log, 8)
""")
    assert [(f["IP"]["ipVersion"], next(iter(f["l4"]))) for f in found] == [
        *(("IPv4", of) for of in ("TCP", "UDP", "SCTP", "ICMPv4")),
        *(("IPv6", of) for of in ("TCP", "UDP", "SCTP", "ICMPv6")),
    ]
    for flow in found:
        assert flow["verdict"] == "DROPPED"
        assert flow["drop_reason_desc"] == "POLICY_DENIED"
        assert flow["traffic_direction"] == "INGRESS"
        assert flow["source"]["pod_name"] == "web-7c-x"
        assert flow["source"]["workloads"] == [{"name": "web", "kind": "Deployment"}]
        assert flow["destination"]["pod_name"] == "db-0"
        assert flow["policies"] == [
            {"ns": "data", "name": "db-ingress", "rule": "", "effect": "denies"}
        ]
        assert flow["nearest_miss"]["policy"] == "data/db-ingress"
    assert found[0]["Summary"] == "TCP Flags: SYN"
    assert found[0]["l4"]["TCP"]["destination_port"] == 5432
    assert found[0]["nearest_miss"]["terms"] == [
        'pod label app wanted "shop", pod has "web"'
    ]


def test_an_egress_denial_is_the_senders() -> None:
    (flow,) = flows("""
node = world(policy("shop", "none-out", Direction.EGRESS))
made = node.enforce()
with Nflog([100]) as log:
    node.send(WEB, addresses(2)[0], TCP, 5432)
    told(node, made, log, 1)
""")
    assert flow["traffic_direction"] == "EGRESS"
    assert flow["egress_denied_by"][0]["name"] == "none-out"
    assert flow["nearest_miss"]["policy"] == ""


def test_an_audited_denial_passes_and_is_told() -> None:
    (flow, passed) = flows("""
node = world(CLOSED, enforcement=Enforcement(audit=True))
made = node.enforce()
with node.inside(DB):
    server = socket.create_server(("10.0.0.2", 5433))
    server.settimeout(60)
with Nflog([100]) as log:
    node.send(WEB, addresses(2)[0], TCP, 5433)
    told(node, made, log, 1)
print(json.dumps({"flow": {"peer": server.accept()[1][0]}}))
""")
    assert flow["verdict"] == "AUDIT"
    assert flow["ingress_denied_by"][0]["name"] == "db-ingress"
    assert passed == {"peer": "10.0.0.1"}


def test_an_allowed_connection_is_sampled() -> None:
    (flow,) = flows("""
node = world(policy("data", "open", Direction.INGRESS, Rule(None, None)),
             enforcement=Enforcement(samples=1))
made = node.enforce()
with Nflog([100]) as log:
    node.send(WEB, addresses(2)[0], UDP, 53)
    found = [f for f in read(log, 2) if f.prefix.startswith("rf:A:in:")]
    known = Attribution(node.state.compiled, node.state.claims, "n1", made.table.index)
    for packet in found:
        print(line(known.record(packet)))
""")
    assert (flow["verdict"], flow["traffic_direction"]) == ("FORWARDED", "INGRESS")
    assert flow["ingress_allowed_by"][0]["name"] == "open"


FLOOD = """
node = world()
import subprocess
subprocess.run(["nft", "-f", "-"], input='''
table inet flood {
  counter came { }
  chain forward {
    type filter hook forward priority 0;
    udp dport 9 counter name came \\
      log prefix "rf:D:in:data/db-ingress" group 100 snaplen 64 drop
  }
}''', text=True, check=True)
with node.inside(WEB):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
from ringfence.adapters.kernel.nftables import Nftables
kernel = Nftables()
def flood(count):
    for number in range(1, count + 1):
        sender.sendto(b"x", ("10.0.0.2", 9))
        # A busy processor lets a thousand packets wait, and drops the next.
        while number % 100 == 0 and kernel.counters("flood")["came"][0] < number:
            time.sleep(0.001)
"""


def test_what_a_slow_reader_loses_is_counted() -> None:
    printed = run_alone(f"""{WORLD}{FLOOD}
sent = 5000
with Nflog([100], receive=1) as log:
    flood(sent)
    read_ = 0
    while read_ + log.lost < sent:
        if select.select([log], [], [], 0.1)[0]:
            read_ += len(log.read())
        else:  # what is lost at the end the next packet tells
            sender.sendto(b"x", ("10.0.0.2", 9))
            sent += 1
    print(json.dumps([read_ + log.lost - sent, log.lost, log.overruns]))
""")
    more, lost, overruns = json.loads(printed)
    assert more == 0
    assert lost > 0
    assert overruns > 0


def test_a_flood_that_is_read_loses_nothing() -> None:
    printed = run_alone(f"""{WORLD}{FLOOD}
with Nflog([100]) as log:
    flood(2000)
    found = read(log, 2000)
    print(json.dumps([len(found), log.lost, found[0].prefix, len(found[0].payload)]))
""")
    assert json.loads(printed) == [2000, 0, "rf:D:in:data/db-ingress", 29]


def test_a_packet_has_its_links_and_its_time() -> None:
    printed = run_alone(f"""{WORLD}{FLOOD}
with Nflog([100]) as log:
    sender.sendto(b"x", ("10.0.0.2", 9))
    (packet,) = read(log, 1)
    print(json.dumps([packet.indev, packet.outdev, packet.hook, packet.group]))
    assert abs(packet.time - time.time_ns()) < 60 * 10**9
""")
    assert json.loads(printed) == [10, 11, 2, 100]


def test_a_group_that_another_reads_is_refused() -> None:
    printed = run_alone("""
from ringfence.adapters.kernel.nflog import Nflog
from ringfence.errors import KernelError
first = Nflog([100])
try:
    Nflog([100])
except KernelError as error:
    print(error)
""")
    assert printed.startswith("cannot read nflog group 100: Operation not permitted")
    assert "no other program may read it" in printed


def test_a_denial_is_observed_live() -> None:
    printed = run_alone(f"""{WORLD}
import os, queue, subprocess, sys, tempfile
from ringfence.agent.records.flowlog import FlowLog
from ringfence.agent.records.flowtap import FlowTap
node = world(CLOSED)
made = node.enforce()
inbox = queue.Queue()
place = tempfile.mkdtemp()
log = FlowLog("", f"{{place}}/flows.sock", "n1")
tap = FlowTap(lambda packets: inbox.put(packets) is None)
observe = [sys.executable, "-m", "ringfence", "observe", "-f", "--to-pod", "data/db"]
observe += ["--server", f"unix:{{place}}/flows.sock", "--last", "1"]
known = Attribution(node.state.compiled, node.state.claims, "n1", made.table.index)
def note():
    log.write([line(known.record(packet)) for packet in inbox.get(timeout=60)])
with subprocess.Popen(observe, stdout=subprocess.PIPE, text=True) as program:
    node.send(WEB, addresses(2)[0], TCP, 5432)
    note()
    print(program.stdout.readline(), end="")
    node.send(WEB, addresses(2)[1], UDP, 53)
    note()
    print(program.stdout.readline(), end="")
    tap.close()
    log.close()
    assert program.wait(60) == 0
os.rmdir(place)
""").splitlines()
    told = [re.sub(r"^.*?: |(?<=-x:)\d+", "", line) for line in printed]
    verdict = "policy-verdict:data/db-ingress INGRESS DENIED"
    assert told == [
        f"shop/web-7c-x: (Deployment/web) -> data/db-0:5432 {verdict} (TCP Flags: SYN)",
        f"shop/web-7c-x: (Deployment/web) -> data/db-0:53 {verdict} (UDP)",
    ]
