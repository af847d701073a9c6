"""The agent's loop: whatever happens comes through one inbox to one thread."""

from __future__ import annotations

import gc
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any, TypeAlias

from ringfence.adapters.kernel.nftables import Nftables
from ringfence.adapters.kubernetes.deltas import Changed, Delta, Down, Listed, Up
from ringfence.agent import journal
from ringfence.agent.config import (
    Config,
    Established,
    chosen_enforcement,
    is_closed,
)
from ringfence.agent.enforcing.bridging import Bridging
from ringfence.agent.enforcing.cutting import Cutter
from ringfence.agent.health import Health
from ringfence.agent.inspection.audit import audit, contents
from ringfence.agent.inspection.auditing import Auditing, Realised, read_kernel
from ringfence.agent.metrics import Metrics
from ringfence.agent.node import NOTHING, Node
from ringfence.agent.plan import Touched
from ringfence.agent.records.flows import Flows
from ringfence.agent.state import Intake, Key, cluster_of
from ringfence.engine.following.events import Kind
from ringfence.errors import Problem
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.workload import Pod
from ringfence.observe.logged import Logged
from ringfence.observe.tracked import Tracked
from ringfence.ruleset.ir import Table

MOST_AT_ONCE = 5_000
"""Messages taken before the kernel is changed; a burst is one transaction."""

_HEARTBEAT_S = 1.0
"""How long the loop sleeps at most; then it looks whether the table is there."""

_API, _KERNEL, _NODE = "api", "kernel", "node"
_OPEN = "unknown pods cannot be told from others, and are open"


@dataclass(frozen=True, slots=True)
class Stop:
    """The loop is to end; the rules stay."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections that were listed to be judged."""

    entries: list[Tracked]


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets that the ruleset logged."""

    logged: list[Logged]


Message: TypeAlias = Delta | Connections | Packets | Realised | Stop

Inbox: TypeAlias = Queue[Any]
"""Of Message; whoever puts knows of some kinds only."""


class Loop:
    """Follows the messages of its inbox until a Stop; call ``run`` in one thread."""

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        health: Health,
        metrics: Metrics,
        apiserver: Collection[IPAddress],
    ) -> None:
        """Open the kernel. Raises KernelError where it does not let us."""
        self._config = config
        self._inbox = inbox
        self._health = health
        self._metrics = metrics
        self._kernel = Nftables()
        self._kernel.generation()  # not for its number: it is refused, or not
        self._bridging = Bridging(health)
        self._cutter: Cutter | None = None
        if config.established is Established.RECHECK:
            self._cutter = Cutter(lambda found: inbox.put(Connections(found)))
        self._flows = Flows(config, self._offer, metrics, apiserver)
        choice, closed = chosen_enforcement(config), is_closed(config)
        self._intake = Intake(config.node, choice, closed=closed)
        self._told: Mapping[tuple[Kind, Key], tuple[Problem, ...]] = {}
        self._counts: tuple[int, dict[Direction, int]] = (0, {})
        self._node: Node | None = None
        self._refused: set[str] = set()
        self._auditing = Auditing(config.audit_interval_s, inbox.put)
        self._look_at = 0.0
        health.want(_API, "waiting for the first lists")
        health.want(_KERNEL, "nothing programmed yet")

    def run(self) -> None:
        """Work until a Stop comes."""
        while True:
            messages = self._take()
            self._health.beat()
            if any(isinstance(message, Stop) for message in messages):
                break
            changed = self._sort(messages)
            if self._node is not None:
                self._step(self._node, changed)
            elif self._intake.synced:
                self._begin()
        self._flows.close()
        if self._cutter is not None:
            self._cutter.close()
        self._kernel.close()

    def _offer(self, logged: list[Logged]) -> bool:
        """Take packets from the reading thread, if there is room for them."""
        try:
            self._inbox.put_nowait(Packets(logged))
        except Full:
            return False
        return True

    def _take(self) -> list[Message]:
        """Wait for a message, or until something is due; take all that are there."""
        messages: list[Message] = []
        try:
            messages.append(self._inbox.get(timeout=self._patience_s()))
            while len(messages) < MOST_AT_ONCE:
                messages.append(self._inbox.get_nowait())
        except Empty:
            pass
        return messages

    def _patience_s(self) -> float:
        """Return how long there is nothing to do but wait."""
        dues = [
            _HEARTBEAT_S,
            self._node.realiser.retry_in_s if self._node else None,
            self._cutter.due_in_s if self._cutter else None,
            self._auditing.due_in_s,
        ]
        return max(0.0, min(due for due in dues if due is not None))

    def _sort(self, messages: Iterable[Message]) -> list[Changed]:
        """Take messages in; return the changes among them."""
        changed: list[Changed] = []
        for message in messages:
            match message:
                case Changed(kind, key, stored):
                    self._intake.change(kind, key, stored)
                    changed.append(message)
                case Listed() | Down() | Up():
                    self._note(message)
                case Connections() | Packets() | Realised() if self._node is not None:
                    self._hear(message, self._node)
                case _:
                    pass  # of a kernel that nothing was programmed into yet
        return changed

    def _note(self, message: Listed | Down | Up) -> None:
        """Take in how a kind is followed, and its lists."""
        match message:
            case Listed(kind, objects):
                cluster = self._node.state.cluster if self._node else Cluster()
                self._intake.relist(kind, objects, cluster)
                journal.info("listed", kind=kind, objects=len(objects))
                if kind not in self._refused:
                    self._api(kind, "")
            case Down(kind, reason, refused):
                self._refused |= {kind} if refused else set()
                self._api(kind, reason)
            case Up(kind):
                self._refused.discard(kind)
                self._api(kind, "")

    def _hear(self, message: Connections | Packets | Realised, node: Node) -> None:
        """Take in what the kernel tells."""
        match message:
            case Connections(entries):
                self._judge(entries, node)
            case Packets(logged):
                self._flows.take(logged, node)
            case Realised():
                self._audit(node, message)

    def _api(self, kind: str, reason: str) -> None:
        """Note whether a kind is followed.

        A server that is away is waited for, which keeps nobody from being ready once
        everything was listed; a missing right does.
        """
        self._metrics.followed.labels(kind).set(not reason)
        if reason:
            journal.warning("the API cannot be followed", kind=kind, reason=reason)
        self._health.tell(**{f"api:{kind}": reason or "followed"})
        part = f"{_API} {kind}"
        if reason and (kind in self._refused or self._node is None):
            self._health.want(part, reason)
        else:
            self._health.have(part)
        if self._node is None:
            missing = ", ".join(self._intake.missing)
            self._health.want(_API, f"waiting for the lists of {missing}")

    def _begin(self) -> None:
        """Program the node for the first time."""
        # What was listed stays: nothing in it is garbage to look for, now or later.
        gc.disable()
        first = cluster_of(self._intake.events()), self._intake.enforcement
        node = Node(self._config.node, first, self._kernel, self._metrics)
        gc.collect()
        gc.freeze()
        gc.enable()
        touched = node.take_over()
        self._node = node
        self._health.have(_API)
        self._bridging.look(node.local_addresses())
        self._tell_problems()
        self._settle(node, touched)
        self._auditing.begin()
        journal.info(
            "this node follows the cluster",
            node=self._config.node,
            pods=len(node.local),
            policies=len(node.state.cluster.policies),
        )

    def _step(self, node: Node, changed: list[Changed]) -> None:
        """Take what has come, and what is due."""
        events = self._intake.events()
        if events:
            before = node.local
            touched = node.follow(events, self._intake.enforcement)
            self._measure(node, changed)
            self._tell_problems()
            if node.local - before:
                self._bridging.look(node.local_addresses())
            if touched is not None:
                generation = node.realiser.generation
                journal.debug("followed", events=len(events), generation=generation)
                self._flows.forget()
                self._settle(node, touched)
        # Where events never cease, what is due is not put off for ever.
        if node.realiser.retry_in_s == 0:
            node.realiser.retry()
            self._settle(node, NOTHING)
        if self._cutter is not None and self._cutter.due_in_s == 0:
            self._cutter.want(NOTHING)
        if self._auditing.due_in_s == 0:
            self._auditing.list(node.realiser.generation)
        self._look(node)

    def _settle(self, node: Node, touched: Touched) -> None:
        """Tell how the kernel stands, and have connections looked at."""
        if node.realiser.was_mended():
            touched = touched._replace(soon=touched.soon | node.judge().subjects())
        if self._cutter is not None:
            self._cutter.want(touched)
        if node.realiser.retry_in_s is None:
            if self._health.have(_KERNEL):
                journal.info("the kernel holds all that is desired")
        else:
            parts = [f"{part.name}: {part.words}" for part in node.realiser.trouble]
            reason = "; ".join(parts) or node.realiser.complaint
            self._health.want(_KERNEL, reason)
        self._look_for_node(node)
        self._gauge(node)

    def _look_for_node(self, node: Node) -> None:
        """Be ready only on a node that there is: no pod is on any other.

        And only if it has networks, where their unknown addresses are to be closed.
        """
        name = self._config.node
        if name not in node.state.cluster.nodes:
            if self._health.want(_NODE, f'the API has no Node "{name}"'):
                journal.error("the API has no such Node: is --node right?", node=name)
        elif is_closed(self._config) and not self._intake.enforcement.guarded:
            if self._health.want(_NODE, f'Node "{name}" has no podCIDR: {_OPEN}'):
                journal.error("the Node has no podCIDR", node=name, so=_OPEN)
        else:
            self._health.have(_NODE)

    def _measure(self, node: Node, changed: Iterable[Changed]) -> None:
        """Note how long events took to the kernel's acknowledgement."""
        now = time.monotonic()
        for change in changed:
            lag = now - change.received_at
            self._metrics.ack.labels(change.kind).observe(lag)
            value = change.stored.value if change.stored else None
            if isinstance(value, Pod) and value.key in node.local and value.addresses:
                self._metrics.pod_lag.observe(lag)

    def _judge(self, entries: list[Tracked], node: Node) -> None:
        if self._cutter is None:
            return
        judge = node.judge()
        shut = node.shut(judge.denied(entries))
        ended = self._cutter.cut(entries, judge)
        if shut:
            self._settle(node, NOTHING)
        if ended:
            self._metrics.cut.inc(ended)
            journal.info("connections that are denied now were ended", ended=ended)

    def _audit(self, node: Node, realised: Realised) -> None:
        """Compare the kernel with what it should hold, and repair it."""
        generation = node.realiser.generation
        if not self._auditing.holds(realised, generation):
            return
        if realised.generation != generation:
            realised = read_kernel(generation)
        self._compare(node, realised)

    def _look(self, node: Node) -> None:
        """Do what is due each second: notice where all of the table is gone.

        Whoever loads rules of their own often removes everybody's before.
        """
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _HEARTBEAT_S
        if node.expire():
            self._settle(node, NOTHING)
        if node.realiser.overthrown():
            self._compare(node, read_kernel(node.realiser.generation))

    def _compare(self, node: Node, realised: Realised) -> None:
        if realised.complaint:
            node.realiser.lost(realised.complaint)
        else:
            self._repair(node, realised.table)
        self._bridging.look(node.local_addresses())
        self._flows.subscribe()
        self._settle(node, NOTHING)

    def _repair(self, node: Node, realised: Table | None) -> None:
        desired = node.realiser.attainable()
        for kind, count in contents(desired).items():
            self._metrics.things.labels(kind).set(count)
        findings = audit(realised, desired, node.judge())
        for line in () if findings.clean else findings.lines():
            journal.error("audit", found=line)
        self._metrics.drift.labels("disagreed").inc(len(findings.disagreements))
        if not findings.clean:
            node.realiser.drift(realised)

    def _tell_problems(self) -> None:
        """Log each object that is not understood once, and count them by kind."""
        problems = self._intake.problems
        if problems == self._told:
            return
        for key, found in problems.items():
            for problem in found if self._told.get(key) != found else ():
                journal.warning("not understood, so it allows nothing", what=problem)
        self._told = dict(problems)
        for kind in Kind:
            count = sum(known is kind for known, _ in problems)
            self._metrics.unread.labels(kind.value).set(count)

    def _gauge(self, node: Node) -> None:
        counts = len(node.state.cluster.policies), node.isolated()
        if counts == self._counts:
            return
        self._counts = counts
        policies, isolated = counts
        self._metrics.policies.set(policies)
        for direction, count in isolated.items():
            self._metrics.isolated.labels(direction.value.lower()).set(count)
