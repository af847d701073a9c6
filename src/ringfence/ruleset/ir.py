"""A typed nftables table: every expression a value, nothing built from strings.

Only what this product's rulesets use (nft(8)); ``render`` writes it as text,
``interpret`` walks packets through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from ringfence.model.flow import Protocol
from ringfence.ruleset.naming import Identity
from ringfence.sets.interval import Interval

PROTOCOL_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}
"""Assigned Internet Protocol Numbers (IANA)."""

Row: TypeAlias = tuple[int, ...]
"""One element of a set: an integer for each part of its key."""

Box: TypeAlias = tuple[Interval, ...]
"""One element of an interval set: an interval for each part of its key."""


class Datatype(Enum):
    """The nft data types that set keys are made of; all are integers inside."""

    IPV4 = "ipv4_addr"
    IPV6 = "ipv6_addr"
    PROTOCOL = "inet_proto"
    PORT = "inet_service"
    ICMPV6 = "icmpv6_type"


class Field(Enum):
    """A packet's field as nft names it."""

    SOURCE4 = "ip saddr"
    DESTINATION4 = "ip daddr"
    SOURCE6 = "ip6 saddr"
    DESTINATION6 = "ip6 daddr"
    PROTOCOL = "meta l4proto"
    PORT = "th dport"
    SOURCE_PORT = "th sport"
    ICMPV6 = "icmpv6 type"


class State(Enum):
    """Conntrack's word on a packet, in the order in which nft lists them."""

    INVALID = "invalid"
    ESTABLISHED = "established"
    RELATED = "related"
    NEW = "new"


class Hook(Enum):
    """Where a base chain meets packets (nft(8), "ADDRESS FAMILIES")."""

    FORWARD = "forward"
    POSTROUTING = "postrouting"


class Lookup(NamedTuple):
    """The fields, concatenated, are an element of the set; ``absent``: are none."""

    fields: tuple[Field, ...]
    set: str
    absent: bool = False


class StateIs(NamedTuple):
    """The packet's conntrack state is one of these."""

    states: tuple[State, ...]


class FamilyIs(NamedTuple):
    """The packet is of this IP version, 4 or 6."""

    version: int


class ProtocolIs(NamedTuple):
    """The packet's transport protocol is this one; its ports do not matter."""

    protocol: Protocol


class PortIs(NamedTuple):
    """The transport protocol is this one and its destination port in the interval."""

    protocol: Protocol
    ports: Interval


class NotOpening(NamedTuple):
    """A TCP segment that does not open a connection: not SYN alone."""


class FromThisNode(NamedTuple):
    """The source is an address of the node itself (``fib saddr type local``)."""


class Foreign(NamedTuple):
    """What a kernel's rule does that no rule of ours does: never encoded or walked.

    A rule read back with something foreign in it holds this and nothing else, so that
    it differs from every rule that is wanted. ``expressions`` is for people.
    """

    expressions: str


Match: TypeAlias = (
    Lookup
    | StateIs
    | FamilyIs
    | ProtocolIs
    | PortIs
    | NotOpening
    | FromThisNode
    | Foreign
)


class Count(NamedTuple):
    """Count the packet in a named counter."""

    counter: str


class Limit(NamedTuple):
    """Stop here when packets come faster; the rule's later statements are skipped."""

    per_second: int
    burst: int


class Log(NamedTuple):
    """Copy the first ``snaplen`` bytes to an nflog group; the prefix <= 127 bytes."""

    prefix: str
    group: int
    snaplen: int


class Dispatch(NamedTuple):
    """Go where the verdict map sends the field's value; absent: the next rule."""

    field: Field
    map: str


class Final(Enum):
    """A verdict that ends the walk through one base chain."""

    ACCEPT = "accept"
    DROP = "drop"
    RESET = "reject with tcp reset"


Statement: TypeAlias = Count | Limit | Log | Dispatch | Final


@dataclass(frozen=True, slots=True)
class NftRule:
    """All matches hold, then the statements happen, in order.

    ``comment``: at most 128 bytes, ASCII.
    """

    matches: tuple[Match, ...]
    statements: tuple[Statement, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class HashSet:
    """A named set of exact values."""

    name: str
    key: tuple[Datatype, ...]
    elements: frozenset[Row]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class IntervalSet:
    """A named set of disjoint ranges, ascending."""

    name: str
    key: tuple[Datatype, ...]
    elements: tuple[Box, ...]
    comment: str = ""


NftSet: TypeAlias = HashSet | IntervalSet


@dataclass(frozen=True, slots=True)
class VerdictMap:
    """Values of one field and the chain that each is sent to (``goto``)."""

    name: str
    key: Datatype
    elements: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order.

    ``priority`` set: a base chain on the hook, at filter + priority, policy accept;
    None: a chain that only a verdict map reaches.
    """

    name: str
    rules: tuple[NftRule, ...]
    priority: int | None = None
    comment: str = ""
    hook: Hook = Hook.FORWARD


@dataclass(frozen=True, slots=True)
class Table:
    """``table inet <name>``; chains, sets, maps and counters each have unique names.

    ``index`` says what the names stand for, the log prefixes too. ``foreign`` names
    what somebody else put into a kernel's table, besides rules.
    """

    name: str
    comment: str
    sets: tuple[NftSet, ...]
    maps: tuple[VerdictMap, ...]
    counters: tuple[str, ...]
    chains: tuple[Chain, ...]
    index: Mapping[str, Identity]
    foreign: tuple[str, ...] = ()
