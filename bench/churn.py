"""Follow events in a cluster of 100,000 pods, 5,000 policies and 1,000 namespaces.

    python -m bench.churn [unique]     (unique: a label of its own for each pod)

CPU time of this process. Exit code 1 if a median is over its goal, or if what was
followed is not what compilation from scratch says at the end.
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import NamedTuple, TypeVar

from bench.cluster import APPS, EVERYTHING, labelled, make_cluster, make_pod
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.engine.following.events import Event, Kind
from ringfence.engine.following.state import State
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Flow, PodEnd, Protocol
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import Namespace, Pod

PODS, POLICIES, NAMESPACES = 100_000, 5_000, 1_000
EVENTS = 200
POD_GOAL = 0.001
VERDICT_GOAL = 50e-6
POLICY_GOAL = 0.020
BUILD_GOAL = 2.0
SPARE = IPv4Address("172.16.0.1")
T = TypeVar("T")


class Work(NamedTuple):
    """Events of one sort, and the median that each may take: seconds."""

    name: str
    goal: float
    events: list[Event]


def main() -> int:
    """Print a line for each sort of event."""
    cluster = make_cluster(PODS, POLICIES, NAMESPACES, unique="unique" in sys.argv)
    gc.disable()
    scratch, _ = timed(lambda: compile_cluster(cluster))
    build, state = timed(lambda: State(cluster))
    gc.enable()
    print(f"from scratch {scratch:.2f} s, state {build:.2f} s", end="")
    print(f", {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    # As an agent does once it has listed everything: the collector leaves it alone.
    gc.collect()
    gc.freeze()
    late = [] if keeps_verdict(state) else ["a verdict"]
    late += [work.name for work in works(cluster) if not keep(state, work)]
    if build > BUILD_GOAL:
        late.append("the first build")
    if state.compiled != compile_cluster(state.cluster):
        late.append("the truth")
    print(f"medians, ninth tenths, worst; goals {POD_GOAL} s, {POLICY_GOAL} s")
    if late:
        print(f"late: {', '.join(late)}", file=sys.stderr)
    return 1 if late else 0


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds of CPU that a call took, and its result."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def keeps_verdict(state: State) -> bool:
    """Judge connections between pods all over; tell whether one keeps its goal."""
    pods = [*state.cluster.pods]
    flows = [
        Flow(PodEnd(source), PodEnd(target), Protocol.TCP, port)
        for source, target in zip(pods[::97], pods[41::97], strict=False)
        for port in (80, 443, 8080)
    ]
    took, _ = timed(lambda: [evaluate(state.compiled, flow) for flow in flows])
    print(f"{'a verdict':36}{took / len(flows) * 1e6:9.1f} us, mean of {len(flows)}")
    return took / len(flows) <= VERDICT_GOAL


def keep(state: State, work: Work) -> bool:
    """Apply the events one by one, print their times, tell whether they keep the goal.

    The median is of those that change something: the others are quick for nothing.
    """
    seconds = []
    for event in work.events:
        started = time.process_time()
        changes = state.apply([event])
        took = time.process_time() - started
        if changes:
            seconds.append(took)
    ordered = sorted(seconds)
    figures = (statistics.median(ordered), ordered[len(ordered) * 9 // 10], ordered[-1])
    times = "".join(f"{figure * 1e3:9.3f}" for figure in figures)
    print(f"{work.name:36}{times} ms, {len(seconds):3} of {len(work.events)} events")
    return figures[0] <= work.goal


def works(cluster: Cluster) -> Iterable[Work]:
    """Yield what is done, in this order."""
    pods = [*cluster.pods.values()][7::400][:EVENTS]
    yield from _pod_works(pods)
    policies = [*cluster.policies.values()][3::25][:EVENTS]
    yield from _policy_works(policies)
    stages = [*cluster.namespaces.values()][:EVENTS:10]
    yield Work("a namespace has other labels", POLICY_GOAL, puts(_moved, stages))


def _pod_works(pods: list[Pod]) -> Iterable[Work]:
    gone = [Event(Kind.POD, pod.key) for pod in pods]
    new = [make_pod(PODS + number, NAMESPACES) for number in range(EVENTS)]
    yield Work("a pod comes", POD_GOAL, [Event.put(pod) for pod in new])
    yield Work("a pod has labels that are new there", POD_GOAL, puts(_unlike, pods))
    yield Work("a pod has labels that are known", POD_GOAL, puts(_same, pods))
    yield Work("a pod has another address", POD_GOAL, puts(_elsewhere, pods))
    yield Work("a pod goes", POD_GOAL, gone)


def _policy_works(policies: list[NetworkPolicy]) -> Iterable[Work]:
    gone = [Event(Kind.POLICY, policy.key) for policy in policies]
    far = [_far(policy, n) for n, policy in enumerate(policies[: len(APPS)])]
    everyone = (Rule((Peer(None, EVERYTHING),)),)
    anyone = Event.put(replace(policies[20], ingress=everyone))
    yield Work("a policy has other ports", POLICY_GOAL, puts(_ported, policies))
    yield Work("a policy selects other pods", POLICY_GOAL, puts(_narrowed, policies))
    yield Work("a policy goes", POLICY_GOAL, gone)
    yield Work("a policy comes", POLICY_GOAL, puts(_same, policies))
    yield Work("a new peer in every namespace", POLICY_GOAL, far)
    # No goal but to end: all 100,000 pods become a peer that was none before.
    yield Work("the first peer that is everyone", 1.0, [anyone])


def puts(edit: Callable[[T], T], things: Iterable[T]) -> list[Event]:
    """Return the events that put edited things."""
    return [Event.put(edit(thing)) for thing in things]  # type: ignore[arg-type]  # T is some Thing


def _same(thing: T) -> T:
    return thing


def _unlike(pod: Pod) -> Pod:
    return replace(pod, labels={**pod.labels, "tier": "edge", "new": pod.key.name})


def _elsewhere(pod: Pod) -> Pod:
    return replace(pod, addresses=(SPARE + int(pod.addresses[0]) % 65_536,))


def _ported(policy: NetworkPolicy) -> NetworkPolicy:
    ports = (PolicyPort(port=4711),)
    rules = tuple(replace(rule, ports=ports) for rule in policy.ingress)
    return replace(policy, ingress=rules or (Rule(None, ports),))


def _narrowed(policy: NetworkPolicy) -> NetworkPolicy:
    return replace(policy, pod_selector=labelled("tier", "backend"))


def _far(policy: NetworkPolicy, number: int) -> Event:
    peer = Peer(labelled("app", APPS[number]), EVERYTHING)
    return Event.put(replace(policy, ingress=(Rule((peer,)),)))


def _moved(namespace: Namespace) -> Namespace:
    return replace(namespace, labels={**namespace.labels, "unit": "u51", "stage": "x"})


if __name__ == "__main__":
    sys.exit(main())
