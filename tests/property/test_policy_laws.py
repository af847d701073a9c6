"""Laws that hold for every cluster, whatever its policies say.

Outcomes are ordered: DENY, then UNDECIDED, then ALLOW. "Adds" means that no
flow's outcome falls, "removes" that none rises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    PORT_PROTOCOLS,
    Direction,
    Flow,
    IPNetwork,
    PodEnd,
)
from ringfence.model.labels import Operator, Requirement, label_selector
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.verdict import Outcome
from strategies import World

FLOWS_A_WORLD = 20
SEEDS = st.integers(0, 2**32 - 1)
OPPOSITES = (
    (Operator.EXISTS, Operator.DOES_NOT_EXIST),
    (Operator.IN, Operator.NOT_IN),
)
RANK = {Outcome.DENY: 0, Outcome.UNDECIDED: 1, Outcome.ALLOW: 2}
EVERY_BLOCK = tuple(
    Peer(ip_block=IPBlock(strategies.BLOCKS[family][0])) for family in (4, 6)
)


def ranks(cluster: Cluster, flows: Iterable[Flow]) -> list[int]:
    compiled = compile_cluster(cluster)
    return [RANK[evaluate(compiled, flow).outcome] for flow in flows]


def some_flows(random: Random, world: World) -> list[Flow]:
    return [strategies.make_flow(random, world) for _ in range(FLOWS_A_WORLD)]


def with_policies(cluster: Cluster, policies: Iterable[NetworkPolicy]) -> Cluster:
    return replace(cluster, policies={policy.key: policy for policy in policies})


def rewritten(
    cluster: Cluster, rewrite: Callable[[NetworkPolicy], NetworkPolicy]
) -> Cluster:
    return with_policies(cluster, map(rewrite, cluster.policies.values()))


def each_rule(policy: NetworkPolicy, rewrite: Callable[[Rule], Rule]) -> NetworkPolicy:
    return replace(
        policy,
        ingress=tuple(map(rewrite, policy.ingress)),
        egress=tuple(map(rewrite, policy.egress)),
    )


def renamed(policy: NetworkPolicy, suffix: str) -> NetworkPolicy:
    return replace(
        policy, key=ObjectKey(policy.key.namespace, policy.key.name + suffix)
    )


@given(SEEDS)
def test_a_rule_added_to_a_policy_never_removes_a_flow(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    donors = [
        rule
        for policy in strategies.make_world(random).cluster.policies.values()
        for rule in (*policy.ingress, *policy.egress)
    ]
    if not donors:
        return
    rule = random.choice(donors)
    more = rewritten(
        world.cluster,
        lambda p: replace(p, ingress=(*p.ingress, rule), egress=(*p.egress, rule)),
    )
    flows = some_flows(random, world)
    before, after = ranks(world.cluster, flows), ranks(more, flows)
    assert all(old <= new for old, new in zip(before, after, strict=True))


@given(SEEDS)
def test_a_policy_that_newly_isolates_only_removes_flows(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    policies = [*world.cluster.policies.values()]
    if not policies:
        return
    added = random.choice(policies)
    elsewhere = [p for p in policies if p.key.namespace != added.key.namespace]
    flows = some_flows(random, world)
    before = ranks(with_policies(world.cluster, elsewhere), flows)
    after = ranks(with_policies(world.cluster, [*elsewhere, added]), flows)
    assert all(old >= new for old, new in zip(before, after, strict=True))


@given(SEEDS)
def test_removing_the_last_policy_opens_the_pods(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random, decided=True)
    bare = with_policies(world.cluster, ())
    compiled = compile_cluster(bare)
    for flow in some_flows(random, world):
        verdict = evaluate(compiled, flow)
        shared_family = verdict.destination_address or verdict.source_address
        if shared_family is not None:
            assert verdict.outcome is Outcome.ALLOW


@given(SEEDS)
def test_the_order_of_policies_never_matters(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    policies = [*world.cluster.policies.values()]
    random.shuffle(policies)
    flows = some_flows(random, world)
    shuffled = with_policies(world.cluster, policies)
    assert ranks(shuffled, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_the_order_of_rules_peers_ports_and_excepts_never_matters(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)

    def turned(rule: Rule) -> Rule:
        peers = rule.peers and tuple(map(turned_peer, reversed(rule.peers)))
        return Rule(peers, rule.ports and rule.ports[::-1])

    def turned_peer(peer: Peer) -> Peer:
        block = peer.ip_block
        return replace(
            peer, ip_block=block and IPBlock(block.cidr, block.except_[::-1])
        )

    def turned_policy(policy: NetworkPolicy) -> NetworkPolicy:
        whole = each_rule(policy, turned)
        return replace(whole, ingress=whole.ingress[::-1], egress=whole.egress[::-1])

    flows = some_flows(random, world)
    other = rewritten(world.cluster, turned_policy)
    assert ranks(other, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_a_policy_split_by_rule_and_direction_is_the_same(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    parts: list[NetworkPolicy] = []
    for policy in world.cluster.policies.values():
        for direction in policy.policy_types:
            bare = replace(
                policy, policy_types=frozenset({direction}), ingress=(), egress=()
            )
            parts.append(renamed(bare, f"-{direction}".lower()))
            for index, rule in enumerate(policy.rules(direction)):
                inward = direction is Direction.INGRESS
                one = replace(
                    bare,
                    ingress=(rule,) if inward else (),
                    egress=() if inward else (rule,),
                )
                parts.append(renamed(one, f"-{direction}-{index}".lower()))
    flows = some_flows(random, world)
    split = with_policies(world.cluster, parts)
    assert ranks(split, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_a_rule_split_by_peer_and_port_is_the_same(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)

    def split(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            Rule((peer,) if peer else None, (port,) if port else None)
            for rule in rules
            for peer in rule.peers or (None,)
            for port in rule.ports or (None,)
        )

    flows = some_flows(random, world)
    apart = rewritten(
        world.cluster,
        lambda p: replace(p, ingress=split(p.ingress), egress=split(p.egress)),
    )
    assert ranks(apart, flows) == ranks(world.cluster, flows)


@pytest.mark.parametrize("opposites", OPPOSITES)
@given(seed=SEEDS)
def test_pods_are_selected_by_a_term_or_by_its_opposite(
    opposites: tuple[Operator, Operator], seed: int
) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    key, values = random.choice([*strategies.POD_LABELS.items()])

    def narrowed(policy: NetworkPolicy, operator: Operator) -> NetworkPolicy:
        listed = operator in {Operator.IN, Operator.NOT_IN}
        term = Requirement(
            key, operator, frozenset(values[:1]) if listed else frozenset()
        )
        whole = [*policy.pod_selector.requirements, term]
        return replace(
            renamed(policy, f"-{operator.value.lower()}"),
            pod_selector=label_selector(whole),
        )

    halves = [
        narrowed(policy, operator)
        for policy in world.cluster.policies.values()
        for operator in opposites
    ]
    flows = some_flows(random, world)
    apart = with_policies(world.cluster, halves)
    assert ranks(apart, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_a_port_range_is_the_union_of_its_parts(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)

    def parts(entry: PolicyPort) -> list[PolicyPort]:
        if not isinstance(entry.port, int):
            return [entry]
        last = entry.end_port or entry.port
        middle = random.randint(entry.port, last)
        ends = (replace(entry, port=n, end_port=None) for n in (entry.port, last))
        halves = [replace(entry, end_port=middle)]
        if middle < last:
            halves.append(replace(entry, port=middle + 1, end_port=last))
        return [*ends, *halves]

    def cut(rule: Rule) -> Rule:
        ports = tuple(part for port in rule.ports or () for part in parts(port))
        return replace(rule, ports=ports or None)

    flows = some_flows(random, world)
    apart = rewritten(world.cluster, lambda p: each_rule(p, cut))
    assert ranks(apart, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_a_block_is_the_union_of_its_halves(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random, decided=True)

    def half(block: IPBlock, part: IPNetwork) -> Peer:
        inside = (hole for hole in block.except_ if hole.network_address in part)
        wider = [h for h in block.except_ if part.network_address in h]
        return Peer(ip_block=IPBlock(part, (*inside, *wider)))

    def halves(peer: Peer) -> list[Peer]:
        block = peer.ip_block
        # Half of /0 no longer covers "internet".
        if block is None or not 0 < block.cidr.prefixlen < block.cidr.max_prefixlen:
            return [peer]
        return [half(block, part) for part in block.cidr.subnets()]

    def cut(rule: Rule) -> Rule:
        peers = tuple(part for peer in rule.peers or () for part in halves(peer))
        return replace(rule, peers=peers or None)

    flows = some_flows(random, world)
    apart = rewritten(world.cluster, lambda p: each_rule(p, cut))
    assert ranks(apart, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_no_peers_is_every_address_and_no_ports_every_port(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random, decided=True)
    every_port = tuple(PolicyPort(protocol) for protocol in PORT_PROTOCOLS)

    def spelled(rule: Rule) -> Rule:
        return Rule(rule.peers or EVERY_BLOCK, rule.ports or every_port)

    flows = [f for f in some_flows(random, world) if f.protocol.has_ports]
    other = rewritten(world.cluster, lambda p: each_rule(p, spelled))
    assert ranks(other, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_finished_pods_change_nothing_for_the_others(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    live = {key: pod for key, pod in world.cluster.pods.items() if not pod.finished}
    flows = some_flows(random, world)
    without = replace(world.cluster, pods=live)
    assert ranks(without, flows) == ranks(world.cluster, flows)


@given(SEEDS)
def test_rules_of_a_direction_that_is_not_listed_mean_nothing(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)

    def stripped(policy: NetworkPolicy) -> NetworkPolicy:
        listed = policy.policy_types
        return replace(
            policy,
            ingress=policy.ingress if Direction.INGRESS in listed else (),
            egress=policy.egress if Direction.EGRESS in listed else (),
        )

    flows = some_flows(random, world)
    assert ranks(rewritten(world.cluster, stripped), flows) == ranks(
        world.cluster, flows
    )


@given(SEEDS)
def test_every_pod_reaches_itself(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    flow = strategies.make_flow(random, world)
    pods = [end for end in world.ends if isinstance(end, PodEnd) and not end.address]
    itself = [replace(flow, source=pod, destination=pod) for pod in pods]
    assert ranks(world.cluster, itself) == [RANK[Outcome.ALLOW]] * len(itself)


@given(SEEDS)
def test_a_flow_to_every_port_is_the_worst_of_its_ports(seed: int) -> None:
    random = strategies.seeded(seed)
    world = strategies.make_world(random)
    flow = replace(
        strategies.make_flow(random, world),
        protocol=random.choice(PORT_PROTOCOLS),
        port=None,
    )
    single = [replace(flow, port=port) for port in (0, *strategies.NUMBERS)]
    assert ranks(world.cluster, [flow])[0] <= min(ranks(world.cluster, single))
