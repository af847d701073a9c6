"""Logged packets become records of the right pods, policies and nearest misses."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.following.state import State
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import Namespace, Node, Owner, Pod
from ringfence.observe.attribute import Attribution
from ringfence.observe.hubble import line
from ringfence.observe.logged import Logged
from ringfence.observe.record import FlowRecord, Party, Verdict, Workload
from ringfence.ruleset.naming import (
    ContestedId,
    Identity,
    LogKind,
    PolicySetId,
    SampledId,
    UnknownId,
    log_prefix,
)

WEB, DATABASE = ObjectKey("shop", "web-7c-x"), ObjectKey("data", "db-0")
SHOP = LabelSelector((Requirement("app", Operator.IN, frozenset({"shop"})),))
CLOSED = NetworkPolicy(
    ObjectKey("data", "db-ingress"),
    EVERYTHING,
    frozenset({Direction.INGRESS}),
    (Rule((Peer(SHOP, EVERYTHING),), (PolicyPort(Protocol.TCP, 5432),)),),
    (),
)
CLUSTER = Cluster(
    {name: Namespace(name, {}) for name in ("shop", "data")},
    {
        WEB: Pod(
            WEB,
            {"app": "web", "pod-template-hash": "7c"},
            (ip_address("10.0.0.1"), ip_address("fd00::1")),
            node="n1",
            owner=Owner("ReplicaSet", "web-7c"),
        ),
        DATABASE: Pod(
            DATABASE,
            {"app": "db"},
            (ip_address("10.0.0.2"), ip_address("fd00::2")),
            node="n1",
            owner=Owner("StatefulSet", "db"),
        ),
    },
    {
        "n1": Node("n1", {}, (ip_address("192.0.2.1"),)),
        "n2": Node("n2", {}, (ip_address("192.0.2.2"),)),
    },
    policies={CLOSED.key: CLOSED},
)
DENIER = PolicySetId(Direction.INGRESS, (CLOSED.key,))
PREFIX = log_prefix(DENIER)


def packet(source: str, destination: str, port: int = 5432) -> bytes:
    one, other = ip_address(source), ip_address(destination)
    tcp = struct.pack(">HH8xBB6x", 40000, port, 0x50, 2)
    if one.version == 4:
        head = struct.pack(">BxHxxxxBB2x", 0x45, 40, 64, 6)
    else:
        head = struct.pack(">IHBB", 0x60000000, 20, 6, 64)
    return head + one.packed + other.packed + tcp


def told(
    payload: bytes,
    prefix: str = PREFIX,
    cluster: Cluster = CLUSTER,
    index: Mapping[str, Identity] | None = None,
) -> FlowRecord:
    state = State(cluster)
    known = Attribution(
        state.compiled,
        state.claims,
        "n1",
        index or {},
        frozenset({ip_address("192.0.2.9")}),
    )
    record = known.record(Logged(100, prefix, payload, 7))
    assert record is not None
    return record


def test_a_denied_packet_has_its_pods_policies_and_nearest_miss() -> None:
    for one, other in (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")):
        record = told(packet(one, other))
        assert (record.verdict, record.direction) == (Verdict.DROPPED, "INGRESS")
        assert (record.source.namespace, record.source.pod) == WEB
        assert (record.destination.namespace, record.destination.pod) == DATABASE
        assert record.source.workloads == (Workload("Deployment", "web"),)
        assert record.destination.workloads == (Workload("StatefulSet", "db"),)
        assert record.source.labels == (
            "k8s:app=web",
            "k8s:io.kubernetes.pod.namespace=shop",
            "k8s:pod-template-hash=7c",
        )
        assert [str(of) for of in record.policies] == ["data/db-ingress"]
        assert record.miss is not None
        assert record.miss.policy == "data/db-ingress"
        assert record.miss.field == "ingress[0].from[0]"
        assert record.summary == "TCP Flags: SYN"
        assert (record.ports, record.time, record.node) == ((40000, 5432), 7, "n1")


def test_a_pod_with_endless_names_makes_no_endless_record() -> None:
    endless = "x" * 1_000_000
    labels = {f"l{number}": "x" * 60 for number in range(10_000)}
    pod = replace(CLUSTER.pods[WEB], labels=labels, owner=Owner("Job", endless))
    cluster = replace(CLUSTER, pods={**CLUSTER.pods, WEB: pod})
    record = told(packet("10.0.0.1", "10.0.0.2"), cluster=cluster)
    kept = {f"k8s:l0={'x' * 60}", "k8s:io.kubernetes.pod.namespace=shop"}
    assert kept <= {*record.source.labels}
    assert len(line(record)) < 8192


def test_a_staged_denial_is_an_audit() -> None:
    record = told(packet("10.0.0.1", "10.0.0.2"), log_prefix(DENIER, LogKind.STAGED))
    assert record.verdict is Verdict.AUDIT
    assert record.reason == "POLICY_DENIED"
    assert record.miss is not None


def test_a_sample_of_what_passes_names_the_rules_that_allow_it() -> None:
    sampled = log_prefix(SampledId(Direction.INGRESS), LogKind.SAMPLED)
    pods = dict(CLUSTER.pods)
    pods[WEB] = Pod(WEB, {"app": "shop"}, (ip_address("10.0.0.1"),))
    cluster = Cluster(CLUSTER.namespaces, pods, policies=CLUSTER.policies)
    record = told(packet("10.0.0.1", "10.0.0.2"), sampled, cluster)
    assert (record.verdict, record.reason) == (Verdict.FORWARDED, "")
    (policy,) = record.policies
    assert (str(policy), policy.rule) == ("data/db-ingress", "ingress[0].from[0]")
    assert record.miss is None


def party(address: str) -> Party:
    return told(packet(address, "10.0.0.2")).source


def test_ends_that_are_no_pods_have_hubbles_words() -> None:
    assert (party("203.0.113.7").reserved, party("203.0.113.7").identity) == (
        "world",
        2,
    )
    assert party("192.0.2.1").reserved == "host"
    assert party("192.0.2.2").reserved == "remote-node"
    assert party("192.0.2.9").reserved == "kube-apiserver"


def test_a_contested_address_is_nobodys_and_names_its_claimants() -> None:
    twin = ObjectKey("shop", "twin")
    pods = {**CLUSTER.pods, twin: Pod(twin, {}, (ip_address("10.0.0.2"),))}
    cluster = Cluster(CLUSTER.namespaces, pods, policies=CLUSTER.policies)
    prefix = log_prefix(ContestedId(Direction.INGRESS))
    record = told(packet("10.0.0.1", "10.0.0.2"), prefix, cluster)
    assert record.destination.pod == ""
    assert record.destination.reserved == "unknown"
    assert record.destination.claimants == ("data/db-0", "shop/twin")
    assert (record.policies, record.miss) == ((), None)


def test_a_guarded_address_that_is_nobodys_is_unknown() -> None:
    taken, sent = (log_prefix(UnknownId(of)) for of in Direction)
    record = told(packet("10.0.0.1", "10.0.0.77"), taken)
    assert (record.verdict, record.policies) == (Verdict.DROPPED, ())
    assert (record.source.pod, record.destination.reserved) == (WEB.name, "unknown")
    record = told(packet("10.0.0.77", "203.0.113.7"), sent)
    assert record.source.reserved == "unknown"
    assert record.destination.reserved == "world"


def test_an_unknown_pod_that_is_known_by_now_is_named() -> None:
    record = told(
        packet("10.0.0.1", "10.0.0.2"), log_prefix(UnknownId(Direction.INGRESS))
    )
    assert record.destination.pod == DATABASE.name


def test_a_prefix_too_long_for_its_names_is_looked_up() -> None:
    policies = tuple(ObjectKey("data", f"{n}-{'x' * 60}") for n in range(3))
    of = PolicySetId(Direction.INGRESS, policies)
    record = told(
        packet("10.0.0.1", "10.0.0.2"), log_prefix(of), index={log_prefix(of): of}
    )
    assert tuple((p.namespace, p.name) for p in record.policies) == policies
    # What an earlier agent's chain logged: the policies of now.
    gone = told(packet("10.0.0.1", "10.0.0.2"), log_prefix(of))
    assert [str(policy) for policy in gone.policies] == ["data/db-ingress"]


def test_a_policy_that_is_gone_is_still_named() -> None:
    cluster = Cluster(CLUSTER.namespaces, CLUSTER.pods)
    record = told(packet("10.0.0.1", "10.0.0.2"), PREFIX, cluster)
    assert [str(of) for of in record.policies] == ["data/db-ingress"]
    assert record.miss is None


def test_what_others_log_is_passed_over() -> None:
    state = State(CLUSTER)
    known = Attribution(state.compiled, state.claims, "n1", {})
    payload = packet("10.0.0.1", "10.0.0.2")
    for prefix in ("", "calico-drop", "rf:X:in:a/b", "rf:D:up:a/b", "rf:D:in:"):
        assert known.record(Logged(100, prefix, payload, 0)) is None
    assert known.record(Logged(100, PREFIX, b"\x45", 0)) is None


@given(st.text(max_size=10), st.binary(max_size=60))
def test_nothing_logged_is_too_odd(tail: str, payload: bytes) -> None:
    state = State(CLUSTER)
    known = Attribution(state.compiled, state.claims, "n1", {})
    known.record(Logged(100, f"rf:D:in:{tail}", payload, 0))
    known.record(Logged(100, PREFIX, packet("10.0.0.1", "10.0.0.2")[:20] + payload, 0))
