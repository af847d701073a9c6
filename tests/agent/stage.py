"""An API server, two nodes and their agents, put together and taken down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from agent.agents import Agent, await_truth
from agent.cluster import Cluster, namespace, pod_object, policy
from agent.moments import faults, node_objects, placed
from agent.nodes import NODES, Forwarder, Nodes, Place, Traffic, place
from cases import Case
from controlplane.servers import ControlPlane
from ringfence.lab.plan import Cni, Fate, Probe
from ringfence.model.flow import IPNetwork, Protocol

PORT, SERVED = 8080, 9090
"""The port of single probes, and that of traffic.py."""

CLIENT, SERVER, FAR = "shop/client", "shop/server", "shop/far"
PLACES = {CLIENT: place("n1", 10), SERVER: place("n1", 11), FAR: place("n2", 10)}
"""Two pods of one node and one of the other, in both families."""


@dataclass(frozen=True)
class Stage:
    """What a test plays on."""

    plane: ControlPlane
    cluster: Cluster
    nodes: Nodes
    agents: Mapping[str, Agent]
    forwarder: Forwarder

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Have the agents without a way to the API server, for a block."""
        self.forwarder.stop()
        try:
            yield
        finally:
            self.forwarder.start()

    def start(self) -> None:
        """Start the agents that do not run and wait until all are ready."""
        for agent in self.agents.values():
            if not agent.runs:
                agent.start()
        for agent in self.agents.values():
            agent.await_ready()

    def settle(self, pods: Mapping[str, Place]) -> None:
        """Have just these pods, in the API and on the nodes, and nothing else."""
        self.nodes.become(pods)
        self.cluster.become(objects(pods))

    def traffic(self, name: str, *words: str) -> Traffic:
        """Start a program of traffic.py in a pod."""
        return Traffic(self.nodes, name, *words)

    def reaches(self, source: str, destination: str) -> set[Fate]:
        """Probe a TCP connection between two pods in each family."""
        one, other = self.nodes.pods[source], self.nodes.pods[destination]
        return set(
            self.nodes.probe(
                [
                    Probe(a, b, Protocol.TCP, PORT)
                    for a in one.addresses
                    for b in other.addresses
                    if a.version == b.version
                ]
            )
        )

    def open(self, source: str, destination: str) -> bool:
        """Whether all ways from one pod to the other are open."""
        return self.reaches(source, destination) == {Fate.CONNECTED}

    def shut(self, source: str, destination: str) -> bool:
        """Whether all ways from one pod to the other are shut."""
        return self.reaches(source, destination) == {Fate.DROPPED}

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; a failure shows what the agents said."""

        def said() -> str:
            return "\n".join(f"{a.name}:\n{a.said()}" for a in self.agents.values())

        def held() -> bool:
            assert not any(a.failed for a in self.agents.values()), said()
            return holds()

        await_truth(held, what, said)

    def calm(self) -> None:
        """Wait until the rules of an earlier test are gone: all ways are open."""
        pairs = [(one, other) for one in PLACES for other in PLACES if one != other]
        self.until(lambda: all(self.open(*pair) for pair in pairs), "all is open")

    def deny(self, pod: str) -> None:
        """Make a policy that lets nothing in to a pod."""
        space, _, name = pod.partition("/")
        self.cluster.put(policy(f"{space}/deny-{name}", podSelector=app(name)))

    def deny_now(self, pod: str) -> None:
        """Make it and wait until no pod of the other node gets in."""
        self.deny(pod)
        self.until(lambda: self.shut(FAR, pod), f"{pod} is shut")

    def allow(self, pod: str) -> None:
        """Remove the policy again."""
        space, _, name = pod.partition("/")
        self.cluster.remove(("NetworkPolicy", space, f"deny-{name}"))


@dataclass
class Load:
    """What came of connections all the time: one way open, one shut."""

    failures: list[str]
    leaked: int = 0


@contextmanager
def load(stage: Stage) -> Iterator[Load]:
    """Call FAR, who must answer, and knock at SERVER, who must not hear it."""
    told = Load([])
    far = stage.traffic(FAR, "serve", str(SERVED))
    shut = stage.traffic(SERVER, "serve", str(SERVED))
    calls = stage.traffic(CLIENT, "calls", first(FAR), str(SERVED))
    knocks = stage.traffic(CLIENT, "knocks", first(SERVER), str(SERVED))
    yield told
    told.failures = calls.end()["failures"]
    knocks.end()
    told.leaked = shut.end()["datagrams"]
    far.end()


def play(stage: Stage, case: Case) -> None:
    """Have every moment of a conformance case, and fail at the first wrong cell."""
    for moment in case.moments:
        made = placed(moment)
        stage.nodes.become(made.pods)
        stage.cluster.become(made.manifests)
        assert faults(stage.nodes, made.asked) == [], moment.name


def first(name: str) -> str:
    """Return the IPv4 address of one of the three pods."""
    return str(PLACES[name].addresses[0])


def objects(pods: Mapping[str, Place]) -> list[Mapping[str, Any]]:
    """Return the API's objects of some pods: each is labelled with its own name."""
    spaces = sorted({name.partition("/")[0] for name in pods})
    return [
        *node_objects(),
        *(namespace(space) for space in spaces),
        *(pod_of(name, at) for name, at in pods.items()),
    ]


def pod_of(name: str, at: Place, **labels: str) -> Mapping[str, Any]:
    """Return a pod's object, labelled with its own name."""
    own = {"app": name.partition("/")[2], **labels}
    return pod_object(name, at.node, map(str, at.addresses), labels=own)


def app(name: str, **labels: str) -> Mapping[str, Any]:
    """Return the selector of a pod by its own name."""
    return {"matchLabels": {"app": name, **labels}}


@contextmanager
def staged(
    plane: ControlPlane,
    cni: Cni,
    *flags: str,
    more: Mapping[str, Sequence[IPNetwork]] | None = None,
) -> Iterator[Stage]:
    """Have a stage for a block; its agents are not started yet."""
    with ExitStack() as held:
        nodes = Nodes(cni, more)
        held.callback(nodes.close)
        forwarder = Forwarder(nodes, plane.port)
        held.callback(forwarder.stop)
        cluster = Cluster(plane)
        held.callback(cluster.clear)
        cluster.become(node_objects())
        kubeconfig = plane.kubeconfig()
        agents = {name: Agent(nodes, name, kubeconfig, *flags) for name in NODES}
        for agent in agents.values():
            held.callback(agent.close)
        yield Stage(plane, cluster, nodes, agents, forwarder)
