"""Records are lines that Hubble's readers take, and come back from them whole."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from flowrecords import DENIED, WEB, WORLD
from ringfence.observe.hubble import Lost, document, line, lost_line, read
from ringfence.observe.record import (
    Deciding,
    Effect,
    FlowRecord,
    NearestMiss,
    Party,
    Verdict,
    Workload,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
PARTIES = st.builds(
    Party,
    st.ip_addresses().map(str),
    TEXT | st.just(""),
    TEXT | st.just(""),
    st.lists(TEXT, max_size=2).map(tuple),
    st.lists(st.builds(Workload, TEXT, TEXT), max_size=2).map(tuple),
    st.integers(0, 70000),
    st.lists(TEXT, max_size=2).map(tuple),
)
PORT = st.integers(0, 65535)
LAYER4 = st.one_of(
    st.tuples(st.just("TCP"), st.tuples(PORT, PORT), st.sampled_from([(), ("SYN",)])),
    st.tuples(st.sampled_from(("UDP", "SCTP")), st.tuples(PORT, PORT), st.just(())),
)


@st.composite
def records(draw: st.DrawFn) -> FlowRecord:
    protocol, ports, flags = draw(LAYER4)
    verdict = draw(st.sampled_from(Verdict))
    denied = verdict in {Verdict.DROPPED, Verdict.AUDIT}
    return FlowRecord(
        draw(st.integers(0, 1 << 61)),
        verdict,
        draw(PARTIES),
        draw(PARTIES),
        draw(st.sampled_from((4, 6))),
        protocol,
        ports,
        flags,
        direction=draw(st.sampled_from(("INGRESS", "EGRESS"))),
        node=draw(TEXT),
        reason="POLICY_DENIED" if denied else "",
        summary=draw(TEXT),
        reply=draw(st.sampled_from((None, False, True))),
        policies=tuple(
            draw(st.lists(st.builds(Deciding, TEXT, TEXT, st.sampled_from(Effect))))
        ),
        miss=draw(st.none() | st.builds(NearestMiss, TEXT, TEXT, st.just(()), TEXT)),
    )


@given(records())
def test_a_record_comes_back_as_it_was(record: FlowRecord) -> None:
    assert read(line(record)) == record


def test_icmp_comes_back_with_its_type() -> None:
    record = FlowRecord(
        0, Verdict.DROPPED, WEB, WORLD, protocol="ICMPv6", icmp=(128, 0)
    )
    assert document(record)["flow"]["l4"] == {"ICMPv6": {"type": 128, "code": 0}}
    assert read(line(record)) == record


def test_the_names_are_those_of_flow_proto() -> None:
    flow = document(DENIED)["flow"]
    assert flow["time"] == "2026-11-21T10:00:00.123456789Z"
    assert (flow["verdict"], flow["drop_reason_desc"]) == ("DROPPED", "POLICY_DENIED")
    assert flow["IP"] == {
        "source": "203.0.113.7",
        "destination": "10.0.0.1",
        "ipVersion": "IPv4",
    }
    assert flow["l4"] == {
        "TCP": {"source_port": 40000, "destination_port": 80, "flags": {"SYN": True}}
    }
    assert flow["source"] == {"identity": 2, "labels": ["reserved:world"]}
    assert flow["destination"]["pod_name"] == "web-7c"
    assert flow["destination"]["workloads"] == [{"name": "web", "kind": "Deployment"}]
    assert flow["ingress_denied_by"] == [
        {"name": "web-in", "namespace": "shop", "kind": "NetworkPolicy"}
    ]
    assert (flow["Type"], flow["traffic_direction"]) == ("L3_L4", "INGRESS")
    assert flow["event_type"] == {"type": 5}
    assert flow["policies"] == [
        {"ns": "shop", "name": "web-in", "rule": "", "effect": "denies"}
    ]
    assert flow["nearest_miss"]["terms"] == ["why not"]


def test_a_line_is_one_line() -> None:
    assert "\n" not in line(DENIED)


def test_a_line_of_hubbles_own_is_read() -> None:
    told = read(
        '{"flow":{"time":"2026-11-21T12:00:00.5Z","verdict":"FORWARDED",'
        '"ethernet":{"source":"0a:58:0a:00:00:01"},'
        '"IP":{"source":"10.0.0.1","destination":"10.0.0.2","ipVersion":"IPv4"},'
        '"l4":{"UDP":{"source_port":53,"destination_port":40000}},'
        '"source":{"ID":12,"identity":4711,"namespace":"kube-system",'
        '"labels":["k8s:k8s-app=kube-dns"],"pod_name":"coredns-1"},'
        '"destination":{"identity":2,"labels":["reserved:world"]},"Type":"L3_L4",'
        '"node_name":"n1","event_type":{"type":4,"sub_type":3},'
        '"traffic_direction":"EGRESS","is_reply":true,"Summary":"UDP"},'
        '"node_name":"n1","time":"2026-11-21T12:00:00.5Z"}'
    )
    assert isinstance(told, FlowRecord)
    assert (told.type, told.reply, told.ports) == ("trace", True, (53, 40000))
    assert (told.source.pod, told.destination.reserved) == ("coredns-1", "world")


def test_policies_of_hubbles_own_are_read() -> None:
    told = read(
        '{"flow":{"verdict":"DROPPED","IP":{},"traffic_direction":"INGRESS",'
        '"ingress_denied_by":[{"name":"p","namespace":"a"}]}}'
    )
    assert isinstance(told, FlowRecord)
    assert told.policies == (Deciding("a", "p", Effect.DENIES),)


def test_lost_events_are_no_flow() -> None:
    text = lost_line(7, "OBSERVER_EVENTS_QUEUE", "n1", 0)
    assert json.loads(text)["lost_events"]["num_events_lost"] == "7"
    assert read(text) == Lost("7", "OBSERVER_EVENTS_QUEUE")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "flow",
                        "IP",
                        "l4",
                        "TCP",
                        "flags",
                        "source",
                        "labels",
                        "time",
                        "workloads",
                        "policies",
                        "nearest_miss",
                        "event_type",
                        "type",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_line_is_too_odd(value: object) -> None:
    read(json.dumps({"flow": value}))
    read(json.dumps(value))
