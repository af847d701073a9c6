"""What a node's operator may choose, and what becomes of packets then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import pytest
from tables import chain, elements, lines, the_set

from choices import some_enforcement
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    Direction,
    End,
    Flow,
    IPAddress,
    Protocol,
)
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.verdict import Outcome
from ringfence.model.workload import Namespace, Node, Pod
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import (
    Count,
    Final,
    FromThisNode,
    HashSet,
    Hook,
    IntervalSet,
    Log,
    NftRule,
    State,
    Table,
)
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.naming import ContestedId, UnknownId, chain_name, read_prefix
from ringfence.ruleset.simulation.interpret import Machine, Packet, Walk
from ringfence.ruleset.simulation.journey import Wire
from strategies import make_world, seeded

AUDIT = Enforcement(audit=True)
GUARDED = Enforcement(guarded=(ip_network("10.0.0.0/24"), ip_network("fd00::/64")))
IPVS = Enforcement(hook=Hook.POSTROUTING)
SAMPLING = Enforcement(samples=5)
CUTTING = Enforcement(cuts=True)
WEB, DB, STRANGER = map(ip_address, ("10.0.0.1", "10.0.0.2", "10.0.0.99"))
OUTSIDE = ip_address("203.0.113.9")


def shop(*more: Pod) -> Cluster:
    """Return a cluster in which nothing may reach shop/web."""
    web = Pod(ObjectKey("shop", "web"), {}, (WEB,), node="n1")
    db = Pod(ObjectKey("other", "db"), {}, (DB,), node="n1")
    deny = NetworkPolicy(
        ObjectKey("shop", "deny"), EVERYTHING, frozenset({Direction.INGRESS})
    )
    pods = (web, db, *more)
    return Cluster(
        {name: Namespace(name, {}) for name in ("shop", "other")},
        {pod.key: pod for pod in pods},
        {"n1": Node("n1", {}, (ip_address("192.168.0.1"),))},
        policies={deny.key: deny},
    )


def table_with(enforcement: Enforcement, world: Cluster | None = None) -> Table:
    return lower(compile_cluster(world or shop()), "n1", enforcement=enforcement).table


def walk(table: Table, source: IPAddress, destination: IPAddress, **kind: Any) -> Walk:
    return Machine(table).walk(Packet(source, destination, Protocol.TCP, 80, **kind))


def tail(table: Table, name: str) -> list[NftRule]:
    return [rule for rule in chain(table, name).rules if not rule.matches]


def test_audited_denial_passes_counted_and_logged_as_staged() -> None:
    table = table_with(AUDIT)
    assert walk(table, DB, WEB).verdict is Final.ACCEPT
    assert "would/in/shop/deny" in table.counters
    assert not [name for name in table.counters if name.startswith(("deny", "cut"))]
    said = [s for rule in tail(table, "in/shop/deny") for s in rule.statements]
    assert Count("would/in/shop/deny") in said
    assert "rf:S:in:shop/deny" in [s.prefix for s in said if isinstance(s, Log)]


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [(CUTTING, Final.RESET), (replace(CUTTING, hook=Hook.POSTROUTING), Final.DROP)],
)
def test_a_server_takes_no_cut_connection_up_again(
    choice: Enforcement, verdict: Final
) -> None:
    # The server may call the client; its packets of a cut connection are no call.
    row = int(WEB), int(OUTSIDE), 80, 40_000
    empty = table_with(choice)
    sets = (
        replace(of, elements=frozenset({row}))
        if isinstance(of, HashSet) and of.name == "cut4"
        else of
        for of in empty.sets
    )
    table = replace(empty, sets=tuple(sets))

    def fate(of: Table, port: int = 40_000, **kind: Any) -> Final:
        packet = Packet(WEB, OUTSIDE, Protocol.TCP, port, source_port=80, **kind)
        return Machine(of).walk(packet).verdict

    assert fate(table, opening=False) is verdict
    assert fate(table, opening=False, state=State.INVALID) is Final.ACCEPT
    assert fate(table, opening=True) is Final.ACCEPT
    assert fate(table, opening=False, state=State.ESTABLISHED) is Final.ACCEPT
    assert fate(table, 40_001, opening=False) is Final.ACCEPT
    assert fate(empty, opening=False) is Final.ACCEPT
    assert "cut4" not in {of.name for of in table_with(ENFORCE).sets}


def test_exception_turns_a_namespace_over() -> None:
    excepted = frozenset({"shop"})
    closed = table_with(Enforcement(audit=True, exceptions=excepted))
    opened = table_with(Enforcement(audit=False, exceptions=excepted))
    assert walk(closed, DB, WEB).verdict is Final.DROP
    assert walk(opened, DB, WEB).verdict is Final.ACCEPT
    assert closed == table_with(Enforcement())
    assert opened == table_with(AUDIT)


@pytest.mark.parametrize(
    ("exceptions", "verdict"),
    [({}, Final.ACCEPT), ({"other"}, Final.DROP), ({"shop"}, Final.DROP)],
)
def test_contested_address_passes_only_where_all_claimants_are_audited(
    exceptions: set[str], verdict: Final
) -> None:
    twin = Pod(ObjectKey("other", "twin"), {}, (WEB,), node="n1")
    choice = Enforcement(audit=True, exceptions=frozenset(exceptions))
    table = table_with(choice, shop(twin))
    assert walk(table, DB, WEB).verdict is verdict
    of = ContestedId(Direction.INGRESS, audited=verdict is Final.ACCEPT)
    assert table.index[chain_name(of)] == of


def test_address_that_a_node_claims_too_is_never_audited() -> None:
    world = shop()
    nodes = {"n1": Node("n1", {}, (WEB,))}
    table = table_with(AUDIT, replace(world, nodes=nodes))
    assert walk(table, DB, WEB).verdict is Final.DROP


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(("source", "to"), [(STRANGER, DB), (DB, STRANGER)])
def test_unknown_guarded_address_passes_nothing(
    source: IPAddress, to: IPAddress, state: State
) -> None:
    met = walk(table_with(GUARDED), source, to, state=state)
    assert met.verdict is Final.DROP
    assert met.steps[-1].chain == "out/unknown" if source is STRANGER else "in/unknown"


def test_what_unknown_addresses_send_is_counted_and_logged() -> None:
    assert lines(table_with(GUARDED), "out/unknown")[:3] == [
        f"ip saddr @guarded4 ip saddr != @known4 {then}"
        for then in (
            "counter name deny/out/unknown",
            (
                "limit rate 10/second burst 20 packets "
                'log prefix "rf:D:out:unknown" group 100 snaplen 64'
            ),
            "drop",
        )
    ]


def test_known_and_outside_addresses_pass_the_guard() -> None:
    table = table_with(GUARDED)
    assert walk(table, WEB, DB).verdict is Final.ACCEPT
    assert walk(table, OUTSIDE, DB).verdict is Final.ACCEPT
    assert walk(table, OUTSIDE, WEB).verdict is Final.DROP


def test_family_that_is_guarded_is_closed_before_its_first_pod() -> None:
    table = table_with(GUARDED)
    one, other = ip_address("fd00::1"), ip_address("2001:db8::1")
    assert walk(table, one, other).verdict is Final.DROP
    assert isinstance(the_set(table, "guarded6"), IntervalSet)


def test_postrouting_chains_let_the_node_itself_pass_first() -> None:
    table = table_with(replace(GUARDED, hook=Hook.POSTROUTING, samples=1))
    base = [of for of in table.chains if of.priority is not None]
    assert [(of.name, of.priority) for of in base] == [
        ("out/unknown", 93),
        ("in/unknown", 94),
        ("egress", 95),
        ("ingress", 96),
        ("sampled", 97),
    ]
    for of in base:
        assert of.hook is Hook.POSTROUTING
        assert of.rules[0] == NftRule((FromThisNode(),), (Final.ACCEPT,))
    assert walk(table, STRANGER, WEB, from_this_node=True).verdict is Final.ACCEPT
    assert walk(table, DB, WEB).verdict is Final.DROP


def test_postrouting_never_resets_because_the_kernel_would_refuse_it() -> None:
    table = table_with(IPVS)
    verdicts = {s for of in table.chains for r in of.rules for s in r.statements}
    assert Final.RESET not in verdicts
    assert not [name for name in table.counters if name.startswith("cut/")]


def test_samples_log_new_connections_of_local_pods_after_all_verdicts() -> None:
    table = table_with(SAMPLING)
    assert lines(table, "sampled") == [
        f"ct state new ip {end}addr @local4 limit rate 5/second burst 5 packets "
        f'log prefix "rf:A:{word}:sampled" group 100 snaplen 64'
        for end, word in (("s", "out"), ("d", "in"))
    ]
    assert elements(table, "local4") == {(int(WEB),), (int(DB),)}
    assert [of.name for of in table.chains][:3] == ["egress", "ingress", "sampled"]


def test_every_prefix_of_a_table_reads_back() -> None:
    table = table_with(replace(GUARDED, audit=True, samples=5))
    prefixes = [name for name in table.index if name.startswith("rf:")]
    assert len(prefixes) == 5
    for prefix in prefixes:
        said = read_prefix(prefix)
        assert said is not None
        assert said.text == str(table.index[prefix])
    assert read_prefix("rf:X:in:a") is None
    assert read_prefix("rf:D:in:a b") is None


def test_default_enforcement_has_no_more_than_it_needs() -> None:
    table = table_with(Enforcement())
    base = [of.name for of in table.chains if of.priority is not None]
    assert base == ["egress", "ingress"]
    assert [of.name for of in table.sets] == ["self4"]


def enforced(cluster: Cluster, enforcement: Enforcement) -> Cluster:
    """Return the cluster without the policies that are audited only."""
    kept = {
        key: policy
        for key, policy in cluster.policies.items()
        if not enforcement.audits(key.namespace)
    }
    return replace(cluster, policies=kept)


def answers(seed: int) -> Iterator[tuple[Flow, Outcome, Outcome]]:
    random = seeded(seed)
    world = make_world(random, decided=True)
    enforcement = some_enforcement(random)
    cluster = world.cluster
    compiled = compile_cluster(cluster)
    tables = {
        node: lower(compiled, node, enforcement=enforcement).table
        for node in cluster.nodes
    }
    wire = Wire(tables, cluster)
    right = compile_cluster(enforced(cluster, enforcement))
    # Families are those of the cluster, whatever its policies are.
    for one, other in product(dict.fromkeys(world.ends), repeat=2):
        flow = Flow(one, other, Protocol.TCP, random.choice((79, 80, 443)))
        journey = wire.carry(flow)
        ends = [end for end in (one, other) if unknown(end, enforcement)]
        expected = evaluate(right, flow).outcome
        if ends and journey.hops:
            expected = Outcome.DENY
        yield flow, expected, journey.outcome


def unknown(end: End, enforcement: Enforcement) -> bool:
    """Whether the end is a guarded address that nobody has."""
    if not isinstance(end, AddressEnd):
        return False
    return any(end.address in net for net in enforcement.guarded)


def test_tables_do_what_the_engine_says_in_each_way_of_enforcing() -> None:
    for seed in range(80):
        for flow, expected, found in answers(seed):
            assert found is expected, (seed, flow)


@pytest.mark.property
@pytest.mark.parametrize("part", range(4))
def test_tables_do_it_in_thousands_of_worlds(part: int) -> None:
    for seed in range(100 + part, 3_000, 4):
        for flow, expected, found in answers(seed):
            assert found is expected, (seed, flow)


def test_unknown_has_a_chain_name_that_no_policy_can_take() -> None:
    assert chain_name(UnknownId(Direction.INGRESS)) == "in/unknown"
