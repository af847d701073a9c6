"""What the agent measures of itself, for Prometheus; every label is bounded."""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

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


class Denial(NamedTuple):
    """The labels of a denied flow."""

    direction: str
    namespace: str
    mode: str


class Metrics:
    """The agent's metrics, each in one place (docs/agent.md lists them)."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._denials: set[Denial] = set()
        counter, gauge = self._counter, self._gauge
        self.ack = self._histogram(
            "ringfence_api_event_to_kernel_seconds",
            "From an event's arrival to the kernel's acknowledgement.",
            "kind",
        )
        self.pod_lag = self._histogram(
            "ringfence_pod_programmed_seconds",
            "From a local pod's address to its programmed state.",
        )
        self.generation = gauge(
            "ringfence_realised_generation",
            "How many transactions the kernel has taken since the agent began.",
        )
        self.policies = gauge("ringfence_policies", "NetworkPolicies in the cluster.")
        self.isolated = gauge(
            "ringfence_isolated_pods",
            "Pods of this node that some policy isolates.",
            "direction",
        )
        self.things = gauge(
            "ringfence_ruleset_objects",
            "What the table held at the last audit.",
            "kind",
        )
        self.errors = counter(
            "ringfence_sync_errors",
            "What went wrong between the API and the kernel.",
            "kind",
        )
        self.unread = gauge(
            "ringfence_objects_not_understood",
            "Stored objects of which a part allows nothing, as it cannot be read.",
            "kind",
        )
        self.followed = gauge(
            "ringfence_api_followed",
            "Whether a kind of objects is followed: 1, or 0.",
            "kind",
        )
        self.denied = counter(
            "ringfence_denied_flows",
            "Logged denials; audit: they passed.",
            "direction",
            "namespace",
            "mode",
        )
        self.lost = counter(
            "ringfence_flow_log_lost",
            "Flow records that were lost on the way.",
            "where",
        )
        self.drift = counter(
            "ringfence_drift",
            "Differences between the kernel and the desired table.",
            "state",
        )
        self.cut = counter(
            "ringfence_established_cut",
            "Established connections that a change denied and the agent ended.",
        )
        self.memory = gauge(
            "ringfence_resident_memory_bytes", "Resident memory of the agent."
        )

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(name, said, labels, registry=self._registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(name, said, labels, registry=self._registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        registry = self._registry
        return Histogram(name, said, labels, registry=registry, buckets=_SECONDS)

    def count_denial(self, denial: Denial, there: Container[str]) -> None:
        """Count a denied flow; forget namespaces that are not ``there`` any more."""
        if denial not in self._denials:
            for known in [of for of in self._denials if of.namespace not in there]:
                self._denials.discard(known)
                self.denied.remove(*known)
            self._denials.add(denial)
        self.denied.labels(*denial).inc()

    def exposition(self) -> bytes:
        """Return all of them as Prometheus reads them (CONTENT_TYPE)."""
        return generate_latest(self._registry)
