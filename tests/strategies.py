"""Random worlds: small clusters in which everything touches everything.

``make_world`` is a plain function of a ``random.Random``, so that the same
worlds serve hypothesis (which shrinks them) and fixed seeds (which are fast).
Pools are small on purpose: labels, addresses, ports and names meet often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    PORT_PROTOCOLS,
    AddressEnd,
    Direction,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    IPNetwork,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.labels import LabelSelector, Operator, Requirement, label_selector
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import (
    METADATA_NAME,
    ContainerPort,
    Namespace,
    Node,
    Pod,
    Service,
)

T = TypeVar("T")

NAMESPACES = ("a", "b", "c")
NODES = ("n1", "n2")
POD_LABELS = {"app": ("web", "db"), "tier": ("1", "2", "")}
NAMESPACE_LABELS = {"env": ("prod", "dev"), METADATA_NAME: NAMESPACES}
NAMES = ("http", "dns")
NUMBERS = (1, 79, 80, 81, 82, 443, 65535)
BLOCKS: dict[int, tuple[IPNetwork, ...]] = {
    4: tuple(
        map(
            ip_network,
            (
                "0.0.0.0/0",
                "0.0.0.0/1",
                "10.0.0.0/8",
                "10.0.0.0/28",
                "10.0.0.0/30",
                "10.0.0.4/30",
                "10.0.0.2/32",
                "10.9.0.0/24",
                "203.0.113.0/24",
            ),
        )
    ),
    6: tuple(
        map(
            ip_network,
            (
                "::/0",
                "fd00::/8",
                "fd00::/124",
                "fd00::/126",
                "fd00::4/126",
                "fd00::2/128",
                "fd09::/64",
                "2001:db8::/32",
            ),
        )
    ),
}
OUTSIDE: dict[int, tuple[IPAddress, ...]] = {
    4: tuple(map(ip_address, ("203.0.113.7", "198.51.100.1", "10.0.0.14"))),
    6: tuple(map(ip_address, ("2001:db8::7", "fd00::e", "2a00::1"))),
}
ANY_PROTOCOL = (*PORT_PROTOCOLS, Protocol.TCP, Protocol.UDP, Protocol.ICMP, *Protocol)


@dataclass(frozen=True)
class World:
    """A cluster and the ends that flows can have in it."""

    cluster: Cluster
    ends: tuple[End, ...]


@dataclass(frozen=True)
class Maker:
    """The choices of one world.

    ``decided`` leaves no fact unknown; ``bare`` is a world of files in which no
    live pod and no node has an address yet.
    """

    random: Random
    decided: bool
    bare: bool
    families: tuple[int, ...]
    namespaces: tuple[str, ...]
    nodes: tuple[str, ...]

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def some(self, pool: Sequence[T], most: int) -> list[T]:
        count = self.random.randint(0, min(most, len(pool)))
        return self.random.sample(pool, count)

    def choice(self, pool: Sequence[T]) -> T:
        return pool[self.random.randrange(len(pool))]


def make_world(random: Random, *, decided: bool = False) -> World:
    """Return a random world; the same state of ``random`` gives the same one."""
    maker = Maker(
        random,
        decided,
        not decided and random.randrange(5) == 0,
        random.choice([(4,), (4,), (6,), (4, 6), (4, 6)]),
        NAMESPACES[: random.randint(1, 3)],
        NODES[: random.randint(1 if decided else 0, 2)],
    )
    nodes = {name: _node(maker, i) for i, name in enumerate(maker.nodes, start=1)}
    pods = _pods(maker)
    policies = [
        _policy(maker, f"p{i}") for i in range(random.choice((0, 1, 2, 3, 3, 4, 5)))
    ]
    cluster = Cluster(
        {name: _namespace(maker, name) for name in maker.namespaces},
        {pod.key: pod for pod in pods},
        nodes,
        _services(maker),
        {},
        {policy.key: policy for policy in policies},
    )
    return World(cluster, _ends(maker, cluster))


def make_flow(random: Random, world: World) -> Flow:
    """Return a random flow between two ends of a world."""
    protocol = random.choice(ANY_PROTOCOL)
    ports = [None, 0, *NUMBERS] if protocol.has_ports else [None]
    return Flow(
        random.choice(world.ends),
        random.choice(world.ends),
        protocol,
        random.choice(ports),
    )


def randoms() -> st.SearchStrategy[Random]:
    """Return randomness that hypothesis owns: replayed, and shrunk."""
    return st.randoms(use_true_random=False)


def seeded(seed: int) -> Random:
    """Return the randomness of one fixed world."""
    return Random(seed)  # noqa: S311 - test data, no secret


def _address(family: int, host: int, *, node: bool = False) -> IPAddress:
    net = ("10.9.0.", "fd09::") if node else ("10.0.0.", "fd00::")
    text = f"{net[0]}{host}" if family == 4 else f"{net[1]}{host:x}"
    return ip_address(text)


def _addresses(maker: Maker, host: int, *, node: bool = False) -> tuple[IPAddress, ...]:
    families = maker.families
    if maker.bare or (not maker.decided and maker.chance(15)):
        return ()
    if maker.chance(20):
        families = (maker.choice(families),)
    return tuple(_address(family, host, node=node) for family in families)


def _namespace(maker: Maker, name: str) -> Namespace:
    if not maker.decided and maker.chance(30):
        return Namespace(name, {METADATA_NAME: name}, declared=False)
    labels = {METADATA_NAME: name}
    if maker.chance(70):
        labels["env"] = maker.choice(NAMESPACE_LABELS["env"])
    return Namespace(name, labels)


def _node(maker: Maker, number: int) -> Node:
    return Node(NODES[number - 1], {}, _addresses(maker, number, node=True))


def _services(maker: Maker) -> dict[ObjectKey, Service]:
    if maker.decided or maker.chance(70):
        return {}
    key = ObjectKey(maker.namespaces[0], "svc")
    address = _address(maker.choice((4, 6)), 99)
    return {key: Service(key, "ClusterIP", None, (), (address,))}


def _pods(maker: Maker) -> list[Pod]:
    pods: list[Pod] = []
    for number in range(1, maker.random.randint(2, 6) + 1):
        key = ObjectKey(maker.choice(maker.namespaces), f"w{number}")
        pods.append(_pod(maker, key, number))
        if maker.chance(15):
            gone = ObjectKey(maker.choice(maker.namespaces), f"gone{number}")
            pods.append(_finished(maker, gone, pods[-1]))
    return pods


def _pod(maker: Maker, key: ObjectKey, number: int) -> Pod:
    host = maker.chance(12)
    unsaid = not maker.decided
    return Pod(
        key,
        _labels(maker),
        () if host else _addresses(maker, number),
        None if unsaid and maker.chance(12) else _container_ports(maker),
        None if unsaid and maker.chance(25) else maker.choice((*maker.nodes, "n1")),
        host,
        maker.choice((None, "Running", "Pending")),
    )


def _finished(maker: Maker, key: ObjectKey, heir: Pod) -> Pod:
    return Pod(
        key,
        _labels(maker),
        heir.addresses if maker.chance(70) else (_address(maker.choice((4, 6)), 50),),
        _container_ports(maker),
        heir.node,
        maker.chance(20),
        maker.choice(("Succeeded", "Failed")),
    )


def _labels(maker: Maker) -> dict[str, str]:
    return {key: maker.choice(POD_LABELS[key]) for key in maker.some([*POD_LABELS], 2)}


def _container_ports(maker: Maker) -> tuple[ContainerPort, ...]:
    return tuple(
        ContainerPort(
            maker.choice(NUMBERS),
            maker.choice((Protocol.TCP, *PORT_PROTOCOLS)),
            maker.choice((*NAMES, *NAMES, None)),
        )
        for _ in range(maker.random.randint(0, 3))
    )


def _selector(maker: Maker, vocabulary: dict[str, tuple[str, ...]]) -> LabelSelector:
    keys = [*vocabulary, "missing"] if maker.chance(10) else [*vocabulary]
    needs: list[Requirement] = []
    for key in maker.some(keys, 2):
        operator = maker.choice((Operator.IN, *Operator))
        values = vocabulary.get(key, ("x",))
        listed = operator in {Operator.IN, Operator.NOT_IN}
        few = values[: maker.random.randint(1, 2)] if listed else ()
        needs.append(Requirement(key, operator, frozenset(few)))
    return label_selector(needs)


def _policy(maker: Maker, name: str) -> NetworkPolicy:
    key = ObjectKey(maker.choice(maker.namespaces), name)
    types = maker.choice(
        (
            {Direction.INGRESS},
            {Direction.EGRESS},
            {Direction.INGRESS, Direction.EGRESS},
        )
    )
    return NetworkPolicy(
        key,
        _selector(maker, POD_LABELS),
        frozenset(types),
        tuple(_rule(maker) for _ in range(maker.random.randint(0, 2))),
        tuple(_rule(maker) for _ in range(maker.random.randint(0, 2))),
    )


def _rule(maker: Maker) -> Rule:
    peers = [_peer(maker) for _ in range(maker.random.randint(1, 2))]
    ports = [_port(maker) for _ in range(maker.random.randint(1, 2))]
    return Rule(
        None if maker.chance(20) else tuple(peers),
        None if maker.chance(40) else tuple(ports),
    )


def _peer(maker: Maker) -> Peer:
    if maker.chance(35):
        return Peer(ip_block=_block(maker))
    form = maker.random.randrange(3)
    return Peer(
        _selector(maker, POD_LABELS) if form != 1 else None,
        _selector(maker, NAMESPACE_LABELS) if form != 0 else None,
    )


def _block(maker: Maker) -> IPBlock:
    family = maker.choice((*maker.families, *maker.families, 4, 6))
    pool = BLOCKS[family]
    cidr = maker.choice(pool)
    inside = [
        net
        for net in pool
        if net.prefixlen > cidr.prefixlen and net.network_address in cidr
    ]
    return IPBlock(cidr, tuple(maker.some(inside, 2)) if maker.chance(50) else ())


def _port(maker: Maker) -> PolicyPort:
    protocol = maker.choice((Protocol.TCP, *PORT_PROTOCOLS))
    form = maker.random.randrange(4)
    if form == 0:
        return PolicyPort(protocol)
    if form == 1:
        return PolicyPort(protocol, maker.choice(NAMES))
    first, last = sorted((maker.choice(NUMBERS), maker.choice(NUMBERS)))
    return PolicyPort(protocol, first, last if form == 2 else None)


def _ends(maker: Maker, cluster: Cluster) -> tuple[End, ...]:
    ends: list[End] = [
        PodEnd(pod.key) for pod in cluster.pods.values() if not pod.finished
    ]
    ends *= 2  # mostly between pods
    ends += [
        PodEnd(pod.key, address)
        for pod in cluster.pods.values()
        if not pod.finished and len(pod.addresses) > 1
        for address in pod.addresses
    ]
    ends += [NodeEnd(name) for name in cluster.nodes]
    outside = [a for family in maker.families for a in OUTSIDE[family]]
    ends += [AddressEnd(address) for address in maker.some(outside, 2)]
    ends.append(InternetEnd())
    return tuple(ends)
