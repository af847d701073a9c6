"""Measure the node agent on a real API server, with packets a millisecond apart.

    python -m bench.agent [small|middle|large ...]      (with tests/ on PYTHONPATH)

From the API's answer to a change to the first packet with the new verdict; from the
agent's start to the first packet that is denied; its memory, and its processor time
while pods are replaced. All but three pods are only objects of the API. Exit code 1 if
a goal is missed.
"""

from __future__ import annotations

import os
import queue
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from agent.cluster import Manifest, own_connection, path_of
from agent.nodes import Traffic
from agent.stage import CLIENT, PLACES, SERVED, SERVER, Stage, objects, staged
from bench.bare import Size, manifests
from controlplane.build import programs
from controlplane.servers import ControlPlane, control_plane
from ringfence.lab.plan import Cni

WRITERS = 8
WARM_UP = 10
CHURN_S = 15.0
STRIDE = 7919  # a prime: the next pod is on another node
PAUSE_S = 0.1
FIRST_REPLACEMENT = 1_000_000
AT_ONCE = {"gracePeriodSeconds": 0}
MIB = 1 << 20
LOCAL = "n1"
T = TypeVar("T")


class Scale(NamedTuple):
    """A cluster and what is promised for it: seconds, MiB, share of a core."""

    pods: int
    policies: int
    local: int
    rounds: int
    p50: float
    p99: float | None
    cold: float | None
    memory: float | None
    churn: tuple[int, float] | None


SCALES = {
    "small": Scale(100, 10, 20, 200, 0.012, None, 0.8, 60, None),
    "middle": Scale(1_000, 100, 50, 200, 0.015, None, None, None, (20, 0.04)),
    "large": Scale(10_000, 1_000, 100, 200, 0.020, 0.050, 3.0, 100, (100, 0.10)),
}


class Change(NamedTuple):
    """A change that was made: whether packets pass after it, and when: seconds."""

    passes: bool
    asked: float
    answered: float


class Figure(NamedTuple):
    """One thing measured, and the most that it may be."""

    name: str
    value: float
    goal: float | None
    unit: str

    @property
    def kept(self) -> bool:
        """Whether the promise, if there is one, holds."""
        return self.goal is None or self.value <= self.goal

    def __str__(self) -> str:
        """Render as a line of the table."""
        goal = "" if self.goal is None else f"<= {self.goal:g}"
        mark = "" if self.kept else "  MISSED"
        return f"  {self.name:44}{self.value:10.2f} {self.unit:5}{goal:>10}{mark}"


def main() -> int:
    """Print what is measured at each scale."""
    missed = False
    for name in sys.argv[1:] or SCALES:
        scale = SCALES[name]
        print(
            f"{name}: {scale.pods} pods, {scale.policies} policies, {scale.local} local"
        )
        with tempfile.TemporaryDirectory() as directory:
            for figure in measured(scale, Path(directory)):
                print(figure, flush=True)
                missed = missed or not figure.kept
    return int(missed)


def measured(scale: Scale, directory: Path) -> Iterator[Figure]:
    """Yield the figures of one scale."""
    with (
        control_plane(programs(), directory) as plane,
        staged(plane, Cni.ROUTED) as stage,
    ):
        stage.nodes.become(PLACES)
        started = time.monotonic()
        stage.cluster.become(objects(PLACES))
        write(plane, namespaces(scale))
        write(plane, pods(scale))
        write(plane, policies(scale))
        yield Figure("(writing it all)", time.monotonic() - started, None, "s")
        server = stage.traffic(SERVER, "serve", str(SERVED))
        yield from cold_start(stage, scale)
        yield from latencies(stage, scale)
        yield from memory(stage, scale)
        yield from churn(stage, scale)
        server.end()


def cold_start(stage: Stage, scale: Scale) -> Iterator[Figure]:
    """Start the agent with a denial to enforce: when it is, and when all is."""
    stage.deny(SERVER)
    with flips(stage) as seen:
        started = time.monotonic()
        stage.agents[LOCAL].start()
        stage.agents[LOCAL].await_ready()
        ready = time.monotonic()
        time.sleep(PAUSE_S)
    denied = next(at for at, passed in seen if not passed and at > started)
    stage.allow(SERVER)
    yield Figure("start to first packet denied", denied - started, scale.cold, "s")
    yield Figure("start to ready", ready - started, scale.cold, "s")


def latencies(stage: Stage, scale: Scale) -> Iterator[Figure]:
    """Make and remove a policy again and again, watched by packets."""
    made: list[Change] = []
    with flips(stage) as seen:
        for number in range(WARM_UP + scale.rounds):
            for passes in (False, True):
                # Not in step with the packets, nor with anything else.
                time.sleep(PAUSE_S + number % 10 / 1e4)
                asked = time.monotonic()
                (stage.allow if passes else stage.deny)(SERVER)
                made.append(Change(passes, asked, time.monotonic()))
        time.sleep(PAUSE_S * 4)
    for passes, name in ((False, "policy made"), (True, "policy removed")):
        of = [lag for kind, lag in lags(made, seen) if kind is passes][WARM_UP:]
        centiles = statistics.quantiles(of, n=100)
        lost = scale.rounds - len(of)
        yield Figure(f"{name} to packets, p50", centiles[49] * 1e3, ms(scale.p50), "ms")
        yield Figure(f"{name} to packets, p99", centiles[98] * 1e3, ms(scale.p99), "ms")
        yield Figure(f"{name}, never seen in packets", lost, 0, "")


def lags(
    made: Sequence[Change], seen: Sequence[tuple[float, bool]]
) -> Iterator[tuple[bool, float]]:
    """Yield how long after each answer the packets changed; 0: already before it."""
    ends = [change.asked for change in made[1:]] + [float("inf")]
    for change, end in zip(made, ends, strict=True):
        # The kernel may have it before the API server's answer has arrived here.
        flips = [at for at, passed in seen if passed is change.passes]
        found = next((at for at in flips if change.asked <= at < end), None)
        if found is not None:
            yield change.passes, max(0.0, found - change.answered)


def memory(stage: Stage, scale: Scale) -> Iterator[Figure]:
    """Yield the agent's resident memory, now and at its peak."""
    status = Path(f"/proc/{stage.agents[LOCAL].pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    for name, goal in (("VmRSS", scale.memory), ("VmHWM", None)):
        yield Figure(name, int(fields[name].split()[0]) * 1024 / MIB, goal, "MiB")


def churn(stage: Stage, scale: Scale) -> Iterator[Figure]:
    """Replace pods at a steady rate and yield what that costs of a core."""
    if scale.churn is None:
        return
    rate, goal = scale.churn
    pid = stage.agents[LOCAL].pid
    for name, of, most in (("at rest", 0, None), (f"{rate} pods/s", rate, goal)):
        before, started = cpu(pid), time.monotonic()
        done = replace_pods(stage.plane, scale, of)
        spent, took = cpu(pid) - before, time.monotonic() - started
        yield Figure(f"core, {name}", spent / took, most, "")
        if of:
            yield Figure("(pods replaced a second)", done / took, None, "")


def replace_pods(plane: ControlPlane, scale: Scale, rate: int) -> int:
    """Replace pods of all nodes for a while; returns how many were."""

    def replace(own: ControlPlane, pair: tuple[Manifest, Manifest]) -> None:
        own.ask("DELETE", path_of(pair[0]), AT_ONCE)
        own.create([pair[1]])

    def due() -> Iterator[tuple[Manifest, Manifest]]:
        started = time.monotonic()
        everywhere = list(pods(scale))
        for number in range(int(rate * CHURN_S)):
            old = everywhere[number * STRIDE % len(everywhere)]
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            yield old, renamed(old, FIRST_REPLACEMENT + number)
        time.sleep(max(0.0, started + CHURN_S - time.monotonic()))

    return at_once(plane, replace, due())


def at_once(
    plane: ControlPlane, work: Callable[[ControlPlane, T], None], items: Iterable[T]
) -> int:
    """Work on items over several connections; returns how many there were."""
    with ExitStack() as held:
        idle: queue.SimpleQueue[ControlPlane] = queue.SimpleQueue()
        for _ in range(WRITERS):
            idle.put(held.enter_context(own_connection(plane)))

        def one(item: T) -> None:
            own = idle.get()
            try:
                work(own, item)
            finally:
                idle.put(own)

        pool = held.enter_context(ThreadPoolExecutor(WRITERS))
        waiting = [pool.submit(one, item) for item in items]
        for future in waiting:
            future.result()
        return len(waiting)


def cpu(pid: int) -> float:
    """Return the processor seconds, user and system, of a process: proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def flips(stage: Stage) -> Iterator[list[tuple[float, bool]]]:
    """Send a packet a millisecond for a block; the list is filled when it ends."""
    seen: list[tuple[float, bool]] = []
    address = str(PLACES[SERVER].addresses[0])
    program: Traffic = stage.traffic(CLIENT, "flips", address, str(SERVED))
    yield seen
    seen += [(at, passed) for at, passed in program.end()]


def size(scale: Scale) -> Size:
    """Return the generator's words for a scale."""
    return Size(scale.pods, scale.policies, max(1, scale.pods // 50))


def namespaces(scale: Scale) -> list[Manifest]:
    """Return the namespaces of all that is generated."""
    return [m for m in manifests(size(scale)) if m["kind"] == "Namespace"]


def policies(scale: Scale) -> list[Manifest]:
    """Return the policies that are there all the time."""
    return [m for m in manifests(size(scale)) if m["kind"] == "NetworkPolicy"]


def pods(scale: Scale) -> Iterator[Manifest]:
    """Yield the generated pods: the first are on the agent's node."""
    everything = (m for m in manifests(size(scale)) if m["kind"] == "Pod")
    for number, pod in enumerate(everything):
        node = LOCAL if number < scale.local else f"m{number // 100}"
        yield {**pod, "spec": {**pod["spec"], "nodeName": node}}


def renamed(pod: Mapping[str, Any], number: int) -> Manifest:
    """Return another pod in its place: the same labels and node, and a free address."""
    address = f"10.{128 + (number >> 16) % 64}.{number >> 8 & 255}.{number & 255}"
    status = {**pod["status"], "podIP": address, "podIPs": [{"ip": address}]}
    metadata = {**pod["metadata"], "name": f"p{number}"}
    return {**pod, "metadata": metadata, "status": status}


def write(plane: ControlPlane, wanted: Iterable[Manifest]) -> None:
    """Create objects from several connections at once."""
    at_once(plane, lambda own, manifest: own.create([manifest]), wanted)


def ms(seconds: float | None) -> float | None:
    """Return a goal in milliseconds."""
    return None if seconds is None else seconds * 1e3


if __name__ == "__main__":
    sys.exit(main())
