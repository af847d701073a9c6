"""The base chains, which every forwarded packet meets, and the sets of their own.

They depend on the IP versions and on what the operator chose, never on policies or
pods, so a running node makes them once and only ever rewrites their rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from ringfence.model.flow import Direction
from ringfence.model.netpol import IPBlock
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import (
    Chain,
    Datatype,
    Dispatch,
    Field,
    Final,
    FromThisNode,
    HashSet,
    Hook,
    IntervalSet,
    Limit,
    Log,
    Lookup,
    NftRule,
    NftSet,
    NotOpening,
    State,
    StateIs,
)
from ringfence.ruleset.lowering.policychain import (
    DESTINATIONS,
    LOG_BYTES,
    LOG_GROUP,
    SOURCES,
    SUBJECT_FIELDS,
    block_ranges,
    blocks_id,
    denied,
)
from ringfence.ruleset.naming import (
    DIRECTION_WORDS,
    LogKind,
    Register,
    SampledId,
    UnknownId,
    chain_name,
    log_prefix,
)

HOOKS = {Direction.EGRESS: ("egress", -5), Direction.INGRESS: ("ingress", -4)}
"""Base chains: an accept ends only its own, so both directions have their say."""

GUARDS = {Direction.EGRESS: -7, Direction.INGRESS: -6}
SAMPLES = ("sampled", -3)

ORIGINS = {Hook.FORWARD: 0, Hook.POSTROUTING: 100}
"""What priorities count from: filter, and srcnat, before which addresses are the
pods' own (linux/netfilter_ipv4.h, NF_IP_PRI_NAT_SRC)."""

ADDRESSES = {4: Datatype.IPV4, 6: Datatype.IPV6}

DISCOVERY_SET = "nd"
DISCOVERY_TYPES = (130, 131, 132, 133, 134, 135, 136, 137, 143)
"""Multicast listener messages (RFC 2710, RFC 3810) and neighbour discovery
(RFC 4861): without them an isolated pod could not find its own gateway."""


CUT_SETS = {4: "cut4", 6: "cut6"}
"""Connections that were cut, by IP version, as their server's packets are."""

CUT_KEYS = {
    version: (address, address, Datatype.PORT, Datatype.PORT)
    for version, address in ADDRESSES.items()
}


class Own(Enum):
    """Sets of addresses that base chains look into."""

    SELF = "self"
    KNOWN = "known"
    LOCAL = "local"


class OwnId(NamedTuple):
    """One of those sets, of one IP version."""

    own: Own
    version: int

    @property
    def name(self) -> str:
        """The set's name."""
        return f"{self.own.value}{self.version}"


class Ground(NamedTuple):
    """What base chains depend on."""

    families: tuple[int, ...]
    enforcement: Enforcement

    @property
    def guarded(self) -> tuple[int, ...]:
        """The IP versions of which some network is guarded.

        Also one that the cluster does not show yet: its first address is unknown.
        """
        return tuple(sorted({net.version for net in self.enforcement.guarded}))

    @property
    def cut(self) -> tuple[int, ...]:
        """The IP versions of which connections are cut."""
        return self.families if self.enforcement.cuts else ()

    def own_sets(self) -> list[OwnId]:
        """List the sets of addresses that the base chains look into."""
        sampled = self.families if self.enforcement.samples else ()
        return [
            *(OwnId(Own.SELF, version) for version in self.families),
            *(OwnId(Own.KNOWN, version) for version in self.guarded),
            *(OwnId(Own.LOCAL, version) for version in sampled),
        ]


def map_name(direction: Direction, version: int) -> str:
    """Return the dispatch map of one direction and family."""
    return f"{DIRECTION_WORDS[direction]}{version}"


def constant_sets(ground: Ground) -> Iterator[NftSet]:
    """Yield the sets of base chains that no pod is in."""
    if 6 in ground.families:  # noqa: PLR2004 - IP version
        types = frozenset((number,) for number in DISCOVERY_TYPES)
        yield HashSet(DISCOVERY_SET, (Datatype.ICMPV6,), types)
    for version in ground.guarded:
        nets = blocks_id(map(IPBlock, ground.enforcement.guarded), version)
        boxes = tuple((part,) for part in block_ranges(nets))
        yield IntervalSet(f"guarded{version}", (ADDRESSES[version],), boxes)
    for version in ground.cut:
        yield HashSet(CUT_SETS[version], CUT_KEYS[version], frozenset())


def base_chains(ground: Ground, register: Register) -> list[Chain]:
    """Return the base chains, in the order in which packets meet them."""
    chains: list[Chain] = []
    if ground.guarded:
        chains += [_guard(of, ground, register) for of in GUARDS]
    chains += [_dispatching(of, ground) for of in HOOKS]
    if ground.enforcement.samples:
        chains.append(_sampling(ground, register))
    return chains


def _chain(name: str, priority: int, rules: Iterable[NftRule], ground: Ground) -> Chain:
    hook = ground.enforcement.hook
    if hook is not Hook.FORWARD:
        # Unlike the forward hook, this one meets what the node itself sends.
        rules = (NftRule((FromThisNode(),), (Final.ACCEPT,)), *rules)
    return Chain(name, tuple(rules), ORIGINS[hook] + priority, hook=hook)


def _dispatching(direction: Direction, ground: Ground) -> Chain:
    name, priority = HOOKS[direction]
    rules = [
        NftRule((StateIs((State.ESTABLISHED, State.RELATED)),), (Final.ACCEPT,)),
    ]
    if direction is Direction.EGRESS:
        rules += [_cut(version, ground) for version in ground.cut]
    if 6 in ground.families:  # noqa: PLR2004 - IP version
        discovery = Lookup((Field.ICMPV6,), DISCOVERY_SET)
        rules.append(NftRule((discovery,), (Final.ACCEPT,)))
    for version in ground.families:
        fields = (SOURCES[version], DESTINATIONS[version])
        own = Lookup(fields, OwnId(Own.SELF, version).name)
        rules.append(NftRule((own,), (Final.ACCEPT,)))
    for version in ground.families:
        field = SUBJECT_FIELDS[direction][version]
        rules.append(NftRule((), (Dispatch(field, map_name(direction, version)),)))
    return _chain(name, priority, rules, ground)


def _cut(version: int, ground: Ground) -> NftRule:
    """Return the rule that keeps a server from taking a cut connection up again.

    To connection tracking, which has forgotten it, the server's packet begins one. Its
    FIN or RST does not, and tells the client.
    """
    # A server's source port is the connection's destination port.
    ends = SOURCES[version], DESTINATIONS[version]
    left = Lookup((*ends, Field.SOURCE_PORT, Field.PORT), CUT_SETS[version])
    # The kernel takes `reject` on forward only.
    forward = ground.enforcement.hook is Hook.FORWARD
    return NftRule(
        (NotOpening(), StateIs((State.NEW,)), left),
        (Final.RESET if forward else Final.DROP,),
        "what is left of a flow that was cut",
    )


def _guard(direction: Direction, ground: Ground, register: Register) -> Chain:
    """Return the chain that drops what unknown addresses send, or are sent.

    Established connections are no exception: their pod is gone, or not there yet.
    """
    of = UnknownId(direction)
    rules: list[NftRule] = []
    for version in ground.guarded:
        field = (SUBJECT_FIELDS[direction][version],)
        inside = Lookup(field, f"guarded{version}")
        unknown = Lookup(field, OwnId(Own.KNOWN, version).name, absent=True)
        rules += denied(of, register, (inside, unknown))
    name = register.enter(chain_name(of), of)
    return _chain(name, GUARDS[direction], rules, ground)


def _sampling(ground: Ground, register: Register) -> Chain:
    """Return the chain that logs new connections: what comes there was allowed."""
    each = ground.enforcement.samples
    opening = StateIs((State.NEW,))
    rules: list[NftRule] = []
    for direction in HOOKS:
        of = SampledId(direction)
        prefix = register.enter(log_prefix(of, LogKind.SAMPLED), of)
        log = Log(prefix, LOG_GROUP, LOG_BYTES)
        for version in ground.families:
            field = (SUBJECT_FIELDS[direction][version],)
            local = Lookup(field, OwnId(Own.LOCAL, version).name)
            rules.append(NftRule((opening, local), (Limit(each, each), log)))
    name, priority = SAMPLES
    return _chain(name, priority, rules, ground)
