"""Which established connections the policies of now would not let begin.

A stateful ruleset passes whatever belongs to a connection, so a change that denies
one has to end it in connection tracking. What is asked is what the node's table asks
of a first packet, address by address: the real destination (who answers) and the
source before any masquerade.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from ringfence.engine.compiled import Compiled, PolicySet
from ringfence.engine.following.changes import Claimant
from ringfence.engine.match import rule_matches
from ringfence.engine.stations import Station
from ringfence.model.flow import Direction, IPAddress, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.observe.tracked import Tracked
from ringfence.ruleset.enforcement import ENFORCE, Enforcement

PROTOCOLS = {
    (6, 4): Protocol.TCP,
    (6, 16): Protocol.TCP,
    (17, 4): Protocol.UDP,
    (17, 16): Protocol.UDP,
    (132, 4): Protocol.SCTP,
    (132, 16): Protocol.SCTP,
    (1, 4): Protocol.ICMP,
    (58, 16): Protocol.ICMP,
}
"""By protocol number (IANA) and bytes of an address; anything else is OTHER."""

Claims: TypeAlias = Mapping[IPAddress, tuple[Claimant, ...]]


class Question(NamedTuple):
    """A first packet: packed addresses, protocol number, destination port."""

    source: bytes
    destination: bytes
    protocol: int
    port: int | None


def question(entry: Tracked) -> Question:
    """Return the first packet of a connection as the node's table saw it."""
    asked, answered = entry.original, entry.reply
    return Question(asked.source, answered.source, entry.protocol, answered.source_port)


@dataclass(frozen=True, slots=True)
class Site:
    """The node whose connections are judged.

    ``local``: its pods, with the addresses that its table guards. ``own``: every
    address of the node itself, packed, bridges' too; what the node talks to its own
    pods never meets the table.
    """

    local: frozenset[ObjectKey]
    own: Collection[bytes] = frozenset()
    enforcement: Enforcement = ENFORCE


_Gate: TypeAlias = PolicySet | bool
"""What an address's packets meet: rules, True: nothing, False: none passes."""

_Service: TypeAlias = tuple[Protocol, int | None]


class _End(NamedTuple):
    """What is known of an address: who may be meant, and what is in its way here.

    ``egress`` and ``ingress`` are what packets from and to it meet. ``pod`` is the
    only claimant.
    """

    stations: tuple[Station, ...]
    egress: _Gate
    ingress: _Gate
    pod: ObjectKey | None


@dataclass(slots=True)
class Judge:
    """Answers for one moment: make a new one after the state has changed."""

    compiled: Compiled
    claims: Claims
    site: Site
    _ends: dict[bytes, _End] = field(default_factory=dict)
    _answers: dict[Question, bool] = field(default_factory=dict)

    def subjects(self, pods: Iterable[ObjectKey] | None = None) -> frozenset[bytes]:
        """Return the packed addresses whose connections may have to end.

        ``pods``: only those of these pods of the node; None: of all of them. Guarded
        addresses that are nobody's are in no such list.
        """
        chosen = self.site.local if pods is None else self.site.local.intersection(pods)
        found = (self.compiled.cluster.pods.get(pod) for pod in chosen)
        packed = {a.packed for pod in found if pod for a in pod.addresses}
        return frozenset(a for a in packed if self._restricted(a))

    def _restricted(self, address: bytes) -> bool:
        end = self._end(address)
        return not (end.egress is True and end.ingress is True)

    def denied(self, entries: Iterable[Tracked]) -> list[Tracked]:
        """Return the entries that the policies of now would not let begin."""
        return [entry for entry in entries if not self.passes(question(entry))]

    def passes(self, asked: Question) -> bool:
        """Whether the node's table accepts a first packet; judged once each."""
        answer = self._answers.get(asked)
        if answer is None:
            answer = self._answers[asked] = self._judge(asked)
        return answer

    def _judge(self, asked: Question) -> bool:
        own = self.site.own
        if asked.source in own or asked.destination in own:
            return True
        source, destination = self._end(asked.source), self._end(asked.destination)
        out, into = source.egress, destination.ingress
        if out is False or into is False:
            return False
        if out is True and into is True:
            return True
        if source.pod is not None and source.pod == destination.pod:
            return True
        protocol = PROTOCOLS.get((asked.protocol, len(asked.source)), Protocol.OTHER)
        service = (protocol, asked.port if protocol.has_ports else None)
        return self._passes(out, destination, destination, service) and self._passes(
            into, source, destination, service
        )

    def _passes(
        self, gate: _Gate, other: _End, destination: _End, service: _Service
    ) -> bool:
        """Whether a rule matches for certain, whoever of the claimants is meant."""
        if isinstance(gate, bool):
            return gate
        return any(
            all(
                rule_matches(self.compiled, rule, peer, port, service) is True
                for peer in other.stations
                for port in destination.stations
            )
            for rule in gate.rules
        )

    def _end(self, packed: bytes) -> _End:
        end = self._ends.get(packed)
        if end is None:
            end = self._ends[packed] = self._look_up(ip_address(packed))
        return end

    def _look_up(self, address: IPAddress) -> _End:
        claimants = self.claims.get(address, ())
        stations = tuple(self._station(address, of) for of in claimants or (None,))
        only = claimants[0] if len(claimants) == 1 else None
        if not self.site.local.isdisjoint(claimants):
            out, into = (
                self._gate(direction, claimants)
                for direction in (Direction.EGRESS, Direction.INGRESS)
            )
            return _End(stations, out, into, only)
        # Nobody's address in a guarded network passes nothing.
        free = bool(claimants) or not any(
            address.version == network.version and address in network
            for network in self.site.enforcement.guarded
        )
        return _End(stations, free, free, only)

    def _gate(self, direction: Direction, claimants: tuple[Claimant, ...]) -> _Gate:
        audits = self.site.enforcement.audits
        if all(of and audits(of.namespace) for of in claimants):
            return True
        sets = {
            self.compiled.policy_set(direction, of) if of else None for of in claimants
        }
        if len(sets) > 1:
            return False  # contested: either may be meant
        return sets.pop() or True

    def _station(self, address: IPAddress, claimant: Claimant) -> Station:
        pod = self.compiled.cluster.pods[claimant] if claimant is not None else None
        return Station(pod, None, False, address, address.version)
