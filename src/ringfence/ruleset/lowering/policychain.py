"""One policy-set as the chain that decides for its pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product

from ringfence.engine.compiled import CompiledRule, PeerSelector, PolicySet
from ringfence.model.flow import PORT_PROTOCOLS, Direction, Protocol
from ringfence.model.netpol import IPBlock, PolicyPort
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import (
    Chain,
    Count,
    FamilyIs,
    Field,
    Final,
    Hook,
    Limit,
    Log,
    Lookup,
    Match,
    NftRule,
    NotOpening,
    PortIs,
    ProtocolIs,
    State,
    StateIs,
)
from ringfence.ruleset.naming import (
    BlocksId,
    ChainId,
    ContestedId,
    Denier,
    LogKind,
    NamedPortsId,
    PodPeersId,
    PolicyId,
    PolicySetId,
    PortsId,
    Register,
    SetId,
    allow_counter,
    chain_name,
    cut_counter,
    deny_counter,
    log_prefix,
    set_name,
    would_counter,
)
from ringfence.sets.cidr import carve, everything
from ringfence.sets.interval import Interval, Intervals, union

EVERY_PORT = Interval(0, 65535)

LOG_LIMIT = Limit(per_second=10, burst=20)
"""Enough to see every denied flow of a person at work, too little to fill a disk."""

LOG_GROUP = 100
LOG_BYTES = 64
"""IPv6 header, and the ports and sequence numbers behind it."""

SOURCES = {4: Field.SOURCE4, 6: Field.SOURCE6}
DESTINATIONS = {4: Field.DESTINATION4, 6: Field.DESTINATION6}

PEER_FIELDS = {Direction.INGRESS: SOURCES, Direction.EGRESS: DESTINATIONS}
"""Where a packet carries the peer's address."""

SUBJECT_FIELDS = {Direction.INGRESS: DESTINATIONS, Direction.EGRESS: SOURCES}
"""Where a packet carries the isolated pod's address."""

COMMENT_LIMIT = 120
"""nftables keeps 128 bytes of a comment (NFTNL_UDATA_COMMENT_MAXLEN)."""


def policy_set_id(policy_set: PolicySet) -> PolicySetId:
    """Return what a policy-set's names stand for."""
    return PolicySetId(policy_set.direction, policy_set.policies)


def policy_chain(
    policy_set: PolicySet,
    families: Iterable[int],
    register: Register,
    enforcement: Enforcement = ENFORCE,
) -> Chain:
    """Return a policy-set's chain: what its rules allow, then the denial.

    The rules depend on the policies, the families and the enforcement only, never
    on which pods exist: pods come and go as elements of sets.
    """
    of = policy_set_id(policy_set)
    name = register.enter(chain_name(of), of)
    comment = comment_of(", ".join(map(str, policy_set.policies)))
    for rule in policy_set.rules:
        if rule.peers is None and rule.ports is None:
            return Chain(name, (_allow(rule, (), register),), comment=comment)
    allows = [
        _allow(rule, matches, register)
        for rule in policy_set.rules
        for matches in _alternatives(rule, families, register)
    ]
    tail = _denial(of, register, enforcement)
    return Chain(name, (*allows, *tail), comment=comment)


def contested_chain(of: ContestedId, register: Register) -> Chain:
    """Return the chain for addresses whose claimants are isolated differently."""
    name = register.enter(chain_name(of), of)
    rules = _staged(of, register) if of.audited else denied(of, register)
    return Chain(name, rules, comment="addresses with several owners")


def comment_of(text: str) -> str:
    """Return a text as nft can keep it: printable ASCII without quotes, cut."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    plain = plain.replace('"', "'").replace("\\", "/")
    return plain if len(plain) <= COMMENT_LIMIT else plain[: COMMENT_LIMIT - 3] + "..."


def _allow(
    rule: CompiledRule, matches: tuple[Match, ...], register: Register
) -> NftRule:
    of = PolicyId(rule.direction, rule.policy)
    counter = register.enter(allow_counter(of), of)
    comment = f"{rule.direction.value.lower()}[{rule.index}]"
    return NftRule(matches, (Count(counter), Final.ACCEPT), comment)


def _denial(
    of: PolicySetId, register: Register, enforcement: Enforcement
) -> tuple[NftRule, ...]:
    """Return the tail: cut what was allowed once, then count, log and drop."""
    # A policy-set's policies stand in the namespace of the pods that they isolate.
    if enforcement.audits(of.policies[0].namespace):
        return _staged(of, register)
    if enforcement.hook is not Hook.FORWARD:
        return denied(of, register)  # the kernel takes `reject` on forward only
    counter = register.enter(cut_counter(of), of)
    cut = NftRule(
        (NotOpening(), StateIs((State.INVALID, State.NEW))),
        (Count(counter), Final.RESET),
        "mid-stream: a flow that was cut",
    )
    return (cut, *denied(of, register))


def _staged(of: ChainId, register: Register) -> tuple[NftRule, ...]:
    """Return the tail that only tells what would be dropped."""
    counter = register.enter(would_counter(of), of)
    prefix = register.enter(log_prefix(of, LogKind.STAGED), of)
    return _tail((), counter, prefix, Final.ACCEPT)


def denied(
    of: Denier, register: Register, matches: tuple[Match, ...] = ()
) -> tuple[NftRule, ...]:
    """Return the rules that count, log and drop what matches."""
    counter = register.enter(deny_counter(of), of)
    prefix = register.enter(log_prefix(of), of)
    return _tail(matches, counter, prefix, Final.DROP)


def _tail(
    matches: tuple[Match, ...], counter: str, prefix: str, verdict: Final
) -> tuple[NftRule, ...]:
    return (
        NftRule(matches, (Count(counter),)),
        # A limit ends its rule, so the verdict has to be a rule of its own.
        NftRule(matches, (LOG_LIMIT, Log(prefix, LOG_GROUP, LOG_BYTES))),
        NftRule(matches, (verdict,)),
    )


def _alternatives(
    rule: CompiledRule, families: Iterable[int], register: Register
) -> Iterator[tuple[Match, ...]]:
    """Yield what a packet may match: at most 2 peer x 2 port forms a family.

    Many peers or ports do not make more rules: pods, blocks, numbers and names
    of one policy rule are one set each.
    """
    numbers = _numbers(rule.ports, register)
    if rule.peers is None:
        yield from numbers
        for version in families:
            yield from _names(rule, version, register)
        return
    for version in families:
        ports = [*numbers, *_names(rule, version, register)]
        for peer, port in product(_peers(rule, version, register), ports):
            yield (*peer, *port)


def _peers(
    rule: CompiledRule, version: int, register: Register
) -> Iterator[tuple[Match, ...]]:
    targets = [peer.target for peer in rule.peers or ()]
    field = PEER_FIELDS[rule.direction][version]
    selectors = {target for target in targets if isinstance(target, PeerSelector)}
    if selectors:
        yield (_lookup((field,), pod_peers_id(selectors, version), register),)
    blocks = {target for target in targets if isinstance(target, IPBlock)}
    of = blocks_id(blocks, version)
    covered = block_ranges(of)
    if covered == (everything(version),):
        yield (FamilyIs(version),)
    elif covered:
        yield (_lookup((field,), of, register),)


def _lookup(fields: tuple[Field, ...], of: SetId, register: Register) -> Lookup:
    return Lookup(fields, register.enter(set_name(of), of))


def pod_peers_id(selectors: Iterable[PeerSelector], version: int) -> PodPeersId:
    """Return the identity of the set of pods that any selector selects."""
    return PodPeersId(version, tuple(sorted(set(selectors), key=str)))


def blocks_id(blocks: Iterable[IPBlock], version: int) -> BlocksId:
    """Return the identity of the set of addresses in any block of one family."""
    same = {
        IPBlock(block.cidr, tuple(sorted(set(block.except_), key=str)))
        for block in blocks
        if block.cidr.version == version
    }
    return BlocksId(version, tuple(sorted(same, key=str)))


def block_ranges(of: BlocksId) -> Intervals:
    """Return the addresses in any of the blocks, each without its own excepts."""
    return union(
        part for block in of.blocks for part in carve(block.cidr, block.except_)
    )


def _numbers(
    ports: tuple[PolicyPort, ...] | None, register: Register
) -> list[tuple[Match, ...]]:
    if ports is None:
        return [()]
    match ports_id(ports).ports:
        case ():
            return []
        case ((protocol, interval),) if interval == EVERY_PORT:
            return [(ProtocolIs(protocol),)]
        case ((protocol, interval),):
            return [(PortIs(protocol, interval),)]
        case several:
            fields = (Field.PROTOCOL, Field.PORT)
            return [(_lookup(fields, PortsId(several), register),)]


def ports_id(ports: Iterable[PolicyPort]) -> PortsId:
    """Return the numbers and ranges of a rule's ports, merged; names left out."""
    found: dict[Protocol, list[Interval]] = defaultdict(list)
    for entry in ports:
        if entry.port is None:
            found[entry.protocol].append(EVERY_PORT)
        elif isinstance(entry.port, int):
            last = entry.end_port or entry.port
            found[entry.protocol].append(Interval(entry.port, last))
    return PortsId(
        tuple(
            (protocol, interval)
            for protocol in PORT_PROTOCOLS
            for interval in union(found[protocol])
        )
    )


def _names(
    rule: CompiledRule, version: int, register: Register
) -> list[tuple[Match, ...]]:
    names = {
        (entry.port, entry.protocol)
        for entry in rule.ports or ()
        if isinstance(entry.port, str)
    }
    if not names:
        return []
    ordered = tuple(sorted(names, key=lambda pair: (pair[0], pair[1].value)))
    of = NamedPortsId(rule.direction, version, ordered)
    fields = (DESTINATIONS[version], Field.PROTOCOL, Field.PORT)
    return [(_lookup(fields, of, register),)]
