"""Let a node live through 200,000 changes of its cluster, with a real kernel.

    python -m bench.soak [EVENTS]

Names, labels and ports are always new ones, while as much is there at any time:
whatever is kept of the dead shows. Exit code 1 if memory grows after the first fifth,
if something that is gone is still held, or if the kernel does not hold at the end what
is compiled from scratch. Needs root; a network namespace of its own.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSet
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Address, IPv4Network
from random import Random
from typing import NamedTuple

from ringfence.adapters.kernel.netns import NetworkNamespace
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.agent.metrics import Metrics
from ringfence.agent.node import Node as Enforced
from ringfence.agent.service import resident_bytes
from ringfence.agent.state import Intake, Key
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.following.peers import KEYS
from ringfence.errors import Problem
from ringfence.manifest.stored import Stored, StoredValue
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import LabelSelector, Operator, Requirement, label_selector
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import METADATA_NAME, ContainerPort, Namespace, Node, Pod
from ringfence.ruleset.enforcement import ENFORCE
from ringfence.ruleset.lowering.lower import TABLE_NAME, lower
from ringfence.ruleset.wire.normal import normal

EVENTS, REPORTS = 200_000, 10
MINE, NODES = "node-0", 10
PODS, POLICIES, NAMESPACES = 1_000, 100, 40
APPS = ("web", "cart", "orders", "dns", "billing", "search", "mail", "auth")
LARGEST_BATCH = 40
GROWTH = 1.05
"""Of resident memory after the first fifth: an arena more or less is no leak."""

SPARED = {"Labelled._by_key": KEYS}
"""What an index may hold of what was, at most."""

BOTH, INGRESS = frozenset(Direction), frozenset({Direction.INGRESS})
FIRST_ADDRESS = int(IPv4Address("10.0.0.1"))


class Live(NamedTuple):
    """What is there, by kind; a pod's number gives its address."""

    pods: dict[int, Pod]
    policies: list[NetworkPolicy]
    namespaces: list[str]


class Churn:
    """Changes without end: something comes whenever something goes."""

    def __init__(self, random: Random, intake: Intake) -> None:
        self._random = random
        self._intake = intake
        self._serial = 0
        self.told = 0
        self.live = Live({}, [], [])

    def begin(self) -> None:
        """Tell of everything that is there at first."""
        for number in range(NODES):
            name = f"node-{number}"
            address = IPv4Address(f"192.168.0.{number + 1}")
            self._tell("Node", name, Node(name, {}, (address,)))
        for _ in range(NAMESPACES):
            self._namespace_comes()
        for number in range(PODS):
            self._pod_comes(number)
        for _ in range(POLICIES):
            self._policy_comes()
        self.told = 0

    def some(self) -> None:
        """Tell of a batch."""
        for _ in range(self._random.randint(1, LARGEST_BATCH)):
            turn = self._random.random()
            if turn < 0.45:  # noqa: PLR2004 - how often it is what
                self._pod_is_replaced()
            elif turn < 0.75:  # noqa: PLR2004
                self._pod_has_labels()
            elif turn < 0.95:  # noqa: PLR2004
                self._policy_is_replaced()
            else:
                self._namespace_is_replaced()

    def end(self) -> None:
        """Tell that all is gone but the nodes and their pods that are at the end."""
        for policy in self.live.policies:
            self._tell("NetworkPolicy", policy.key, None)
        self.live.policies.clear()
        for pod in self.live.pods.values():
            self._tell("Pod", pod.key, None)
        self.live.pods.clear()
        for name in self.live.namespaces:
            self._tell("Namespace", name, None)
        self.live.namespaces.clear()

    def _tell(
        self,
        kind: str,
        key: Key,
        value: StoredValue | None,
        mode: str = "",
        problems: tuple[Problem, ...] = (),
    ) -> None:
        stored = Stored(kind, key, value, mode=mode, problems=problems)
        self._intake.change(kind, key, stored if value is not None else None)
        self.told += 1

    def _new(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}-{self._serial}"

    def _pod_is_replaced(self) -> None:
        number = self._random.choice([*self.live.pods])
        self._tell("Pod", self.live.pods.pop(number).key, None)
        self._pod_comes(number)

    def _pod_comes(self, number: int) -> None:
        key = ObjectKey(self._random.choice(self.live.namespaces), self._new("pod"))
        ports = (
            ContainerPort(8080, name=self._new("p")),
            ContainerPort(80, name="web"),
        )
        address = IPv4Address(FIRST_ADDRESS + number)
        node = f"node-{number % NODES}"
        pod = Pod(key, self._labels(), (address,), ports, node, phase="Running")
        self._put_pod(number, pod)

    def _pod_has_labels(self) -> None:
        number = self._random.choice([*self.live.pods])
        old = self.live.pods[number]
        labels = self._labels()
        pod = Pod(old.key, labels, old.addresses, old.ports, old.node, phase="Running")
        self._put_pod(number, pod)

    def _put_pod(self, number: int, pod: Pod) -> None:
        self.live.pods[number] = pod
        odd = self._random.random() < 0.01  # noqa: PLR2004 - one in a hundred
        problems = (Problem(f"Pod {pod.key}", "is odd"),) if odd else ()
        self._tell("Pod", pod.key, pod, problems=problems)

    def _labels(self) -> dict[str, str]:
        app = self._random.choice(APPS)
        return {"app": app, "pod-template-hash": self._new("h")}

    def _policy_is_replaced(self) -> None:
        policies = self.live.policies
        gone = policies.pop(self._random.randrange(len(policies)))
        self._tell("NetworkPolicy", gone.key, None)
        self._policy_comes()

    def _policy_comes(self) -> None:
        key = ObjectKey(self._random.choice(self.live.namespaces), self._new("policy"))
        types = self._random.choice((BOTH, INGRESS))
        rules = tuple(self._rule() for _ in range(self._random.randint(0, 3)))
        egress = rules[:1] if types is BOTH else ()
        policy = NetworkPolicy(key, self._selector(), types, rules, egress)
        self.live.policies.append(policy)
        self._tell("NetworkPolicy", key, policy)

    def _rule(self) -> Rule:
        number = self._random.randrange(1, 1 << 16)
        ports = (PolicyPort(port=number), PolicyPort(port="web"))
        network = IPv4Network((self._random.getrandbits(8) << 24, 8))
        everywhere = LabelSelector()
        peers = (
            Peer(self._selector()),
            Peer(self._selector(), everywhere),
            Peer(namespace_selector=_labelled("team", self._new("t"))),
            Peer(ip_block=IPBlock(network)),
        )
        chosen = self._random.sample(peers, self._random.randint(1, 2))
        return Rule(tuple(chosen), self._random.choice(((), ports, ports[1:])))

    def _selector(self) -> LabelSelector:
        return self._random.choice(
            (
                LabelSelector(),
                _labelled("app", self._random.choice(APPS)),
                _labelled("pod-template-hash", f"h-{self._serial}"),
                _labelled(f"key-{self._serial % 1_000}", "x"),
            )
        )

    def _namespace_is_replaced(self) -> None:
        spaces = self.live.namespaces
        gone = spaces.pop(self._random.randrange(len(spaces)))
        for policy in [of for of in self.live.policies if of.key.namespace == gone]:
            self.live.policies.remove(policy)
            self._tell("NetworkPolicy", policy.key, None)
        numbers = [n for n, of in self.live.pods.items() if of.key.namespace == gone]
        for number in numbers:
            self._tell("Pod", self.live.pods.pop(number).key, None)
        self._tell("Namespace", gone, None)
        self._namespace_comes()
        for number in numbers:
            self._pod_comes(number)
        while len(self.live.policies) < POLICIES:
            self._policy_comes()

    def _namespace_comes(self) -> None:
        name = self._new("ns")
        labels = {METADATA_NAME: name, "team": self._new("t")}
        mode = self._random.choice(("", "", "", "audit", "odd"))
        self.live.namespaces.append(name)
        self._tell("Namespace", name, Namespace(name, labels), mode)


def _labelled(key: str, value: str) -> LabelSelector:
    return label_selector([Requirement(key, Operator.IN, frozenset({value}))])


def census(*roots: object) -> Counter[str]:
    """Return how much is in each container that can grow, by where it is kept."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = [(root, type(root).__name__) for root in roots]
    while waiting:
        thing, place = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Mapping | set | frozenset | list | tuple):
            if isinstance(thing, MutableMapping | MutableSet | list):
                found[place] += len(thing)
            inside = _inside(thing)
            waiting += [(each, f"{place}[]") for each in inside]
        elif type(thing).__module__.startswith("ringfence."):
            waiting += [
                (value, f"{type(thing).__name__}.{name}")
                for name, value in _attributes(thing)
            ]
    return found


def _inside(thing: Iterable[object]) -> list[object]:
    return [*thing.values()] if isinstance(thing, Mapping) else [*thing]


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(thing):
        names = [of.name for of in fields(thing)]
    else:
        slots = (getattr(of, "__slots__", ()) for of in type(thing).__mro__)
        names = [name for of in slots for name in ((of,) if type(of) is str else of)]
        names += getattr(thing, "__dict__", {})
    for name in names:
        if hasattr(thing, name):
            yield name, getattr(thing, name)


def main() -> int:
    """Print a line now and then; tell whether all is as it should be at the end."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    NetworkNamespace.create()
    intake = Intake(MINE, ENFORCE, closed=False)
    churn = Churn(Random(1), intake)  # noqa: S311 - a workload, no secret
    with Nftables() as kernel:
        node = Enforced(MINE, (Cluster(), ENFORCE), kernel, Metrics())
        node.take_over()
        churn.begin()
        node.follow(intake.events(), intake.enforcement)
        wrong = soaked(node, intake, churn, events)
        wrong += differences(node, intake, kernel)
        churn.end()
        node.follow(intake.events(), intake.enforcement)
        wrong += differences(node, intake, kernel)
        wrong += leftovers(node, intake)
    print("\n".join(wrong) or "nothing is left over, memory is flat")
    return 1 if wrong else 0


def soaked(node: Enforced, intake: Intake, churn: Churn, events: int) -> list[str]:
    """Live through the events; tell whether memory grew on the way."""
    print(
        f"{'events':>8}{'ms a batch':>12}{'us an event':>13}{'MiB':>8}{'objects':>10}"
    )
    sizes: list[float] = []
    for part in range(1, REPORTS + 1):
        start, before, batches = time.process_time(), churn.told, 0
        while churn.told < events * part // REPORTS:
            churn.some()
            node.follow(intake.events(), intake.enforcement)
            node.isolated()
            batches += 1
        took = time.process_time() - start
        gc.collect()
        sizes.append(resident_bytes() / (1 << 20))
        each = took / (churn.told - before) * 1e6
        print(
            f"{churn.told:8}{took / batches * 1e3:12.2f}{each:13.1f}{sizes[-1]:8.1f}"
            f"{len(gc.get_objects()):10}",
            flush=True,
        )
    first = max(sizes[: REPORTS // 5])
    grown = sizes[-1] > first * GROWTH
    return [f"memory grew from {first:.1f} to {sizes[-1]:.1f} MiB"] * grown


def differences(node: Enforced, intake: Intake, kernel: Nftables) -> list[str]:
    """Compare the kernel with what is desired, and that with its making anew."""
    compiled = compile_cluster(node.state.cluster)
    right = normal(lower(compiled, MINE, enforcement=intake.enforcement).table)
    wrong = []
    if kernel.table(TABLE_NAME) != normal(node.desired.table()):
        wrong.append("the kernel does not hold what is desired")
    if normal(node.desired.table()) != right:
        wrong.append("what is desired is not what is compiled from scratch")
    if node.realiser.retry_in_s is not None:
        wrong.append("the kernel refused something")
    return wrong + held(node, intake)


def held(node: Enforced, intake: Intake) -> list[str]:
    """Tell what is held more of than a node needs that has just begun."""
    with Nftables() as kernel:
        first = node.state.cluster, intake.enforcement
        fresh = Enforced(MINE, first, kernel, Metrics())
    have, need = (census(of.state, of.desired) for of in (node, fresh))
    return [
        f"{place} holds {have[place]}, {need[place]} would do"
        for place in sorted(have)
        if have[place] > need[place] + SPARED.get(place, 0)
    ]


def leftovers(node: Enforced, intake: Intake) -> list[str]:
    """Tell what is there of a cluster that has nothing but nodes."""
    table = node.desired.table()
    chains = [chain.name for chain in table.chains if chain.priority is None]
    counts = {
        "chains": len(chains),
        "counters": len(table.counters),
        "pods": len(node.local),
        "problems": len(intake.problems),
    }
    return [f"{count} {name} are left" for name, count in counts.items() if count]


if __name__ == "__main__":
    sys.exit(main())
