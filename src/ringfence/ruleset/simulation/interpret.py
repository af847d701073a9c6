"""A packet's walk through a table: what the kernel would do, rule by rule.

It reads the IR alone, so it shares no step with the engine: where both agree
with real packets, three independent readings of a policy agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ringfence.errors import RingfenceBug
from ringfence.model.flow import IPAddress, Protocol
from ringfence.ruleset.ir import (
    PROTOCOL_NUMBERS,
    Chain,
    Dispatch,
    FamilyIs,
    Field,
    Final,
    Foreign,
    FromThisNode,
    HashSet,
    Lookup,
    Match,
    NftRule,
    NftSet,
    NotOpening,
    PortIs,
    ProtocolIs,
    Row,
    State,
    StateIs,
    Table,
    VerdictMap,
)
from ringfence.sets.interval import contains

ICMP_NUMBERS = {4: 1, 6: 58}
OTHER_NUMBER = 253
"""For experiments (RFC 3692): a protocol that no policy can name."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as the forward hook sees it, by default a connection's first.

    ``port`` is the destination port, None for protocols without; ``opening``
    is False for a TCP segment that is no SYN. No first packet is told apart by its
    ``source_port``.
    """

    source: IPAddress
    destination: IPAddress
    protocol: Protocol
    port: int | None = None
    state: State = State.NEW
    icmpv6_type: int | None = None
    opening: bool = True
    from_this_node: bool = False
    source_port: int | None = None

    def __str__(self) -> str:
        """Render as ``source -> destination PROTOCOL[/port]``."""
        port = "" if self.port is None else f"/{self.port}"
        return f"{self.source} -> {self.destination} {self.protocol.value}{port}"

    def value(self, field: Field) -> int | None:
        """Return a field's value as sets hold it, None where there is no such field."""
        version = self.source.version
        match field:
            case Field.SOURCE4 | Field.SOURCE6:
                return int(self.source) if FAMILIES[field] == version else None
            case Field.DESTINATION4 | Field.DESTINATION6:
                return int(self.destination) if FAMILIES[field] == version else None
            case Field.PROTOCOL:
                if self.protocol is Protocol.ICMP:
                    return ICMP_NUMBERS[version]
                return PROTOCOL_NUMBERS.get(self.protocol, OTHER_NUMBER)
            case Field.PORT | Field.SOURCE_PORT:
                return self.port if field is Field.PORT else self.source_port
            case Field.ICMPV6:
                return self.icmpv6_type


FAMILIES = {
    Field.SOURCE4: 4,
    Field.DESTINATION4: 4,
    Field.SOURCE6: 6,
    Field.DESTINATION6: 6,
}


class Step(NamedTuple):
    """A rule that matched, and the chain it stands in."""

    chain: str
    rule: NftRule


class Walk(NamedTuple):
    """What happens to a packet, and the rules that matched on the way.

    ``verdict`` is ACCEPT also where no rule says a word (policy accept).
    """

    verdict: Final
    steps: tuple[Step, ...]


Holds: TypeAlias = Callable[[Row], bool]


class Machine:
    """A table made ready for many packets."""

    def __init__(self, table: Table) -> None:
        self._holds = {nft_set.name: _holder(nft_set) for nft_set in table.sets}
        self._maps: Mapping[str, VerdictMap] = {of.name: of for of in table.maps}
        self._chains: Mapping[str, Chain] = {of.name: of for of in table.chains}
        hooked = (chain for chain in table.chains if chain.priority is not None)
        self._base = sorted(hooked, key=lambda chain: chain.priority or 0)

    def walk(self, packet: Packet) -> Walk:
        """Return the way of a forwarded packet through every base chain.

        An accept ends one base chain only, anything else the packet.
        """
        steps: list[Step] = []
        for chain in self._base:
            verdict = self._run(chain, packet, steps)
            if verdict is not Final.ACCEPT:
                return Walk(verdict, tuple(steps))
        return Walk(Final.ACCEPT, tuple(steps))

    def _run(self, chain: Chain, packet: Packet, steps: list[Step]) -> Final:
        for rule in chain.rules:
            if not all(self._matches(match_, packet) for match_ in rule.matches):
                continue
            for statement in rule.statements:
                match statement:
                    case Final():
                        steps.append(Step(chain.name, rule))
                        return statement
                    case Dispatch(field, name):
                        onward = self._onward(name, packet.value(field))
                        if onward is not None:
                            steps.append(Step(chain.name, rule))
                            # goto: the chain it leads to has the last word.
                            return self._run(onward, packet, steps)
                    case _:
                        pass  # counters, limits and logs decide nothing
        return Final.ACCEPT

    def _onward(self, name: str, value: int | None) -> Chain | None:
        if value is None:
            return None
        chain = self._maps[name].elements.get(value)
        return None if chain is None else self._chains[chain]

    def _matches(self, match_: Match, packet: Packet) -> bool:
        match match_:
            case Lookup(fields, name, absent):
                row = tuple(_values(fields, packet))
                # A packet without the field meets neither reading of the match.
                held = len(row) == len(fields) and self._holds[name](row) != absent
            case StateIs(states):
                held = packet.state in states
            case FamilyIs(version):
                held = packet.source.version == version
            case ProtocolIs(protocol):
                held = packet.protocol is protocol
            case PortIs(protocol, ports):
                number = packet.port if packet.protocol is protocol else None
                held = number is not None and ports.low <= number <= ports.high
            case NotOpening():
                held = packet.protocol is Protocol.TCP and not packet.opening
            case FromThisNode():
                held = packet.from_this_node
            case Foreign(expressions):
                raise RingfenceBug(f"nobody knows what it does: {expressions}")
        return held


def _values(fields: tuple[Field, ...], packet: Packet) -> Iterator[int]:
    for field in fields:
        value = packet.value(field)
        if value is not None:
            yield value


def _holder(nft_set: NftSet) -> Holds:
    if isinstance(nft_set, HashSet):
        return nft_set.elements.__contains__
    boxes = nft_set.elements
    if len(nft_set.key) == 1:
        line = tuple(interval for (interval,) in boxes)
        return lambda row: contains(line, row[0])
    return lambda row: any(
        all(low <= value <= high for value, (low, high) in zip(row, box, strict=True))
        for box in boxes
    )
