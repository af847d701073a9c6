"""Flow records as Hubble's JSON lines (``hubble observe -o jsonpb``), and back.

Field names are those of cilium's flow.proto and observer.proto, written by protojson
with the names of the .proto file. ``policies``, ``nearest_miss`` and ``claimants`` are
ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ringfence.observe.instants import instant_of, rfc3339
from ringfence.observe.record import (
    POLICY_VERDICT,
    Deciding,
    Effect,
    FlowRecord,
    NearestMiss,
    Party,
    Verdict,
    Workload,
)

_DENIED_REASON = 133
"""drop_reason of POLICY_DENIED (flow.proto, ``DropReason``)."""

POLICY_VERDICT_TYPE = 5
EVENT_TYPES = {1: "drop", 4: "trace", POLICY_VERDICT_TYPE: POLICY_VERDICT, 129: "l7"}
"""Cilium's monitor message types (pkg/monitor/api)."""

_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_EFFECTS = {effect.value: effect for effect in Effect}
_DECIDED = {Effect.DENIES: "denied_by", Effect.ALLOWS: "allowed_by"}
_TRANSPORTS = ("TCP", "UDP", "SCTP")
_ICMP = ("ICMPv4", "ICMPv6")


def line(record: FlowRecord) -> str:
    """Return the record as one line of JSON, without a line's end."""
    return json.dumps(document(record), separators=(",", ":"), ensure_ascii=False)


def document(record: FlowRecord) -> dict[str, Any]:
    """Return the record as a response of Hubble's observer."""
    time = rfc3339(record.time)
    return {"flow": _flow(record, time), "node_name": record.node, "time": time}


LOST_IN_KERNEL, LOST_BY_READER = "PERF_EVENT_RING_BUFFER", "OBSERVER_EVENTS_QUEUE"
"""Where flows are lost (flow.proto, ``LostEventSource``)."""


def lost_line(lost: int, source: str, node: str, time: int) -> str:
    """Return the line that says how many flows are missing before it, and where."""
    told = {
        "lost_events": {"source": source, "num_events_lost": str(lost)},
        "node_name": node,
        "time": rfc3339(time),
    }
    return json.dumps(told, separators=(",", ":"))


def _flow(record: FlowRecord, time: str) -> dict[str, Any]:
    denied = record.verdict in {Verdict.DROPPED, Verdict.AUDIT}
    flow: dict[str, Any] = {"time": time, "verdict": record.verdict.value}
    if denied and record.reason:
        flow["drop_reason"] = _DENIED_REASON
    flow["IP"] = {
        "source": record.source.address,
        "destination": record.destination.address,
        "ipVersion": f"IPv{record.version}",
    }
    if layer4 := _layer4(record):
        flow["l4"] = {record.protocol: layer4}
    flow["source"] = _end(record.source)
    flow["destination"] = _end(record.destination)
    flow["Type"] = "L3_L4"
    flow["node_name"] = record.node
    flow["event_type"] = {"type": POLICY_VERDICT_TYPE}
    if record.direction:
        flow["traffic_direction"] = record.direction
    if denied and record.reason:
        flow["drop_reason_desc"] = record.reason
    if record.reply is not None:
        flow["is_reply"] = record.reply
    flow["Summary"] = record.summary
    return flow | _decided(record)


def _layer4(record: FlowRecord) -> dict[str, Any]:
    if record.icmp is not None:
        return {"type": record.icmp[0], "code": record.icmp[1]}
    if record.ports is None:
        return {}
    ports: dict[str, Any] = {
        "source_port": record.ports[0],
        "destination_port": record.ports[1],
    }
    if record.flags:
        ports["flags"] = dict.fromkeys(record.flags, True)
    return ports


def _end(party: Party) -> dict[str, Any]:
    end: dict[str, Any] = {}
    if party.identity:
        end["identity"] = party.identity
    if party.namespace:
        end["namespace"] = party.namespace
    end["labels"] = list(party.labels)
    if party.pod:
        end["pod_name"] = party.pod
    if party.workloads:
        end["workloads"] = [
            {"name": of.name, "kind": of.kind} for of in party.workloads
        ]
    if party.claimants:
        end["claimants"] = list(party.claimants)
    return end


def _decided(record: FlowRecord) -> dict[str, Any]:
    """Return who decided: Hubble's lists by direction, and ours."""
    told: dict[str, Any] = {}
    for of in record.policies:
        kind = {"name": of.name, "namespace": of.namespace, "kind": "NetworkPolicy"}
        name = f"{record.direction.lower()}_{_DECIDED[of.effect]}"
        told.setdefault(name, []).append(kind)
    told["policies"] = [
        {
            "ns": of.namespace,
            "name": of.name,
            "rule": of.rule,
            "effect": of.effect.value,
        }
        for of in record.policies
    ]
    miss = record.miss
    told["nearest_miss"] = miss and {
        "policy": miss.policy,
        "field": miss.field,
        "terms": list(miss.terms),
        "fix": miss.fix,
    }
    return told


class Lost(NamedTuple):
    """What ``lost_line`` tells."""

    events: str
    source: str


def read(text: str | bytes) -> FlowRecord | Lost | None:
    """Read a line, ours or Hubble's; None for one that tells nothing of flows.

    What is missing, or is not what it ought to be, is taken as not told.
    """
    try:
        response = json.loads(text)
    except ValueError:
        return None
    if not isinstance(response, dict):
        return None
    if lost := _map(response.get("lost_events")):
        return Lost(_text(lost.get("num_events_lost")), _text(lost.get("source")))
    # Older programs print the flow alone (hubble observe -o json).
    flow = response.get("flow", response)
    if not isinstance(flow, dict) or not {"IP", "verdict", "source"} & flow.keys():
        return None
    return _record(flow, _text(response.get("node_name")))


def _record(flow: Mapping[str, Any], node: str) -> FlowRecord:
    addresses = _map(flow.get("IP"))
    protocol, layer4 = _only(_map(flow.get("l4")))
    ports = layer4.get("source_port"), layer4.get("destination_port")
    icmp = layer4.get("type", 0), layer4.get("code", 0)
    known = protocol in (*_TRANSPORTS, *_ICMP)
    return FlowRecord(
        instant_of(_text(flow.get("time"))) or 0,
        _VERDICTS.get(_text(flow.get("verdict")), Verdict.UNKNOWN),
        _party(_map(flow.get("source")), _text(addresses.get("source"))),
        _party(_map(flow.get("destination")), _text(addresses.get("destination"))),
        6 if addresses.get("ipVersion") == "IPv6" else 4,
        protocol if known else "",
        _pair(ports) if protocol in _TRANSPORTS else None,
        tuple(name for name, is_set in _map(layer4.get("flags")).items() if is_set),
        _pair(icmp) if protocol in _ICMP else None,
        _text(flow.get("traffic_direction")),
        _text(flow.get("node_name")) or node,
        _type(_map(flow.get("event_type")).get("type")),
        _text(flow.get("drop_reason_desc")),
        _text(flow.get("Summary")),
        reply if isinstance(reply := flow.get("is_reply"), bool) else None,
        _policies(flow),
        _miss(_map(flow.get("nearest_miss"))),
    )


def _type(number: object) -> str:
    return EVENT_TYPES.get(number, "") if isinstance(number, int) else ""


def _party(end: Mapping[str, Any], address: str) -> Party:
    identity = end.get("identity")
    return Party(
        address,
        _text(end.get("namespace")),
        _text(end.get("pod_name")),
        _texts(end.get("labels")),
        tuple(
            Workload(_text(of.get("kind")), _text(of.get("name")))
            for of in _maps(end.get("workloads"))
        ),
        identity if isinstance(identity, int) else 0,
        _texts(end.get("claimants")),
    )


def _policies(flow: Mapping[str, Any]) -> tuple[Deciding, ...]:
    ours = tuple(
        Deciding(
            _text(of.get("ns")), _text(of.get("name")), effect, _text(of.get("rule"))
        )
        for of in _maps(flow.get("policies"))
        if (effect := _EFFECTS.get(_text(of.get("effect")))) is not None
    )
    return ours or tuple(
        Deciding(_text(of.get("namespace")), _text(of.get("name")), effect)
        for direction in ("egress", "ingress")
        for effect, word in _DECIDED.items()
        for of in _maps(flow.get(f"{direction}_{word}"))
    )


def _miss(told: Mapping[str, Any]) -> NearestMiss | None:
    if not told:
        return None
    return NearestMiss(
        _text(told.get("policy")),
        _text(told.get("field")),
        _texts(told.get("terms")),
        _text(told.get("fix")),
    )


def _pair(values: tuple[object, object]) -> tuple[int, int] | None:
    one, other = values
    return (one, other) if isinstance(one, int) and isinstance(other, int) else None


def _only(of: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return next(((name, _map(value)) for name, value in of.items()), ("", {}))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [_map(of) for of in value] if isinstance(value, list) else []
