"""What each set and map says of each address: pure functions of the cluster's facts.

A set only ever holds what is certain (fail closed). An address that several live
objects claim gets what each of them would get: it is in a set only if all of them
belong there. Nothing is known here of what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import Compiled
from ringfence.engine.following.changes import Claimant
from ringfence.model.flow import Direction, IPAddress, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import (
    PROTOCOL_NUMBERS,
    Datatype,
    HashSet,
    IntervalSet,
    NftSet,
    Row,
)
from ringfence.ruleset.lowering.basechains import ADDRESSES, HOOKS, Own, OwnId
from ringfence.ruleset.lowering.owners import Claims
from ringfence.ruleset.lowering.policychain import (
    block_ranges,
    comment_of,
    policy_set_id,
)
from ringfence.ruleset.naming import (
    BlocksId,
    ChainId,
    ContestedId,
    NamedPortsId,
    PodPeersId,
    PolicySetId,
    PortsId,
)
from ringfence.sets.interval import Interval

Tails: TypeAlias = tuple[Row, ...]
"""What stands behind an address in each of its rows of a set, sorted."""

ABSENT: Tails = ()
ALONE: Tails = ((),)
"""The address itself is the whole row."""

Content: TypeAlias = dict[int, Tails]
"""A set's rows by the address that they begin with."""

PodSetId: TypeAlias = PodPeersId | NamedPortsId | OwnId
"""The sets whose rows depend on pods."""

Isolating: TypeAlias = tuple[PolicySetId, ...]
"""What isolates a pod, in the order of ``HOOKS``; empty: nothing does."""


def isolating(compiled: Compiled, pod: ObjectKey) -> Isolating:
    """Return which policy-sets isolate a pod."""
    found = (compiled.policy_set(direction, pod) for direction in HOOKS)
    return tuple(policy_set_id(of) for of in found if of is not None)


class Facts(NamedTuple):
    """All that a node's elements depend on.

    ``local`` are the node's live pods and what isolates them; ``contested`` the
    addresses with several claimants.
    """

    compiled: Compiled
    claims: Claims
    contested: AbstractSet[IPAddress]
    local: Mapping[ObjectKey, Isolating]
    enforcement: Enforcement

    def addresses(self, pod: ObjectKey, version: int) -> Iterator[IPAddress]:
        """Yield a pod's addresses of one IP version."""
        for address in self.compiled.cluster.pods[pod].addresses:
            if address.version == version:
                yield address

    def chain_of(self, direction: Direction, address: IPAddress) -> ChainId | None:
        """Return the chain that an address goes to, None where it goes to none.

        It is some local pod's, else None. Claimants that are not isolated alike:
        either may be meant, so the address is cut off - unless everything that
        may be meant is audited.
        """
        claimants = self.claims.get(address, ())
        if not any(claimant in self.local for claimant in claimants):
            return None
        found = {self._chain_of(direction, claimant) for claimant in claimants}
        if len(found) == 1:
            return found.pop()
        audits = self.enforcement.audits
        audited = all(of is not None and audits(of.namespace) for of in claimants)
        return ContestedId(direction, audited)

    def _chain_of(self, direction: Direction, claimant: Claimant) -> PolicySetId | None:
        policy_set = claimant and self.compiled.policy_set(direction, claimant)
        return policy_set_id(policy_set) if policy_set else None

    def tails(self, of: PodSetId, address: IPAddress) -> Tails:
        """Return the rows of an address in a set."""
        claimants = self.claims.get(address, ())
        if not claimants or address.version != of.version:
            return ABSENT
        match of:
            case PodPeersId():
                held = all(one and self._is_peer(of, one) for one in claimants)
                return ALONE if held else ABSENT
            case NamedPortsId():
                return self._ports(of, claimants)
            case OwnId(Own.SELF):
                return self._selves(address, claimants)
            case OwnId(Own.KNOWN):
                nets = self.enforcement.guarded
                return ALONE if any(address in net for net in nets) else ABSENT
            case OwnId():
                mine = any(claimant in self.local for claimant in claimants)
                return ALONE if mine else ABSENT

    def _is_peer(self, of: PodPeersId, pod: ObjectKey) -> bool:
        members = self.compiled.members
        return any(pod in members[peer].certain for peer in of.selectors)

    def _ports(self, of: NamedPortsId, claimants: tuple[Claimant, ...]) -> Tails:
        if of.direction is Direction.INGRESS and not any(
            claimant is not None and self.local.get(claimant) for claimant in claimants
        ):
            return ABSENT
        common = self._numbers(claimants[0], of.names)
        for claimant in claimants[1:]:
            common &= self._numbers(claimant, of.names)
        return tuple(sorted(common))

    def _numbers(
        self, pod: Claimant, names: tuple[tuple[str, Protocol], ...]
    ) -> frozenset[Row]:
        ports = self.compiled.cluster.pods[pod].ports if pod else ()
        return frozenset(
            (PROTOCOL_NUMBERS[port.protocol], port.number)
            for port in ports or ()
            if (port.name, port.protocol) in names
        )

    def _selves(self, address: IPAddress, claimants: tuple[Claimant, ...]) -> Tails:
        """Return the other ends of an isolated pod's pairs of its own addresses."""
        pod = claimants[0]
        if len(claimants) > 1 or pod is None or not self.local.get(pod):
            return ABSENT
        others = self.addresses(pod, address.version)
        mine = {other for other in others if self.claims[other] == claimants}
        return tuple(sorted((int(other),) for other in mine))

    def content(self, of: PodSetId) -> Content:
        """Return all of a set."""
        if isinstance(of, PodPeersId):
            return self._peers(of)
        found = ((int(one), self.tails(of, one)) for one in self._candidates(of))
        return {address: tails for address, tails in found if tails}

    def _peers(self, of: PodPeersId) -> Content:
        """Return what ``tails`` says of each address, asking only where it matters."""
        pods, contested = self.compiled.cluster.pods, self.contested
        found: Content = {}
        members = (self.compiled.members[peer].certain for peer in of.selectors)
        for pod in frozenset[ObjectKey]().union(*members):
            for address in pods[pod].addresses:
                if address.version == of.version and (
                    not contested or self.tails(of, address)
                ):
                    found[int(address)] = ALONE
        return found

    def _candidates(self, of: NamedPortsId | OwnId) -> Iterable[IPAddress]:
        """Return the addresses that may be in a set."""
        match of:
            case OwnId(Own.KNOWN):
                return self.claims
            case NamedPortsId(Direction.EGRESS, version, names):
                return (
                    address
                    for pod in self.compiled.cluster.pods.values()
                    if any(
                        (port.name, port.protocol) in names for port in pod.ports or ()
                    )
                    for address in self.addresses(pod.key, version)
                )
            case _:
                return (
                    a for pod in self.local for a in self.addresses(pod, of.version)
                )


def pod_set(name: str, of: PodSetId, content: Content) -> HashSet:
    """Return a set as the table holds it."""
    comment = "" if isinstance(of, OwnId) else comment_of(str(of))
    rows: frozenset[Row] = frozenset(
        (address, *tail) for address, tails in content.items() for tail in tails
    )
    return HashSet(name, key_of(of), rows, comment)


def key_of(of: PodSetId) -> tuple[Datatype, ...]:
    """Return the types of a set's rows."""
    address = ADDRESSES[of.version]
    match of:
        case NamedPortsId():
            return (address, Datatype.PROTOCOL, Datatype.PORT)
        case OwnId(Own.SELF):
            return (address, address)
        case _:
            return (address,)


def listed_set(name: str, of: BlocksId | PortsId) -> NftSet:
    """Return a set whose rows depend on what policies say alone."""
    comment = comment_of(str(of))
    if isinstance(of, BlocksId):
        parts = tuple((part,) for part in block_ranges(of))
        return IntervalSet(name, (ADDRESSES[of.version],), parts, comment)
    boxes = tuple(
        (Interval(number, number), ports)
        for protocol, ports in of.ports
        for number in (PROTOCOL_NUMBERS[protocol],)
    )
    key = (Datatype.PROTOCOL, Datatype.PORT)
    if all(ports.low == ports.high for _, ports in boxes):
        rows = frozenset((protocol.low, ports.low) for protocol, ports in boxes)
        return HashSet(name, key, rows, comment)
    return IntervalSet(name, key, boxes, comment)
