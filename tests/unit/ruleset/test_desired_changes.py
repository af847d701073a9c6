"""What a change costs the table that follows it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.engine.following.events import Event, Kind
from ringfence.engine.following.state import State
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import (
    LabelSelector,
    Operator,
    Requirement,
    label_selector,
)
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import ContainerPort, Namespace, Pod
from ringfence.ruleset.changes.applied import applied
from ringfence.ruleset.changes.desired import Desired
from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteSet,
    DeleteVerdicts,
    FlushChain,
    Operation,
    SetType,
)
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import Datatype
from ringfence.ruleset.lowering.basechains import CUT_KEYS
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.wire.normal import normal

NODE = "n1"
CLIENTS = SetType("p4/shop/app_is_client", (Datatype.IPV4,), interval=False)


def app(name: str) -> LabelSelector:
    return label_selector([Requirement("app", Operator.IN, frozenset({name}))])


def pod(name: str, number: int, *, node: str = NODE, of: str = "") -> Pod:
    ports = (ContainerPort(8080, name="http"),)
    address = ip_address(f"10.0.0.{number}")
    key = ObjectKey("shop", name)
    return Pod(key, {"app": of or name}, (address,), ports, node)


def policy(
    name: str, selected: str, *peers: str, port: int | str = 80
) -> NetworkPolicy:
    rule = Rule(tuple(Peer(app(peer)) for peer in peers), (PolicyPort(port=port),))
    ingress = frozenset({Direction.INGRESS})
    return NetworkPolicy(ObjectKey("shop", name), app(selected), ingress, (rule,))


class Node:
    """A state and the table that follows it."""

    def __init__(self, *things: Pod | NetworkPolicy) -> None:
        self.state = State(Cluster(namespaces={"shop": Namespace("shop", {})}))
        self.desired = Desired(self.state, NODE)
        self.put(*things)

    def take(self, *events: Event) -> tuple[Operation, ...]:
        done = self.desired.follow(self.state.apply(events)).operations
        right = lower(compile_cluster(self.state.cluster), NODE).table
        assert self.desired.table() == right
        return done

    def put(self, *things: Pod | NetworkPolicy) -> tuple[Operation, ...]:
        return self.take(*map(Event.put, things))

    def remove(self, thing: Pod | NetworkPolicy) -> tuple[Operation, ...]:
        kind = Kind.POD if isinstance(thing, Pod) else Kind.POLICY
        return self.take(Event(kind, thing.key))


WEB, CLIENT = pod("web", 1), pod("client", 2, node="n2")
LET_IN = policy("let-in", "web", "client")


@pytest.fixture
def node() -> Node:
    return Node(WEB, CLIENT, LET_IN)


def test_cut_connections_are_elements_whatever_happens_between(node: Node) -> None:
    row, other = (1, 2, 80, 40_000), (1, 3, 80, 40_000)
    desired = node.desired
    assert not desired.cut({4: {row}}, {})  # nobody looks into such a set yet
    cutting = desired.enforce(Enforcement(cuts=True))
    kept = SetType("cut4", CUT_KEYS[4], interval=False)
    assert AddElements(kept, (row,)) in cutting.operations
    assert desired.cut({4: {row, other}}, {4: {row}}).operations == (
        DeleteElements(kept, (row,)),
        AddElements(kept, (other,)),
    )
    seen = desired.table()
    wide = replace(WEB, addresses=(*WEB.addresses, ip_address("fd00::1")))
    changes = node.state.apply([Event.put(wide)])
    assert changes.families == (4, 6)
    seen = applied(seen, desired.follow(changes))
    seen = applied(seen, desired.cut({6: {row}}, {4: {other, row}}))
    assert normal(seen) == normal(desired.table())
    rows = {of.name: of.elements for of in seen.sets}
    assert (rows["cut4"], rows["cut6"]) == (frozenset(), frozenset({row}))


def test_peer_elsewhere_that_comes_and_goes_is_one_element(node: Node) -> None:
    other = pod("client-2", 3, node="n2", of="client")
    row = (int(other.addresses[0]),)
    assert node.put(other) == (AddElements(CLIENTS, (row,)),)
    assert node.remove(other) == (DeleteElements(CLIENTS, (row,)),)


def test_pod_that_nobody_mentions_is_nothing(node: Node) -> None:
    assert node.put(pod("other", 9, node="n2")) == ()
    assert node.put(pod("other", 9, node="n2", of="else")) == ()


def test_second_replica_is_its_own_elements_and_no_rule(node: Node) -> None:
    kinds = [type(op) for op in node.put(pod("web-2", 4, of="web"))]
    assert kinds == [AddElements, AddVerdicts]


def test_last_replica_takes_the_chain_and_all_that_it_used(node: Node) -> None:
    kinds = [type(op) for op in node.remove(WEB)]
    assert kinds == [
        *(DeleteElements, DeleteVerdicts, FlushChain, DeleteChain),
        *(DeleteSet, DeleteCounter, DeleteCounter, DeleteCounter),
    ]
    assert node.desired.table().index == {}


def test_replaced_pod_leaves_its_chain_alone(node: Node) -> None:
    """The last pod of a policy-set goes as the next one comes, in one batch."""
    heir = pod("web-2", 5, of="web")
    done = node.take(Event(Kind.POD, WEB.key), Event.put(heir))
    kinds = {type(op) for op in done}
    assert kinds == {DeleteElements, AddElements, DeleteVerdicts, AddVerdicts}


def test_other_ports_rewrite_one_chain(node: Node) -> None:
    node.put(pod("db", 6), policy("db", "db", "web"))
    done = node.put(policy("let-in", "web", "client", port=81))
    assert {op.name for op in done if isinstance(op, FlushChain)} == {"in/shop/let-in"}
    assert {type(op) for op in done} == {FlushChain, AddRule}


def test_policy_of_other_nodes_pods_is_nothing(node: Node) -> None:
    node.put(pod("far", 7, node="n2"))
    assert node.put(policy("far", "far", "web")) == ()


def test_second_policy_moves_the_pod_to_a_new_chain(node: Node) -> None:
    kinds = [type(op) for op in node.put(policy("more", "web", "db"))]
    moved = [AddChain, DeleteVerdicts, AddVerdicts, FlushChain, DeleteChain]
    assert [kind for kind in kinds if kind in moved] == moved
    assert AddElements not in kinds


def test_new_peer_brings_its_set_and_the_old_one_goes(node: Node) -> None:
    done = node.put(policy("let-in", "web", "web"))
    assert [op.type.name for op in done if isinstance(op, AddSet)] == [
        "p4/shop/app_is_web"
    ]
    assert [op.name for op in done if isinstance(op, DeleteSet)] == [CLIENTS[0]]


def test_container_port_is_an_element_of_the_name(node: Node) -> None:
    node.put(policy("let-in", "web", "client", port="http"))
    ports = (ContainerPort(9090, name="http"),)
    done = node.put(replace(WEB, ports=ports))
    assert {type(op) for op in done} == {AddElements, DeleteElements}


def test_first_address_of_a_family_keeps_the_base_chains(node: Node) -> None:
    done = node.put(replace(CLIENT, addresses=(ip_address("fd00::1"),)))
    assert not [op for op in done if isinstance(op, AddChain | DeleteChain)]
    assert {op.name for op in done if isinstance(op, AddMap)} == {"in6", "out6"}


def test_other_enforcement_rewrites_tails_and_counters(node: Node) -> None:
    done = node.desired.enforce(Enforcement(audit=True)).operations
    assert {type(op) for op in done} == {
        AddCounter,
        FlushChain,
        AddRule,
        DeleteCounter,
    }
    assert node.desired.enforce(Enforcement(audit=True)).operations == ()


def test_nothing_is_kept_of_a_thousand_pods_that_came_and_went(node: Node) -> None:
    before = node.desired.table()
    for number in range(3, 250):
        there = pod(f"p{number}", number, of=("web", "client")[number % 2])
        node.desired.follow(node.state.apply([Event.put(there)]))
        gone = Event(Kind.POD, there.key)
        node.desired.follow(node.state.apply([gone]))
    assert node.desired.table() == before


def test_address_of_two_pods_is_cut_off_until_one_of_them_goes(node: Node) -> None:
    twin = replace(pod("twin", 1), labels={"app": "nobody"})
    node.put(twin)
    assert set(node.desired.table().maps[0].elements.values()) == {"in/contested"}
    node.remove(twin)
    assert set(node.desired.table().maps[0].elements.values()) == {"in/shop/let-in"}


def test_omissions_are_those_of_the_whole_lowering(node: Node) -> None:
    node.put(replace(WEB, addresses=()))
    right = lower(compile_cluster(node.state.cluster), NODE).omissions
    assert node.desired.omissions == right != ()


BOTH = policy("let-in", "web", "client", "db")
SHARED = "p4/shop/app_is_client_or_shop/app_is_db"


def shares(node: Node) -> bool:
    """Whether the set of both peers has the address 10.0.0.9."""
    (found,) = (of for of in node.desired.table().sets if of.name == SHARED)
    return (int(ip_address("10.0.0.9")),) in found.elements


def test_address_of_two_peers_is_in_their_set_once_a_third_owner_goes() -> None:
    third = pod("third", 9, of="nobody")
    owners = pod("one", 9, of="client"), pod("two", 9, of="db")
    node = Node(WEB, BOTH, *owners, third)
    assert not shares(node)
    node.remove(third)
    assert shares(node)


def test_address_is_in_the_set_once_its_other_owner_becomes_the_other_peer() -> None:
    node = Node(WEB, BOTH, pod("one", 9, of="client"), pod("two", 9, of="nobody"))
    assert not shares(node)
    node.put(pod("two", 9, of="db"))
    assert shares(node)


def test_pair_of_own_addresses_goes_when_another_pod_claims_one_of_them() -> None:
    one, other = map(ip_address, ("10.0.0.1", "10.0.0.3"))
    node = Node(replace(WEB, addresses=(one, other)), LET_IN)
    done = node.put(pod("twin", 3, of="nobody"))
    (lost,) = (op for op in done if isinstance(op, DeleteElements))
    assert set(lost.elements) == {
        (int(a), int(b)) for a in (one, other) for b in (one, other)
    } - {(int(one), int(one))}
