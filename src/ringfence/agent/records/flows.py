"""Logged packets as flow records: written, counted, told."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Iterable

from ringfence.agent import journal
from ringfence.agent.config import Config
from ringfence.agent.metrics import Denial, Metrics
from ringfence.agent.node import Node
from ringfence.agent.records.flowlog import FlowLog
from ringfence.agent.records.flowtap import FlowTap
from ringfence.errors import KernelError
from ringfence.model.flow import IPAddress
from ringfence.observe.attribute import Attribution
from ringfence.observe.hubble import LOST_IN_KERNEL, line, lost_line
from ringfence.observe.logged import Logged
from ringfence.observe.record import FlowRecord, Verdict

MODES = {Verdict.DROPPED: "enforce", Verdict.AUDIT: "audit"}
"""Verdicts that are denials, and the mode they come from."""


class Flows:
    """Takes what the kernel logs to where it was configured to go."""

    def __init__(
        self,
        config: Config,
        deliver: Callable[[list[Logged]], bool],
        metrics: Metrics,
        apiserver: Collection[IPAddress],
    ) -> None:
        """Open the sinks, and subscribe. Raises KernelError where one cannot be opened.

        ``apiserver`` are the addresses that records call kube-apiserver.
        """
        self._apiserver = apiserver
        self._name = config.node
        self._metrics = metrics
        self._log = FlowLog(config.flow_log, config.flow_socket, config.node)
        self._deliver = deliver
        self._tap: FlowTap | None = None
        self._attribution: Attribution | None = None
        self._lost: dict[str, int] = {}
        self.subscribe()

    def subscribe(self) -> None:
        """Subscribe if that is not done: policies are enforced without a log, too."""
        if self._tap is not None:
            return
        try:
            self._tap = FlowTap(self._deliver)
        except KernelError as error:
            journal.error("denied flows are not told", why=str(error))

    def close(self) -> None:
        """End the subscription and close the sinks."""
        if self._tap is not None:
            self._tap.close()
        self._log.close()

    def forget(self) -> None:
        """Explain anew from now on: the state has changed."""
        self._attribution = None

    def take(self, packets: Iterable[Logged], node: Node) -> None:
        """Write the records of packets, explained by what holds now."""
        if self._attribution is None:
            state = node.state
            self._attribution = Attribution(
                state.compiled,
                state.claims,
                self._name,
                node.desired.index,
                self._apiserver,
            )
        records = list(filter(None, map(self._attribution.record, packets)))
        for record in records:
            self._count(record, node.state.cluster.namespaces)
        self._log.write(map(line, records))
        self._count_lost()

    def _count(self, record: FlowRecord, there: Container[str]) -> None:
        mode = MODES.get(record.verdict)
        if mode is None:
            return
        ingress = record.direction == "INGRESS"
        subject = record.destination if ingress else record.source
        denial = Denial(record.direction.lower(), subject.namespace, mode)
        self._metrics.count_denial(denial, there)

    def _count_lost(self) -> None:
        before = self._tap.lost if self._tap is not None else {}
        for where, lost in (before | self._log.lost).items():
            more = lost - self._lost.get(where, 0)
            self._metrics.lost.labels(where).inc(more)
            self._lost[where] = lost
            if more and where in before:
                now = time.time_ns()
                told = lost_line(more, LOST_IN_KERNEL, self._name, now)
                self._log.write([told])
