"""Compiled policies to the table of one node: what its own pods may send and take.

Dispatch maps send each isolated local pod, by its address, to the chain of its
policy-set; the sets and counters are those that the chains use, and no others.
docs/ruleset.md shows the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import Compiled
from ringfence.engine.state_changes import Claimant
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.ruleset.ir import (
    PROTOCOL_NUMBERS,
    Chain,
    Count,
    Datatype,
    Dispatch,
    Field,
    Final,
    HashSet,
    IntervalSet,
    Lookup,
    NftRule,
    NftSet,
    State,
    StateIs,
    Table,
    VerdictMap,
)
from ringfence.ruleset.naming import (
    DIRECTION_WORDS,
    BlocksId,
    ChainId,
    ContestedId,
    Identity,
    NamedPortsId,
    PodPeersId,
    PortsId,
    Register,
    chain_name,
)
from ringfence.ruleset.omissions import Omission, Scope, omissions
from ringfence.ruleset.owners import (
    Owners,
    live_pods,
    owners,
)
from ringfence.ruleset.policychain import (
    DESTINATIONS,
    SOURCES,
    SUBJECT_FIELDS,
    block_ranges,
    comment_of,
    contested_chain,
    policy_chain,
    policy_set_id,
)
from ringfence.sets.interval import Interval

TABLE_NAME = "ringfence"
TABLE_COMMENT = "owner=ringfence schema=1"

HOOKS = {Direction.EGRESS: ("egress", -5), Direction.INGRESS: ("ingress", -4)}
"""Base chains: an accept ends only its own, so both directions have their say."""

ADDRESSES = {4: Datatype.IPV4, 6: Datatype.IPV6}

DISCOVERY_SET = "nd"
DISCOVERY_TYPES = (130, 131, 132, 133, 134, 135, 136, 137, 143)
"""Multicast listener messages (RFC 2710, RFC 3810) and neighbour discovery
(RFC 4861): without them an isolated pod could not find its own gateway."""


Verdicts: TypeAlias = dict[tuple[Direction, int], dict[int, ChainId]]
"""Per direction and IP version, the chain of each local address that has one."""


class Lowered(NamedTuple):
    """A node's table, and what it had to leave out; empty: nothing."""

    table: Table
    omissions: tuple[Omission, ...]


def lower(
    compiled: Compiled, node: str, *, local: frozenset[ObjectKey] | None = None
) -> Lowered:
    """Return the table that isolates a node's pods.

    ``local`` are the node's pods, by default those that say ``node``. Equal input
    gives an equal table; what one policy adds leaves the other names alone.
    """
    scope = _scope(compiled, node, local)
    claims = owners(compiled)
    register = Register()
    verdicts = _dispatch(compiled, claims, scope.pods)
    chains = _chains(compiled, scope, verdicts, register)
    base = [_base_chain(direction, compiled.families) for direction in HOOKS]
    table = Table(
        TABLE_NAME,
        TABLE_COMMENT,
        tuple(_sets(compiled, claims, scope, register.index)),
        tuple(_maps(verdicts, compiled.families)),
        _counters(chains),
        (*base, *chains),
        register.index,
    )
    return Lowered(table, omissions(compiled, claims, scope, register.index.values()))


def _scope(compiled: Compiled, node: str, local: frozenset[ObjectKey] | None) -> Scope:
    pods = sorted(
        pod.key
        for pod in live_pods(compiled.cluster)
        if (pod.node == node if local is None else pod.key in local)
    )
    policy_sets = {
        policy_set_id(policy_set): policy_set
        for pod in pods
        for direction in HOOKS
        if (policy_set := compiled.policy_set(direction, pod))
    }
    order = sorted(policy_sets, key=chain_name)
    return Scope(tuple(pods), tuple(policy_sets[of] for of in order), local is None)


def _dispatch(
    compiled: Compiled, claims: Owners, pods: Iterable[ObjectKey]
) -> Verdicts:
    """Return the local addresses that have a chain, by direction and family."""
    verdicts: Verdicts = {
        (direction, version): {} for direction in HOOKS for version in compiled.families
    }
    for (direction, version), of_family in verdicts.items():
        for pod in pods:
            for address in claims.addresses(pod, version):
                of = _isolation(compiled, direction, claims.claims[address])
                if of is not None:
                    of_family[int(address)] = of
    return verdicts


def _isolation(
    compiled: Compiled, direction: Direction, claimants: Iterable[Claimant]
) -> ChainId | None:
    """Return the chain that an address goes to, None where it is not isolated.

    Claimants that are not isolated alike: either may be meant, so the address
    is cut off.
    """
    found = {
        policy_set_id(policy_set) if policy_set else None
        for policy_set in (
            compiled.policy_set(direction, claimant) if claimant else None
            for claimant in claimants
        )
    }
    return found.pop() if len(found) == 1 else ContestedId(direction)


def _chains(
    compiled: Compiled, scope: Scope, verdicts: Verdicts, register: Register
) -> list[Chain]:
    chains = [
        policy_chain(policy_set, compiled.families, register)
        for policy_set in scope.policy_sets
    ]
    reached = {of for of_family in verdicts.values() for of in of_family.values()}
    return chains + [
        contested_chain(direction, register)
        for direction in HOOKS
        if ContestedId(direction) in reached
    ]


def _base_chain(direction: Direction, families: Iterable[int]) -> Chain:
    name, priority = HOOKS[direction]
    rules = [
        NftRule((StateIs((State.ESTABLISHED, State.RELATED)),), (Final.ACCEPT,)),
    ]
    if 6 in families:  # noqa: PLR2004 - IP version
        discovery = Lookup((Field.ICMPV6,), DISCOVERY_SET)
        rules.append(NftRule((discovery,), (Final.ACCEPT,)))
    for version in families:
        own = Lookup((SOURCES[version], DESTINATIONS[version]), f"self{version}")
        rules.append(NftRule((own,), (Final.ACCEPT,)))
    for version in families:
        field = SUBJECT_FIELDS[direction][version]
        rules.append(NftRule((), (Dispatch(field, map_name(direction, version)),)))
    return Chain(name, tuple(rules), priority)


def map_name(direction: Direction, version: int) -> str:
    """Return the dispatch map of one direction and family."""
    return f"{DIRECTION_WORDS[direction]}{version}"


def _maps(verdicts: Verdicts, families: Iterable[int]) -> Iterator[VerdictMap]:
    reached = {of for of_family in verdicts.values() for of in of_family.values()}
    names = {of: chain_name(of) for of in reached}
    for direction, version in product(HOOKS, families):
        elements = {
            address: names[of] for address, of in verdicts[direction, version].items()
        }
        yield VerdictMap(map_name(direction, version), ADDRESSES[version], elements)


def _counters(chains: Iterable[Chain]) -> tuple[str, ...]:
    found = {
        statement.counter
        for chain in chains
        for rule in chain.rules
        for statement in rule.statements
        if isinstance(statement, Count)
    }
    return tuple(sorted(found))


def _sets(
    compiled: Compiled, claims: Owners, scope: Scope, index: Mapping[str, Identity]
) -> Iterator[NftSet]:
    isolated = scope.isolated(compiled)
    if 6 in compiled.families:  # noqa: PLR2004 - IP version
        types = frozenset((number,) for number in DISCOVERY_TYPES)
        yield HashSet(DISCOVERY_SET, (Datatype.ICMPV6,), types)
    for version in compiled.families:
        rows = claims.self_rows(isolated, version)
        yield HashSet(f"self{version}", (ADDRESSES[version],) * 2, rows)
    for name in sorted(index):
        match index[name]:
            case PodPeersId() as of:
                yield _peer_set(compiled, claims, name, of)
            case NamedPortsId() as of:
                yield _named_port_set(compiled, claims, isolated, name, of)
            case BlocksId() as of:
                boxes = tuple((part,) for part in block_ranges(of))
                key = (ADDRESSES[of.version],)
                yield IntervalSet(name, key, boxes, comment_of(str(of)))
            case PortsId() as of:
                yield _port_set(name, of)
            case _:
                pass  # chains, counters and prefixes


def _peer_set(compiled: Compiled, claims: Owners, name: str, of: PodPeersId) -> HashSet:
    certain = (compiled.members[selector].certain for selector in of.selectors)
    rows = claims.peer_rows(frozenset().union(*certain), of.version)
    return HashSet(name, (ADDRESSES[of.version],), rows, comment_of(str(of)))


def _named_port_set(
    compiled: Compiled,
    claims: Owners,
    isolated: Iterable[ObjectKey],
    name: str,
    of: NamedPortsId,
) -> HashSet:
    everyone = (pod.key for pod in live_pods(compiled.cluster))
    pods = isolated if of.direction is Direction.INGRESS else everyone
    rows = claims.port_rows(pods, of.names, of.version)
    key = (ADDRESSES[of.version], Datatype.PROTOCOL, Datatype.PORT)
    return HashSet(name, key, rows, comment_of(str(of)))


def _port_set(name: str, of: PortsId) -> NftSet:
    boxes = tuple(
        (Interval(number, number), ports)
        for protocol, ports in of.ports
        for number in (PROTOCOL_NUMBERS[protocol],)
    )
    key = (Datatype.PROTOCOL, Datatype.PORT)
    if all(ports.low == ports.high for _, ports in boxes):
        rows = frozenset((protocol.low, ports.low) for protocol, ports in boxes)
        return HashSet(name, key, rows, comment_of(str(of)))
    return IntervalSet(name, key, boxes, comment_of(str(of)))
