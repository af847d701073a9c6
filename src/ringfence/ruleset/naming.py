"""Names of chains, sets, counters and log prefixes, and the way back.

A name depends on nothing but what it stands for: another policy never renames
it. It is the identity's text with every character that an nft identifier cannot
hold written as a word (``role=client`` is ``role_is_client``), so it can be read
back; where that grows too long, it is cut and ends in a digest instead.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import PeerSelector
from ringfence.errors import RingfenceBug
from ringfence.model.flow import Direction, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock
from ringfence.sets.interval import Interval

LABEL_LIMIT = 112
"""Longest escaped text. With the log prefix's head it stays within the 127 bytes
of the kernel's NF_LOG_PREFIXLEN, with a name's head within NFT_NAME_MAXLEN (256)."""

DIGEST_LENGTH = 20
"""Base32 digits, 100 bits: nobody finds two policies whose names collide."""

WORDS = {
    "_": "__",
    "=": "_is_",
    " in (": "_in_",
    " notin (": "_notin_",
    ")": "_end_",
    ",": "_and_",
    "!": "_not_",
    "<everything>": "_all_",
    "+": "_plus_",
    "|": "_or_",
    ":": "_c_",
    " except ": "_except_",
}
"""Escapes; any other character becomes ``_x<hex>_``. An escape is ``__`` or a
word between two underscores, so the text can be read back from left to right."""

TEXTS = {word: text for text, word in WORDS.items()}

_WORDS = "|".join(re.escape(text) for text in sorted(WORDS, key=len, reverse=True))
_PIECE = re.compile(_WORDS + r"|[A-Za-z0-9.\-/]|.", re.DOTALL)
_ESCAPED = re.compile(_WORDS + r"|[^A-Za-z0-9.\-/]")
_ESCAPE = re.compile(r"__|_[a-z0-9]+_|[A-Za-z0-9.\-/]")
_DIGEST = re.compile(rf"_h[a-z2-7]{{{DIGEST_LENGTH}}}$")
_PLAIN = re.compile(r"[A-Za-z0-9.\-/]")
_PREFIX = re.compile(r"rf:([DSA]):(in|out):(.+)", re.DOTALL)

DIRECTION_WORDS = {Direction.INGRESS: "in", Direction.EGRESS: "out"}
DIRECTIONS = {word: direction for direction, word in DIRECTION_WORDS.items()}

COUNTER_HEADS = frozenset({"allow", "deny", "cut", "would"})
"""How the names of counters begin, and no other names."""


class LogKind(Enum):
    """What a logged packet met, as the letter in its log prefix."""

    DENIED = "D"
    STAGED = "S"
    SAMPLED = "A"


@dataclass(frozen=True, slots=True)
class PolicySetId:
    """The policies that together isolate some pods for one direction; sorted."""

    direction: Direction
    policies: tuple[ObjectKey, ...]

    def __str__(self) -> str:
        """Render as ``namespace/first+second``: policies of a set share it."""
        names = "+".join(policy.name for policy in self.policies)
        return f"{self.policies[0].namespace}/{names}"


@dataclass(frozen=True, slots=True)
class PolicyId:
    """One policy's rules of one direction."""

    direction: Direction
    policy: ObjectKey

    def __str__(self) -> str:
        """Render as ``namespace/name``."""
        return str(self.policy)


@dataclass(frozen=True, slots=True)
class PodPeersId:
    """Pods' addresses of one family that any of these peers selects; sorted."""

    version: int
    selectors: tuple[PeerSelector, ...]

    def __str__(self) -> str:
        """Render each as ``namespace/pods`` or ``ns:namespaces:pods``."""
        return "|".join(
            f"{peer.namespace}/{peer.pod_selector}"
            if peer.namespace_selector is None
            else f"ns:{peer.namespace_selector}:{peer.pod_selector}"
            for peer in self.selectors
        )


@dataclass(frozen=True, slots=True)
class BlocksId:
    """The addresses of one family in any of these blocks; sorted, distinct."""

    version: int
    blocks: tuple[IPBlock, ...]

    def __str__(self) -> str:
        """Render as the blocks are written, with their excepts."""
        return "|".join(
            str(block.cidr)
            + (f" except {','.join(map(str, block.except_))}" if block.except_ else "")
            for block in self.blocks
        )


@dataclass(frozen=True, slots=True)
class NamedPortsId:
    """What these port names mean at each destination of one family; sorted.

    Ingress: at the node's own isolated pods. Egress: at every pod.
    """

    direction: Direction
    version: int
    names: tuple[tuple[str, Protocol], ...]

    def __str__(self) -> str:
        """Render as ``tcp/name`` each."""
        return ",".join(f"{proto.value.lower()}/{name}" for name, proto in self.names)


@dataclass(frozen=True, slots=True)
class PortsId:
    """Port numbers by protocol; canonical, so equal sets share one name."""

    ports: tuple[tuple[Protocol, Interval], ...]

    def __str__(self) -> str:
        """Render as ``tcp/80`` or ``udp/100-200`` each."""
        return ",".join(
            f"{protocol.value.lower()}/{low}" + (f"-{high}" if high > low else "")
            for protocol, (low, high) in self.ports
        )


@dataclass(frozen=True, slots=True)
class ContestedId:
    """Addresses that several live objects claim, whose isolation differs.

    ``audited``: all of the claimants are in namespaces whose denials pass.
    """

    direction: Direction
    audited: bool = False

    def __str__(self) -> str:
        """Render as ``contested``: no policy-set's text lacks a namespace."""
        return "contested-audited" if self.audited else "contested"


@dataclass(frozen=True, slots=True)
class UnknownId:
    """Guarded addresses that no live object claims, in one direction."""

    direction: Direction

    def __str__(self) -> str:
        """Render as ``unknown``."""
        return "unknown"


@dataclass(frozen=True, slots=True)
class SampledId:
    """New connections of the node's pods that pass, in one direction."""

    direction: Direction

    def __str__(self) -> str:
        """Render as ``sampled``."""
        return "sampled"


SetId: TypeAlias = PodPeersId | BlocksId | NamedPortsId | PortsId
ChainId: TypeAlias = PolicySetId | ContestedId
Denier: TypeAlias = ChainId | UnknownId
Identity: TypeAlias = Denier | SampledId | PolicyId | SetId


class Register:
    """The names given out for one table, each for one thing only."""

    def __init__(self) -> None:
        self.index: dict[str, Identity] = {}

    def enter(self, name: str, of: Identity) -> str:
        """Return the name, remembered. Raises RingfenceBug on a collision."""
        known = self.index.setdefault(name, of)
        if known != of:
            raise RingfenceBug(f"{name!r} would name both {known} and {of}")
        return name


def is_counter(name: str) -> bool:
    """Whether a name of a table is that of a counter."""
    return name.partition("/")[0] in COUNTER_HEADS


def chain_name(of: Denier) -> str:
    """Return the chain of a policy-set, or of addresses that none is sure of."""
    return f"{DIRECTION_WORDS[of.direction]}/{label(str(of))}"


def set_name(of: SetId) -> str:
    """Return the set of peers (p4), blocks (b4), named ports (n4) or ports (t)."""
    match of:
        case PodPeersId(version):
            head = f"p{version}"
        case BlocksId(version):
            head = f"b{version}"
        case NamedPortsId(direction, version):
            head = f"n{version}/{DIRECTION_WORDS[direction]}"
        case PortsId():
            head = "t"
    return f"{head}/{label(str(of))}"


def allow_counter(of: PolicyId) -> str:
    """Return the counter of connections that a policy allows in one direction."""
    return f"allow/{DIRECTION_WORDS[of.direction]}/{label(str(of))}"


def deny_counter(of: Denier) -> str:
    """Return the counter of packets that a chain drops."""
    return f"deny/{chain_name(of)}"


def would_counter(of: ChainId) -> str:
    """Return the counter of packets that a chain would drop, were it enforced."""
    return f"would/{chain_name(of)}"


def cut_counter(of: PolicySetId) -> str:
    """Return the counter of mid-stream packets that a policy-set resets."""
    return f"cut/{chain_name(of)}"


def log_prefix(of: Denier | SampledId, what: LogKind = LogKind.DENIED) -> str:
    """Return the nflog prefix of what a chain logs, at most 127 bytes."""
    return f"rf:{what.value}:{DIRECTION_WORDS[of.direction]}:{label(str(of))}"


class Prefix(NamedTuple):
    """What a log prefix says; ``text`` is None where only its digest is left."""

    what: LogKind
    direction: Direction
    text: str | None


def read_prefix(prefix: str) -> Prefix | None:
    """Return what ``log_prefix`` wrote, None for a prefix that it cannot have."""
    found = _PREFIX.fullmatch(prefix)
    if found is None:
        return None
    what, word, name = found.groups()
    try:
        return Prefix(LogKind(what), DIRECTIONS[word], text_of(name))
    except RingfenceBug:
        return None


def label(text: str) -> str:
    """Return a text as part of an nft identifier: escaped, or cut with a digest.

    Injective: an escape is closed by an underscore, the digest's ``_h`` never is,
    and digests of 100 bits do not meet.
    """
    whole = _ESCAPED.sub(lambda found: _escape(found[0]), text)
    if len(whole) <= LABEL_LIMIT:
        return whole
    pieces = (_escape(piece) for piece in _PIECE.findall(text))
    digest = b32encode(sha256(text.encode()).digest()).decode().lower()[:DIGEST_LENGTH]
    tail = f"_h{digest}"
    return _fit(pieces, LABEL_LIMIT - len(tail)) + tail


def _escape(piece: str) -> str:
    if _PLAIN.fullmatch(piece):
        return piece
    return WORDS.get(piece) or f"_x{ord(piece):x}_"


def _fit(pieces: Iterable[str], limit: int) -> str:
    head = ""
    for piece in pieces:
        if len(head) + len(piece) > limit:
            break
        head += piece
    return head


def text_of(name: str) -> str | None:
    """Return the text behind a label, None where only its digest is left.

    Raises RingfenceBug for a text that ``label`` cannot have made.
    """
    pieces = _ESCAPE.findall(name)
    if "".join(pieces) == name:
        return "".join(_unescape(piece) for piece in pieces)
    if _DIGEST.search(name):
        return None
    raise RingfenceBug(f"{name!r} is no label")


def _unescape(piece: str) -> str:
    if len(piece) == 1:
        return piece
    return TEXTS.get(piece) or chr(int(piece[2:-1], 16))
