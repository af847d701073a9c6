"""Whether what the kernel holds means what the policies say. Pure.

The rules are compared with the desired ones, and a sample of first packets is judged
twice: by the engine, and by a walk through the rules that were read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import islice
from typing import Any

from ringfence.agent.enforcing.cut import PROTOCOLS, Judge, Question
from ringfence.agent.inspection.differences import differences
from ringfence.ruleset.changes.delta import delta
from ringfence.ruleset.changes.transaction import Operation
from ringfence.ruleset.ir import Final, Foreign, HashSet, Table
from ringfence.ruleset.lowering.basechains import CUT_KEYS, CUT_SETS
from ringfence.ruleset.simulation.interpret import Machine, Packet

SAMPLE = 1_000
"""First packets that an audit judges twice."""

SHOWN = 10
"""Disagreements that are told one by one."""

PROBED = ((6, 80), (6, 443), (6, 8080), (17, 53), (132, 9999), (1, None))
"""Protocol numbers and ports that are asked about."""

_STRIDE = 7919  # a prime: a walk by it meets pairs of all kinds early
_ICMP, _ICMPV6, _IPV4_BYTES = 1, 58, 4


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A first packet that the engine and the kernel's rules judge differently."""

    asked: Question
    engine: bool
    rules: bool

    def __str__(self) -> str:
        """Render as a sentence."""
        source, destination = ip_address(self.asked.source), self.asked.destination
        port = "" if self.asked.port is None else f" port {self.asked.port}"
        what = f"{source} -> {ip_address(destination)} protocol {self.asked.protocol}"
        says = {True: "passes", False: "is denied"}
        return f"{what}{port}: {says[self.engine]}, by the rules it {says[self.rules]}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit found; ``missing``: there is no table at all."""

    missing: bool
    differences: tuple[Operation, ...]
    disagreements: tuple[Disagreement, ...]
    judged: int

    @property
    def clean(self) -> bool:
        """Whether the kernel holds and means what it should."""
        return not (self.missing or self.differences or self.disagreements)

    def lines(self) -> Iterator[str]:
        """Yield what was found, a sentence a line."""
        if self.missing:
            yield "table inet ringfence is not there: nothing is enforced"
            return
        yield from differences(self.differences)
        for disagreement in self.disagreements[:SHOWN]:
            yield str(disagreement)
        if self.clean:
            yield "the kernel holds the desired table"
        yield f"{self.judged} flows judged twice, {len(self.disagreements)} differ"

    def document(self) -> dict[str, Any]:
        """Return the same as a JSON object, ``ringfence/audit/v1``."""
        return {
            "schema": "ringfence/audit/v1",
            "clean": self.clean,
            "missing": self.missing,
            "differences": list(differences(self.differences)),
            "disagreements": [str(each) for each in self.disagreements],
            "judged": self.judged,
        }


def audit(realised: Table | None, desired: Table, judge: Judge) -> Findings:
    """Compare the kernel's table with the desired one, and both with the engine."""
    if realised is None:
        return Findings(missing=True, differences=(), disagreements=(), judged=0)
    mending = delta(realised, desired).operations
    # What nobody can read, nobody can walk packets through.
    sample = [] if _has_foreign(realised) else list(questions(judge))
    machine = Machine(realised)
    disagreements = [
        Disagreement(asked, engine, rules)
        for asked in sample
        for engine, rules in [(judge.passes(asked), _walk(machine, asked))]
        if engine != rules
    ]
    return Findings(
        missing=False,
        differences=mending,
        disagreements=tuple(disagreements),
        judged=len(sample),
    )


def with_cuts(desired: Table, realised: Table | None) -> Table:
    """Return the desired table with the cut connections that the kernel's remembers.

    They are known to the running agent alone.
    """
    there = {of.name: of for of in realised.sets} if realised else {}
    cut = {
        name: of
        for version, name in CUT_SETS.items()
        if isinstance(of := there.get(name), HashSet) and of.key == CUT_KEYS[version]
    }
    return replace(desired, sets=tuple(cut.get(of.name, of) for of in desired.sets))


def contents(table: Table) -> dict[str, int]:
    """Return how many things of each kind a table holds; maps count as sets."""
    holders = (*table.sets, *table.maps)
    return {
        "chains": len(table.chains),
        "rules": sum(len(chain.rules) for chain in table.chains),
        "sets": len(holders),
        "elements": sum(len(of.elements) for of in holders),
        "counters": len(table.counters),
    }


def _has_foreign(table: Table) -> bool:
    return bool(table.foreign) or any(
        isinstance(match_, Foreign)
        for chain in table.chains
        for rule in chain.rules
        for match_ in rule.matches
    )


def questions(judge: Judge) -> Iterable[Question]:
    """Return first packets between local pods and everybody, the same each time."""
    local = sorted(judge.subjects())
    others = sorted(address.packed for address in judge.claims)
    pairs = [
        pair
        for mine in local
        for other in _spread(others, SAMPLE // max(1, len(local)))
        if len(mine) == len(other) and other not in judge.site.own
        for pair in ((mine, other), (other, mine))
    ]
    asked = (
        Question(source, destination, _number(protocol, source), port)
        for protocol, port in PROBED
        for source, destination in pairs
    )
    return islice(asked, SAMPLE)


def _spread(addresses: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield some addresses from all over the list."""
    for number in range(min(len(addresses), count)):
        yield addresses[number * _STRIDE % len(addresses)]


def _number(protocol: int, source: bytes) -> int:
    return _ICMPV6 if protocol == _ICMP and len(source) != _IPV4_BYTES else protocol


def _walk(machine: Machine, asked: Question) -> bool:
    packet = Packet(
        ip_address(asked.source),
        ip_address(asked.destination),
        PROTOCOLS[asked.protocol, len(asked.source)],
        asked.port,
    )
    return machine.walk(packet).verdict is Final.ACCEPT
