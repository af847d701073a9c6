"""Connections cut into atoms that no policy of a cluster can tell apart.

A set of connections becomes an integer with one bit an atom, so that union and
intersection are one operation each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from ringfence.engine.compiled import Compiled, CompiledRule
from ringfence.engine.match import numbers_of
from ringfence.model.flow import PORT_PROTOCOLS, Protocol
from ringfence.model.netpol import PolicyPort
from ringfence.model.workload import ContainerPort
from ringfence.sets.conns import LAST_PORT, ConnSet, Range, conn_set

Ports = tuple[ContainerPort, ...] | None
"""What a destination declares: None where unknown, empty for what is no pod."""


@dataclass(frozen=True)
class Atoms:
    """The atoms of a cluster's policies; bit 0 is every protocol without ports.

    ``starts`` has, per protocol, the first port of each atom.
    """

    starts: dict[Protocol, tuple[int, ...]]

    @cached_property
    def _bits(self) -> dict[Protocol, dict[int, int]]:
        bits: dict[Protocol, dict[int, int]] = {}
        position = 1
        for protocol in PORT_PROTOCOLS:
            starts = self.starts[protocol]
            bits[protocol] = {low: position + i for i, low in enumerate(starts)}
            bits[protocol][LAST_PORT + 1] = position + len(starts)
            position += len(starts)
        return bits

    @cached_property
    def full(self) -> int:
        """Every port of every protocol, and what has no ports."""
        return (1 << (1 + sum(map(len, self.starts.values())))) - 1

    def stretch(self, protocol: Protocol, low: int, high: int) -> int:
        """Return the mask of a range of ports whose ends are atoms' ends."""
        bits = self._bits[protocol]
        return (1 << bits[high + 1]) - (1 << bits[low])

    def conns(self, mask: int) -> ConnSet:
        """Return the set of connections that a mask stands for."""
        ranges: dict[str, list[Range]] = {}
        for protocol in PORT_PROTOCOLS:
            starts = self.starts[protocol]
            ends = (*(low - 1 for low in starts[1:]), LAST_PORT)
            bits = self._bits[protocol]
            ranges[protocol.value] = [
                (low, high)
                for low, high in zip(starts, ends, strict=True)
                if mask >> bits[low] & 1
            ]
        return conn_set(ranges, other=bool(mask & 1))

    def entry(self, entry: PolicyPort, ports: Ports) -> tuple[int, int]:
        """Return what one entry of ``ports`` allows, for certain and possibly."""
        protocol = entry.protocol
        if entry.port is None:
            mask = self.stretch(protocol, 0, LAST_PORT)
        elif isinstance(entry.port, int):
            mask = self.stretch(protocol, entry.port, entry.end_port or entry.port)
        else:
            numbers = numbers_of(entry.port, protocol, ports)
            if numbers is None:
                return 0, self.stretch(protocol, 0, LAST_PORT)
            mask = 0
            for number in numbers:
                mask |= self.stretch(protocol, number, number)
        return mask, mask

    def rule(self, rule: CompiledRule, ports: Ports) -> tuple[int, int]:
        """Return what a rule's ports allow at a destination, certainly and possibly."""
        if rule.ports is None:
            return self.full, self.full
        certain = possible = 0
        for entry in rule.ports:
            sure, perhaps = self.entry(entry, ports)
            certain |= sure
            possible |= perhaps
        return certain, possible


def port_atoms_of(compiled: Compiled) -> Atoms:
    """Return the atoms of every port that some rule of a policy-set names."""
    cuts: dict[Protocol, set[int]] = {protocol: {0} for protocol in PORT_PROTOCOLS}
    names: dict[Protocol, set[str]] = defaultdict(set)
    for rule in compiled.rules:
        for entry in rule.ports or ():
            if isinstance(entry.port, int):
                last = entry.end_port or entry.port
                cuts[entry.protocol].update((entry.port, last + 1))
            elif entry.port is not None:
                names[entry.protocol].add(entry.port)
    if names:
        declared = {id(pod.ports): pod.ports for pod in compiled.cluster.pods.values()}
        for port in chain.from_iterable(ports or () for ports in declared.values()):
            if port.name in names[port.protocol]:
                cuts[port.protocol].update((port.number, port.number + 1))
    return Atoms(
        {
            protocol: tuple(sorted(cut for cut in of if cut <= LAST_PORT))
            for protocol, of in cuts.items()
        }
    )
