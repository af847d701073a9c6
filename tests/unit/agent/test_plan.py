"""Which connections a change may have denied; what only adds touches none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from random import Random

import pytest
from hypothesis import given

from churn import random_events
from ringfence.agent.enforcing.cut import Judge, Question, Site
from ringfence.agent.plan import Touched, touched
from ringfence.engine.compiler import selectable
from ringfence.engine.following.changes import Changes
from ringfence.engine.following.events import Event, Kind, Thing
from ringfence.engine.following.state import State
from ringfence.model.flow import IPAddress, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import ContainerPort
from strategies import OUTSIDE, make_world, randoms
from worlds import cluster, ingress, peer, pod, rule, tcp

NOTHING = Touched()
WEB = pod("web", "app=web", "10.0.0.1", node="n1")
SQL = ContainerPort(5432, Protocol.TCP, "sql")
DB = pod("db", "app=db", "10.0.0.2", node="n1")
CLOSED = ingress("closed", "app=db")
OPEN_TO_WEB = ingress("web", "app=db", rule([peer("app=web")], [tcp(80)]))


def local(state: State) -> set[ObjectKey]:
    pods = state.cluster.pods.values()
    return {pod.key for pod in pods if pod.node == "n1" and selectable(pod)}


def judge(state: State) -> Judge:
    return Judge(state.compiled, state.claims, Site(frozenset(local(state))))


def questions(addresses: list[IPAddress]) -> Iterator[Question]:
    for source, destination in product(addresses, repeat=2):
        if source.version == destination.version:
            for port in (80, 8080):
                yield Question(source.packed, destination.packed, 6, port)


def known(state: State) -> set[IPAddress]:
    pods = {a for pod in state.cluster.pods.values() for a in pod.addresses}
    return pods | {a for outside in OUTSIDE.values() for a in outside}


@given(randoms())
def test_every_connection_that_a_change_denies_is_looked_at(random: Random) -> None:
    state = State(make_world(random).cluster)
    for _ in range(6):
        before = known(state)
        events = random_events(random, state.cluster)
        old = judge(state)
        asked = list(questions(sorted(before, key=lambda a: (a.version, int(a)))))
        some = random.sample(asked, min(len(asked), 150))
        passed = [one for one in some if old.passes(one)]
        changes = state.apply(events)
        found = touched(changes, state, local(state))
        now = judge(state)
        looked_at = found.soon | found.later
        for one in passed:
            if not now.passes(one):
                assert looked_at & {one.source, one.destination}, (one, changes)


def changed(state: State, *things: Thing | Event) -> Changes:
    return state.apply(
        thing if isinstance(thing, Event) else Event.put(thing) for thing in things
    )


def seen(state: State, changes: Changes) -> Touched:
    return touched(changes, state, local(state))


def test_a_policy_that_isolates_touches_its_local_pods() -> None:
    state = State(cluster(WEB, DB))
    found = seen(state, changed(state, CLOSED))
    assert found == Touched(frozenset({DB.addresses[0].packed}))


def test_a_policy_for_another_nodes_pods_touches_nothing() -> None:
    state = State(cluster(WEB, pod("db", "app=db", "10.0.0.2", node="n2")))
    assert seen(state, changed(state, CLOSED)) == NOTHING


def test_a_pod_that_comes_takes_its_address_and_touches_nothing() -> None:
    state = State(cluster(DB, OPEN_TO_WEB))
    found = seen(state, changed(state, WEB))
    assert found == Touched(taken=frozenset({WEB.addresses[0].packed}))


def test_an_isolated_pod_that_gets_another_address_takes_what_began_there() -> None:
    state = State(cluster(WEB, DB, CLOSED))
    moved = replace(DB, addresses=(ip_address("10.0.0.9"),))
    found = seen(state, changed(state, moved))
    assert found.soon == {moved.addresses[0].packed}
    assert found.later == {DB.addresses[0].packed}


def test_a_pod_that_uses_its_nodes_network_by_now_is_looked_at() -> None:
    state = State(cluster(WEB, DB))
    found = seen(state, changed(state, replace(DB, host_network=True)))
    assert found == Touched(frozenset({DB.addresses[0].packed}))


def test_an_isolated_pod_that_comes_from_another_node_is_looked_at() -> None:
    state = State(cluster(WEB, replace(DB, node="n2"), CLOSED))
    found = seen(state, changed(state, DB))
    assert found == Touched(frozenset({DB.addresses[0].packed}))


@pytest.mark.parametrize("isolates", [True, False])
def test_another_nodes_pod_with_the_same_address_counts_as_ones_own(
    isolates: bool,
) -> None:
    # Both claim the address: it passes what each of them would let pass.
    double = pod("double", "app=db", "10.0.0.1", node="n2")
    state = State(cluster(WEB, double, *([] if isolates else [CLOSED])))
    news = CLOSED if isolates else Event(Kind.POLICY, CLOSED.key)
    found = seen(state, changed(state, news))
    assert found == Touched(frozenset({WEB.addresses[0].packed}))


def test_the_connections_of_a_pod_that_went_may_wait() -> None:
    state = State(cluster(WEB, DB, OPEN_TO_WEB))
    gone = Event(Event.put(WEB).kind, WEB.key)
    found = seen(state, changed(state, gone))
    assert found == Touched(later=frozenset({WEB.addresses[0].packed}))


def test_an_address_that_another_pod_takes_in_the_same_batch_does_not_wait() -> None:
    state = State(cluster(WEB, DB, OPEN_TO_WEB))
    gone = Event(Event.put(WEB).kind, WEB.key)
    found = seen(state, changed(state, gone, pod("new", "app=new", "10.0.0.1")))
    assert found == Touched(frozenset({WEB.addresses[0].packed}))


def test_an_address_that_one_of_two_pods_gives_up_does_not_wait() -> None:
    twin = pod("twin", "app=web", "10.0.0.1", node="n2")
    state = State(cluster(WEB, DB, OPEN_TO_WEB, twin))
    found = seen(state, changed(state, Event(Event.put(WEB).kind, WEB.key)))
    assert found == Touched(frozenset({WEB.addresses[0].packed}))


def test_a_peer_that_loses_its_label_is_looked_at_at_once() -> None:
    state = State(cluster(WEB, DB, OPEN_TO_WEB))
    relabelled = pod("web", "app=other", "10.0.0.1", node="n1")
    found = seen(state, changed(state, relabelled))
    assert found == Touched(frozenset({WEB.addresses[0].packed}))


def test_a_policy_that_lets_less_in_touches_the_pods_it_isolates() -> None:
    state = State(cluster(WEB, DB, OPEN_TO_WEB))
    other = ingress("web", "app=db", rule([peer("app=web")], [tcp(81)]))
    found = seen(state, changed(state, other))
    assert found.soon == {DB.addresses[0].packed}


def test_a_port_that_changes_its_number_touches_its_pod() -> None:
    named = ingress("web", "app=db", rule([peer("app=web")], [tcp("sql")]))
    state = State(cluster(WEB, replace(DB, ports=(SQL,)), named))
    moved = replace(DB, ports=(replace(SQL, number=5433),))
    found = seen(state, changed(state, moved))
    assert found.soon == {DB.addresses[0].packed}


def test_an_address_that_a_second_pod_claims_is_looked_at() -> None:
    state = State(cluster(WEB, DB, OPEN_TO_WEB))
    twin = pod("twin", "app=twin", "10.0.0.1", node="n2")
    found = seen(state, changed(state, twin))
    assert WEB.addresses[0].packed in found.soon
