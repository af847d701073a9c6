"""What the agent measures of itself, for Prometheus; every label is bounded."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS: Final = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The agent's metrics, each in one place (docs/agent.md lists them)."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.ack = Histogram(
            "ringfence_api_event_to_kernel_seconds",
            "From an event's arrival to the kernel's acknowledgement.",
            ["kind"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.pod_lag = Histogram(
            "ringfence_pod_programmed_seconds",
            "From a local pod's address to its programmed state.",
            registry=registry,
            buckets=_SECONDS,
        )
        self.generation = Gauge(
            "ringfence_realised_generation",
            "How many transactions the kernel has taken since the agent began.",
            registry=registry,
        )
        self.policies = Gauge(
            "ringfence_policies", "NetworkPolicies in the cluster.", registry=registry
        )
        self.isolated = Gauge(
            "ringfence_isolated_pods",
            "Pods of this node that some policy isolates.",
            ["direction"],
            registry=registry,
        )
        self.things = Gauge(
            "ringfence_ruleset_objects",
            "What the node's table holds.",
            ["kind"],
            registry=registry,
        )
        self.errors = Counter(
            "ringfence_sync_errors",
            "What went wrong between the API and the kernel.",
            ["kind"],
            registry=registry,
        )
        self.unread = Gauge(
            "ringfence_objects_not_understood",
            "Stored objects of which a part allows nothing, as it cannot be read.",
            ["kind"],
            registry=registry,
        )
        self.followed = Gauge(
            "ringfence_api_followed",
            "Whether a kind of objects is followed: 1, or 0.",
            ["kind"],
            registry=registry,
        )
        self.denied = Counter(
            "ringfence_denied_flows",
            "Logged denials; audit: they passed.",
            ["direction", "namespace", "mode"],
            registry=registry,
        )
        self.lost = Counter(
            "ringfence_flow_log_lost",
            "Flow records that were lost on the way.",
            ["where"],
            registry=registry,
        )
        self.drift = Counter(
            "ringfence_drift",
            "Differences between the kernel and the desired table.",
            ["state"],
            registry=registry,
        )
        self.cut = Counter(
            "ringfence_established_cut",
            "Established connections that a change denied and the agent ended.",
            registry=registry,
        )
        self.memory = Gauge(
            "ringfence_resident_memory_bytes",
            "Resident memory of the agent.",
            registry=registry,
        )

    def exposition(self) -> bytes:
        """Return all of them as Prometheus reads them (CONTENT_TYPE)."""
        return generate_latest(self._registry)
