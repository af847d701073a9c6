"""Compiled policies to the table of one node: what its own pods may send and take.

Dispatch maps send each isolated local pod, by its address, to the chain of its
policy-set; the sets and counters are those that the chains use, and no others.
docs/ruleset.md shows the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import Compiled
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.ruleset.arrange import arranged
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import Chain, NftSet, Table, VerdictMap
from ringfence.ruleset.lowering.basechains import (
    ADDRESSES,
    HOOKS,
    Ground,
    base_chains,
    constant_sets,
    map_name,
)
from ringfence.ruleset.lowering.elements import Facts, isolating, listed_set, pod_set
from ringfence.ruleset.lowering.omissions import Omission, Scope, omissions
from ringfence.ruleset.lowering.owners import Claims, claims_of, is_local, live_pods
from ringfence.ruleset.lowering.policychain import contested_chain, policy_chain
from ringfence.ruleset.naming import (
    BlocksId,
    ChainId,
    ContestedId,
    Identity,
    NamedPortsId,
    PodPeersId,
    PortsId,
    Register,
    chain_name,
    is_counter,
)

TABLE_NAME = "ringfence"
TABLE_COMMENT = "owner=ringfence schema=1"

Verdicts: TypeAlias = dict[tuple[Direction, int], dict[int, ChainId]]
"""Per direction and IP version, the chain of each local address that has one."""


class Lowered(NamedTuple):
    """A node's table, and what it had to leave out; empty: nothing."""

    table: Table
    omissions: tuple[Omission, ...]


def lower(
    compiled: Compiled,
    node: str,
    *,
    local: frozenset[ObjectKey] | None = None,
    enforcement: Enforcement = ENFORCE,
    claims: Claims | None = None,
) -> Lowered:
    """Return the table that isolates a node's pods.

    ``local`` are the node's pods, by default those that say ``node``; ``claims``
    those of ``State``, by default made anew. Equal input gives an equal table; what
    one policy adds leaves the other names alone.
    """
    scope = scope_of(compiled, node, local)
    claims = claims_of(compiled.cluster) if claims is None else claims
    contested = {address for address, of in claims.items() if len(of) > 1}
    isolated = {pod: isolating(compiled, pod) for pod in scope.pods}
    facts = Facts(compiled, claims, contested, isolated, enforcement)
    ground = Ground(compiled.families, enforcement)
    verdicts = _dispatch(facts)
    register = Register()
    base = base_chains(ground, register)
    chains = [*base, *_chains(scope, verdicts, ground, register)]
    table = Table(
        TABLE_NAME,
        TABLE_COMMENT,
        tuple(_sets(facts, ground, register.index)),
        tuple(_maps(verdicts)),
        tuple(filter(is_counter, register.index)),
        tuple(chains),
        register.index,
    )
    left_out = omissions(compiled, claims, scope, register.index.values())
    return Lowered(arranged(table), left_out)


def scope_of(
    compiled: Compiled, node: str, local: frozenset[ObjectKey] | None = None
) -> Scope:
    """Return the part of a cluster that a node's table is about."""
    pods = sorted(
        pod.key
        for pod in live_pods(compiled.cluster)
        if (is_local(pod, node) if local is None else pod.key in local)
    )
    policy_sets = {
        (direction, policy_set.policies): policy_set
        for pod in pods
        for direction in HOOKS
        if (policy_set := compiled.policy_set(direction, pod))
    }
    return Scope(tuple(pods), tuple(policy_sets.values()), local is None)


def _dispatch(facts: Facts) -> Verdicts:
    """Return the local addresses that have a chain, by direction and family."""
    verdicts: Verdicts = {}
    for direction, version in product(HOOKS, facts.compiled.families):
        verdicts[direction, version] = {
            int(address): of
            for pod in facts.local
            for address in facts.addresses(pod, version)
            if (of := facts.chain_of(direction, address)) is not None
        }
    return verdicts


def _chains(
    scope: Scope, verdicts: Verdicts, ground: Ground, register: Register
) -> Iterator[Chain]:
    for policy_set in scope.policy_sets:
        yield policy_chain(policy_set, ground.families, register, ground.enforcement)
    reached = {of for of_family in verdicts.values() for of in of_family.values()}
    for of in reached:
        if isinstance(of, ContestedId):
            yield contested_chain(of, register)


def _maps(verdicts: Verdicts) -> Iterator[VerdictMap]:
    reached = {of for of_family in verdicts.values() for of in of_family.values()}
    names = {of: chain_name(of) for of in reached}
    for (direction, version), of_family in verdicts.items():
        elements = {address: names[of] for address, of in of_family.items()}
        yield VerdictMap(map_name(direction, version), ADDRESSES[version], elements)


def _sets(
    facts: Facts, ground: Ground, index: Mapping[str, Identity]
) -> Iterator[NftSet]:
    yield from constant_sets(ground)
    for own in ground.own_sets():
        yield pod_set(own.name, own, facts.content(own))
    for name, of in index.items():
        match of:
            case PodPeersId() | NamedPortsId():
                yield pod_set(name, of, facts.content(of))
            case BlocksId() | PortsId():
                yield listed_set(name, of)
            case _:
                pass  # chains, counters and prefixes
