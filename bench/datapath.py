"""Measure what policies cost the first packet of a flow, and a whole TCP connection.

    python -m bench.datapath [ROUNDS]

Each variant has a node of its own in the lab's network, with a client and a server pod;
the rules on it are those of a node of a cluster of 10,000 pods and 1,000 policies. What
is told is the difference to a node that does nothing but track connections. Exit code 1
if it is over its goal. Needs root; network namespaces of its own.

A packet is delivered in the processor time of whoever sends it, from the client's veth
to the server's socket. So this is the time of one thread around one sendmmsg(2) of
first packets, and around connect(2) and a close(2) that resets: other programs on the
machine are not in it, and hardly any Python. What is left of noise is caches and the
host, and both are slower than a round, in which all variants have their turn in an
order by chance: differences are taken within a round, and their median is told.
`conntrack again` is a second node with the same rule: it shows how well this measures.
"""

from __future__ import annotations

import gc
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import chain
from random import Random
from typing import NamedTuple

from bench.cluster import APPS, labelled, make_cluster
from bench.firstpackets import MOST, UDP_BYTES, Packets
from bench.nftables import OPEN
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.engine.compiler import compile_cluster
from ringfence.lab.inside.fabric import Fabric
from ringfence.lab.plan import Plan, Site, SiteKind
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import METADATA_NAME, Namespace, Pod
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.ir import Chain, Table
from ringfence.ruleset.lowering.lower import TABLE_COMMENT, TABLE_NAME, lower

PODS, POLICIES, NAMESPACES = 10_000, 1_000, 100
ROUNDS, PARTS, FORGET = 2_000, 10, 20
WARM_UP = 40
GOAL_US = 2.0
PORT, OWN = 9000, "measured"
PORTS = (PolicyPort(Protocol.UDP, PORT), PolicyPort(Protocol.TCP, PORT))
GATEWAY = IPv4Address("169.254.1.1")
FIRST_PORT, LAST_PORT = 1024, 32_000  # below those that the kernel gives to connections
ROLES = ("client", "server")
LET_IN = "allow/in/"
INGRESS, EGRESS = frozenset({Direction.INGRESS}), frozenset({Direction.EGRESS})
RESET = struct.pack("ii", 1, 0)
PATIENCE = struct.pack("ll", 1, 0)  # struct timeval: no connection is to take seconds
LEGEND = "median (least..most of tenths)"
HEAD = (
    f"{'us':36}{'packet':>7}{'over conntrack':>24}"
    f"{'TCP p50':>8}{'p99':>8}{'/s':>8}{'over conntrack':>24}"
)


class Lost(Exception):  # noqa: N818 - of a round, which is then not counted
    """Something that was sent has not arrived."""


class Variant(NamedTuple):
    """What a node does with a flow; ``ingress``, ``egress``: rules of each policy.

    They select the server, and the client; the last rule of the last one allows.
    ``held``: to the goal, which is for a handful of policies.
    """

    name: str
    rules: bool = True
    ingress: tuple[int, ...] = ()
    egress: tuple[int, ...] = ()
    tracks: bool = True
    held: bool = True


class Burst(NamedTuple):
    """How many flows of one variant follow each other before another's turn comes."""

    name: str
    packets: int
    connections: int


BURSTS = (
    Burst("many at once: the caches are warm", MOST, 8),
    Burst("one at a time: what seven other nodes did is in the caches", 1, 1),
)
BASE, AGAIN = "conntrack alone", "conntrack again"
VARIANTS = (
    Variant("no rules", rules=False, tracks=False),
    Variant(BASE, rules=False),
    Variant(AGAIN, rules=False),
    Variant("no policy selects the pods"),
    Variant("5 policies on the server", ingress=(1,) * 5),
    Variant(
        "5 on the server, 5 on the client",
        ingress=(1,) * 5,
        egress=(1,) * 5,
        held=False,
    ),
    Variant("50 policies on the server", ingress=(1,) * 50, held=False),
    Variant("1 policy of 64 rules on the server", ingress=(64,), held=False),
)


def policies(variant: Variant, number: int) -> Iterator[NetworkPolicy]:
    """Yield the policies of one variant's two pods."""
    client, server = (pod_site(kind, number).name for kind in ROLES)
    for own, other, sizes in (
        (server, client, variant.ingress),
        (client, server, variant.egress),
    ):
        peers = [*other_pods(sum(sizes) - 1), Peer(labelled("role", other))]
        for index, size in enumerate(sizes):
            rules = tuple(Rule((peers.pop(0),), PORTS) for _ in range(size))
            key = ObjectKey(OWN, f"{own}-{index:02}")
            selector = labelled("role", own)
            if own == server:
                yield NetworkPolicy(key, selector, INGRESS, rules)
            else:
                yield NetworkPolicy(key, selector, EGRESS, egress=rules)


def other_pods(number: int) -> list[Peer]:
    """Return peers that are other pods, about 25 each, and each a set of its own."""
    return [
        Peer(labelled("app", APPS[n % len(APPS)]), labelled("unit", f"u{n % 50}"))
        for n in range(number)
    ]


def address(site: Site) -> IPv4Address:
    """Return a pod's address: none that the cluster's other pods have."""
    kind, number = site.name.rsplit("-", 1)
    return IPv4Address(f"10.{64 + ROLES.index(kind)}.0.{int(number) + 1}")


def pod_site(kind: str, number: int) -> Site:
    """Return where the client or the server of a variant is."""
    return Site(SiteKind.POD, f"{kind}-{number}")


def cluster() -> Cluster:
    """Return the cluster, with each variant's pods on a node of their own."""
    others = make_cluster(PODS, POLICIES, NAMESPACES)
    sites = [pod_site(kind, n) for n in range(len(VARIANTS)) for kind in ROLES]
    pods = [
        Pod(
            ObjectKey(OWN, site.name),
            {"role": site.name},
            (address(site),),
            node=f"node-{site.name.rsplit('-', 1)[1]}",
            phase="Running",
        )
        for site in sites
    ]
    ours = [of for n, variant in enumerate(VARIANTS) for of in policies(variant, n)]
    space = Namespace(OWN, {METADATA_NAME: OWN})
    return replace(
        others,
        namespaces={**others.namespaces, OWN: space},
        pods={**others.pods, **{pod.key: pod for pod in pods}},
        policies={**others.policies, **{of.key: of for of in ours}},
    )


def plan(of: Cluster) -> Plan:
    """Return the lab of the measured pods and their nodes."""
    nodes = {f"node-{number}": number for number in range(len(VARIANTS))}
    sites: dict[Site, tuple[IPAddress, ...]] = {
        Site(SiteKind.NODE, name): of.nodes[name].addresses for name in nodes
    }
    homes = {pod_site(kind, n): name for name, n in nodes.items() for kind in ROLES}
    sites |= {site: (address(site),) for site in homes}
    return Plan(sites, homes, (GATEWAY,))


class Path:
    """The way from a variant's client to its server, and the time that it takes."""

    def __init__(self, fabric: Fabric, number: int, table: Table | None) -> None:
        """Open the sockets and load the table into the variant's node."""
        client, server = (pod_site(kind, number) for kind in ROLES)
        self._fabric, self._client = fabric, client
        self._where = str(address(server)), PORT
        self._variant = VARIANTS[number]
        self._flows = 0
        self._held = ExitStack()
        with fabric.inside(Site(SiteKind.NODE, f"node-{number}")):
            self._kernel = self._held.enter_context(Nftables())
            if table is not None:
                self._kernel.commit(load(table))
        self._packets = Packets(address(client), address(server), PORT)
        with fabric.inside(client):
            self._sender = self._socket(socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._sender.connect(self._where)
        with fabric.inside(server):
            self._receiver = self._socket(socket.SOCK_DGRAM)
            self._receiver.bind(self._where)
            self._receiver.setblocking(False)
            self._listener = self._socket(socket.SOCK_STREAM)
            self._listener.bind(self._where)
            self._listener.listen()

    def _socket(self, kind: int, protocol: int = 0) -> socket.socket:
        opened = socket.socket(socket.AF_INET, kind, protocol)
        return self._held.enter_context(opened)

    def close(self) -> None:
        """Close the sockets."""
        self._held.close()

    def wrong(self) -> bool:
        """Whether some flow was not let in by the one rule that is for it."""
        if not self._variant.ingress:
            return False
        counters = self._kernel.counters(TABLE_NAME)
        told = [n for name, (n, _) in counters.items() if name.startswith(LET_IN)]
        return [n for n in told if n] != [self._flows]

    def first_packets(self, first: int, number: int) -> float:
        """Send first packets of flows and return what each took: us.

        Raises Lost if one was not there at once: then its way was somebody else's time.
        """
        self._packets.number(first)
        took = self._packets.send(self._sender, number)
        self._flows += number
        try:
            for _ in range(number):
                self._receiver.recv(UDP_BYTES)
        except BlockingIOError as error:
            raise Lost from error
        return took / number / 1e3

    def connections(self, number: int) -> list[float]:
        """Make connections and reset them; return what each took: us."""
        with self._fabric.inside(self._client):
            made = [socket.socket() for _ in range(number)]
        return [self._connect(each) for each in made]

    def _connect(self, client: socket.socket) -> float:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        before = time.thread_time_ns()
        client.connect(self._where)
        client.close()
        took = time.thread_time_ns() - before
        self._listener.accept()[0].close()
        self._flows += 1
        return took / 1e3


class Series(NamedTuple):
    """What was measured of each variant, round by round: us."""

    packets: list[list[float]]
    connections: list[list[list[float]]]


def tables() -> tuple[Cluster, list[Table | None]]:
    """Return the cluster, and the table of each variant's node."""
    whole = cluster()
    compiled = compile_cluster(whole)
    forward = Chain("forward", (OPEN,), priority=0)
    tracking = Table(TABLE_NAME, TABLE_COMMENT, (), (), (), (forward,), {})
    return whole, [
        lower(compiled, f"node-{number}").table
        if variant.rules
        else tracking
        if variant.tracks
        else None
        for number, variant in enumerate(VARIANTS)
    ]


def measured(
    fabric: Fabric, paths: Sequence[Path], rounds: int, burst: Burst
) -> Series:
    """Take turns, in another order each round; a round with a loss is done again."""
    random = Random(1)  # noqa: S311 - an order, no secret
    series = Series([], [])
    order = [*range(len(paths))]
    ports = range(FIRST_PORT, LAST_PORT, MOST)
    lost = 0
    while len(series.packets) < rounds:
        turn = len(series.packets) + lost
        if turn % FORGET == 0:
            fabric.forget_connections()
        random.shuffle(order)
        try:
            first = ports[turn % FORGET]
            packets = {n: paths[n].first_packets(first, burst.packets) for n in order}
        except Lost:
            lost += 1
            if lost > rounds:
                raise
            continue
        connections = {n: paths[n].connections(burst.connections) for n in order}
        series.packets.append([packets[n] for n in range(len(paths))])
        series.connections.append([connections[n] for n in range(len(paths))])
    return series


class Difference(NamedTuple):
    """Medians of what one variant takes more than another: us.

    ``least`` and ``most`` are those of tenths of the rounds.
    """

    median: float
    least: float
    most: float


def difference(these: Sequence[float], those: Sequence[float]) -> Difference:
    """Compare two variants, round by round."""
    each = [one - other for one, other in zip(these, those, strict=True)]
    size = len(each) // PARTS
    parts = [statistics.median(each[n * size :][:size]) for n in range(PARTS)]
    return Difference(statistics.median(each), min(parts), max(parts))


def report(series: Series) -> list[str]:
    """Print a line for each variant; return what is over its goal."""
    late = []
    base = [variant.name for variant in VARIANTS].index(BASE)
    packets = [*zip(*series.packets, strict=True)]
    connections = [*zip(*series.connections, strict=True)]
    medians = [[statistics.median(each) for each in of] for of in connections]
    print(HEAD)
    for number, variant in enumerate(VARIANTS):
        first = difference(packets[number], packets[base])
        whole = difference(medians[number], medians[base])
        over = max(first.median, whole.median) > GOAL_US
        each = sorted(chain.from_iterable(connections[number]))
        centiles = statistics.quantiles(each, n=100)
        print(
            f"{variant.name:36}{statistics.median(packets[number]):7.2f}{told(first)}"
            f"{centiles[49]:8.2f}{centiles[98]:8.2f}{1e6 / statistics.mean(each):8.0f}"
            f"{told(whole)}{'  over' if over else ''}"
        )
        if over and variant.held:
            late.append(variant.name)
    return late


def told(of: Difference) -> str:
    """Return a difference in a column's width."""
    return f"{of.median:+8.2f} ({of.least:+5.2f}..{of.most:+5.2f})"


def main() -> int:
    """Measure all variants; tell whether what policies cost is within the goal."""
    rounds = max(PARTS, int(sys.argv[1])) if len(sys.argv) > 1 else ROUNDS
    # On one processor: what another one has in its caches is no matter of rules.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    whole, rules = tables()
    gc.collect()
    gc.freeze()
    with ExitStack() as held:
        fabric = Fabric(plan(whole))
        held.callback(fabric.close)
        paths = [Path(fabric, number, table) for number, table in enumerate(rules)]
        for path in paths:
            held.callback(path.close)
        late = []
        for burst in BURSTS:
            measured(fabric, paths, WARM_UP, burst)
            print(burst.name)
            late += report(measured(fabric, paths, rounds, burst))
        wrong = [v.name for v, of in zip(VARIANTS, paths, strict=True) if of.wrong()]
    print(f"processor time; over conntrack: {LEGEND}")
    print(f"goal: <= +{GOAL_US} us, with up to five policies on a path")
    for name in late:
        print(f"over its goal: {name}", file=sys.stderr)
    for name in wrong:
        print(f"not let in by its last rule: {name}", file=sys.stderr)
    return 1 if late or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
