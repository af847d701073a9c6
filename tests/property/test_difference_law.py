"""A difference applied to the matrix of its base gives the matrix of its head."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random

import pytest

import strategies
from ringfence.analysis.change.difference import Change, Difference, difference
from ringfence.analysis.change.ends import NamedEnd
from ringfence.analysis.matrix import By, Endpoint, matrix
from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import Outcome
from ringfence.sets.conns import NOTHING, ConnSet

SHORT_RUN = range(150)
MOST_ADDRESSES = 16
LONG_RUN = range(150, 2_000)

End = ObjectKey | IPAddress
Pairs = dict[tuple[End, End], dict[Outcome, ConnSet]]


def some_addresses(random: Random, *clusters: Compiled) -> list[IPAddress]:
    """Return some of the addresses where the outside of either matrix is cut."""
    found = {
        cidr[0]
        for compiled in clusters
        for endpoint in matrix(compiled, By.POD).endpoints
        for cidr in endpoint.cidrs
    }
    ordered = sorted(found, key=lambda address: (address.version, int(address)))
    return random.sample(ordered, min(MOST_ADDRESSES, len(ordered)))


def ends(named: Endpoint | NamedEnd, addresses: list[IPAddress]) -> list[End]:
    inside = [a for a in addresses if any(a in cidr for cidr in named.cidrs)]
    return [*named.pods, *inside]


def pairs_of(compiled: Compiled, addresses: list[IPAddress]) -> Pairs:
    found: Pairs = {}
    whole = matrix(compiled, By.POD)
    for row, column, cell in whole.cells():
        for source in ends(whole.endpoints[row], addresses):
            for destination in ends(whole.endpoints[column], addresses):
                found[source, destination] = {
                    Outcome.ALLOW: cell.allowed,
                    Outcome.UNDECIDED: cell.undecided,
                }
    return found


def pods(*pair: End) -> bool:
    return any(isinstance(end, ObjectKey) for end in pair)


def apply(change: Change, pairs: Pairs, addresses: list[IPAddress]) -> None:
    step = change.step
    for one in change.sources:
        for other in change.destinations:
            for source in ends(one, addresses):
                for destination in ends(other, addresses):
                    if source == destination or not pods(source, destination):
                        continue
                    cell = pairs[source, destination]
                    if step.was is not Outcome.DENY:
                        assert step.conns - cell[step.was] == NOTHING
                        cell[step.was] -= step.conns
                    if step.now is not Outcome.DENY:
                        assert not step.conns & (
                            cell[Outcome.ALLOW] | cell[Outcome.UNDECIDED]
                        )
                        cell[step.now] |= step.conns


def telling(pairs: Pairs) -> Pairs:
    return {pair: cell for pair, cell in pairs.items() if any(cell.values())}


def two_clusters(seed: int) -> tuple[Cluster, Cluster]:
    """Return a cluster and another, or itself with something taken from the other."""
    random = strategies.seeded(seed)
    base = strategies.make_world(random, decided=seed % 3 == 0).cluster
    other = strategies.make_world(random, decided=seed % 3 == 0).cluster
    return base, [other, edited(random, base, other)][seed % 2]


def edited(random: Random, base: Cluster, other: Cluster) -> Cluster:
    every = {**other.namespaces, **base.namespaces}
    match random.randrange(3):
        case 0:
            return replace(base, namespaces=every, policies=other.policies)
        case 1:
            return replace(base, namespaces=every, pods=other.pods)
        case _:
            return replace(base, namespaces={**base.namespaces, **other.namespaces})


def check(seed: int) -> Difference:
    base, head = map(compile_cluster, two_clusters(seed))
    addresses = some_addresses(strategies.seeded(seed), base, head)
    pairs: Pairs = defaultdict(
        lambda: {Outcome.ALLOW: NOTHING, Outcome.UNDECIDED: NOTHING}
    )
    pairs.update(pairs_of(base, addresses))
    found = difference(base, head)
    for change in found.changes:
        apply(change, pairs, addresses)
    right = telling(pairs_of(head, addresses))
    applied = telling(pairs)
    wrong = [p for p in {**applied, **right} if applied.get(p) != right.get(p)]
    assert not wrong, seed
    return found


def test_a_difference_applied_gives_the_other_matrix() -> None:
    found = [bool(check(seed)) for seed in SHORT_RUN]
    assert sum(found) > len(SHORT_RUN) // 3


@pytest.mark.property
def test_a_difference_applied_gives_the_other_matrix_in_many_worlds() -> None:
    for seed in LONG_RUN:
        check(seed)


def test_a_cluster_does_not_differ_from_itself() -> None:
    for seed in SHORT_RUN:
        cluster = strategies.make_world(strategies.seeded(seed)).cluster
        same = difference(compile_cluster(cluster), compile_cluster(cluster))
        assert not same, seed
        assert same.changed == 0


def test_the_way_back_takes_what_the_way_there_gave() -> None:
    for seed in SHORT_RUN:
        base, head = map(compile_cluster, two_clusters(seed))
        there, back = difference(base, head), difference(head, base)
        assert there.changed == back.changed
        assert there.of == back.of
