"""A flow record that tests of several packages tell in their ways."""

from __future__ import annotations

from ringfence.observe.record import (
    Deciding,
    Effect,
    FlowRecord,
    NearestMiss,
    Party,
    Verdict,
    Workload,
)

WEB = Party(
    "10.0.0.1",
    "shop",
    "web-7c",
    ("k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop"),
    (Workload("Deployment", "web"),),
)
WORLD = Party("203.0.113.7", labels=("reserved:world",), identity=2)
DENIED = FlowRecord(
    1_795_255_200_123_456_789,
    Verdict.DROPPED,
    WORLD,
    WEB,
    protocol="TCP",
    ports=(40000, 80),
    flags=("SYN",),
    direction="INGRESS",
    node="n1",
    reason="POLICY_DENIED",
    summary="TCP Flags: SYN",
    reply=False,
    policies=(Deciding("shop", "web-in", Effect.DENIES),),
    miss=NearestMiss("shop/web-in", "ingress[0].from[0]", ("why not",), "do so"),
)
