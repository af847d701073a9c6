"""A connection is cut if, and only if, the node's table would not let it begin."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import product
from random import Random

from hypothesis import given

from ringfence.agent.enforcing.cut import Judge, Question, Site, question
from ringfence.engine.following.events import Event, Kind
from ringfence.engine.following.state import State
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, IPAddress, Protocol
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Node, Pod
from ringfence.observe.tracked import Tracked, Tuple
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import Final
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.simulation.interpret import Machine, Packet
from strategies import NAMESPACES, NUMBERS, OUTSIDE, World, make_world, randoms

NUMBERS_OF = {
    (Protocol.TCP, 4): 6,
    (Protocol.TCP, 6): 6,
    (Protocol.UDP, 4): 17,
    (Protocol.UDP, 6): 17,
    (Protocol.SCTP, 4): 132,
    (Protocol.SCTP, 6): 132,
    (Protocol.ICMP, 4): 1,
    (Protocol.ICMP, 6): 58,
    (Protocol.OTHER, 4): 253,
    (Protocol.OTHER, 6): 253,
}


def addresses(world: World) -> list[IPAddress]:
    found = {a for pod in world.cluster.pods.values() for a in pod.addresses}
    found |= {a for node in world.cluster.nodes.values() for a in node.addresses}
    found |= {a for of in OUTSIDE.values() for a in of}
    return sorted(found, key=lambda a: (a.version, int(a)))


def tracked(
    source: str, destination: str, *, port: int = 80, real: str | None = None
) -> Tracked:
    one, asked, other = (
        ip_address(of).packed for of in (source, destination, real or destination)
    )
    return Tracked(
        Tuple(one, asked, 40000, port),
        Tuple(other, one, port, 40000),
        6,
        1,
        14,
        0,
        0,
        b"",
    )


def judge(state: State, node: str = "n1", **site: object) -> Judge:
    pods = state.cluster.pods.values()
    local = frozenset(pod.key for pod in pods if pod.node == node)
    return Judge(state.compiled, state.claims, Site(local, **site))  # type: ignore[arg-type]  # its own fields


def enforcement(random: Random) -> Enforcement:
    return Enforcement(
        random.choice((False, True)),
        frozenset(random.sample(NAMESPACES, random.randint(0, 2))),
        random.choice(((), (), (ip_network("10.0.0.0/28"), ip_network("fd00::/64")))),
    )


@given(randoms())
def test_what_is_cut_is_what_the_table_does_not_accept(random: Random) -> None:
    world = make_world(random)
    state = State(world.cluster)
    chosen = enforcement(random)
    machine = Machine(lower(state.compiled, "n1", enforcement=chosen).table)
    judged = judge(state, enforcement=chosen)
    pairs = [*product(addresses(world), repeat=2)]
    for source, destination in random.sample(pairs, min(30, len(pairs))):
        if source.version != destination.version:
            continue
        for protocol in Protocol:
            port = random.choice(NUMBERS) if protocol.has_ports else None
            packet = Packet(source, destination, protocol, port)
            accepted = machine.walk(packet).verdict is Final.ACCEPT
            number = NUMBERS_OF[protocol, source.version]
            asked = Question(source.packed, destination.packed, number, port)
            assert judged.passes(asked) == accepted, str(packet)


@given(randoms())
def test_no_connection_to_be_cut_is_outside_the_subjects(random: Random) -> None:
    world = make_world(random)
    judged = judge(State(world.cluster))
    subjects = judged.subjects()
    for source, destination in product(addresses(world), repeat=2):
        if source.version == destination.version and not judged.passes(
            Question(source.packed, destination.packed, 6, 80)
        ):
            assert subjects & {source.packed, destination.packed}


SHOP = ObjectKey("shop", "web")
DATA = ObjectKey("data", "db")


def state_of_two(*policies: NetworkPolicy) -> State:
    pods = (
        Pod(SHOP, {}, (ip_address("10.0.0.1"),), node="n1"),
        Pod(DATA, {}, (ip_address("10.0.0.2"),), node="n1"),
    )
    return State(
        Cluster(
            pods={pod.key: pod for pod in pods},
            nodes={"n1": Node("n1", {}, (ip_address("192.0.2.1"),))},
            policies={policy.key: policy for policy in policies},
        )
    )


def closed(namespace: str, direction: Direction = Direction.INGRESS) -> NetworkPolicy:
    key = ObjectKey(namespace, "closed")
    return NetworkPolicy(key, EVERYTHING, frozenset({direction}), (), ())


def test_a_connection_is_cut_only_after_a_policy_denies_it() -> None:
    state = state_of_two()
    flow = tracked("10.0.0.1", "10.0.0.2")
    assert judge(state).denied([flow]) == []
    state.apply([Event.put(closed("data"))])
    assert judge(state).denied([flow]) == [flow]
    state.apply([Event(Kind.POLICY, ObjectKey("data", "closed"))])
    assert judge(state).denied([flow]) == []


def test_answers_are_no_new_connections() -> None:
    judged = judge(state_of_two(closed("shop")))
    assert judged.denied([tracked("10.0.0.1", "10.0.0.2")]) == []


def test_the_pod_behind_a_service_is_the_destination() -> None:
    judged = judge(state_of_two(closed("data")))
    flow = tracked("10.0.0.1", "10.96.0.9", port=5432, real="10.0.0.2")
    assert judged.denied([flow]) == [flow]
    assert question(flow).destination == ip_address("10.0.0.2").packed


def test_the_node_keeps_its_connections_to_its_own_pods() -> None:
    state = state_of_two(closed("data"))
    own = frozenset(ip_address(a).packed for a in ("192.0.2.1", "10.0.0.254"))
    flows = [tracked(a, "10.0.0.2") for a in ("192.0.2.1", "10.0.0.254")]
    assert judge(state, own=own).denied(flows) == []
    assert judge(state).denied(flows) == flows


def test_a_pod_keeps_its_connections_to_itself() -> None:
    judged = judge(state_of_two(closed("data")))
    assert judged.denied([tracked("10.0.0.2", "10.0.0.2")]) == []


def test_pods_of_other_nodes_are_not_this_nodes_business() -> None:
    judged = judge(state_of_two(closed("data")), node="n2")
    assert judged.denied([tracked("10.0.0.1", "10.0.0.2")]) == []
    assert judged.subjects() == frozenset()


def test_an_audited_namespace_keeps_what_its_policies_deny() -> None:
    state = state_of_two(closed("data"))
    flow = tracked("10.0.0.1", "10.0.0.2")
    audit = Enforcement(audit=True)
    assert judge(state, enforcement=audit).denied([flow]) == []
    strict = Enforcement(audit=True, exceptions=frozenset({"data"}))
    assert judge(state, enforcement=strict).denied([flow]) == [flow]


def test_subjects_can_be_those_of_a_few_pods() -> None:
    judged = judge(state_of_two(closed("data"), closed("shop")))
    assert judged.subjects([DATA]) == {ip_address("10.0.0.2").packed}
    assert len(judged.subjects()) == 2
