"""A difference told to a person: one line a change, then the count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringfence.analysis.change.causes import ByPolicy, Causes, How
from ringfence.analysis.change.difference import Difference, Kind, Step
from ringfence.analysis.change.ends import NamedEnd
from ringfence.analysis.change.facts import Because, Fact
from ringfence.model.flow import IPNetwork
from ringfence.model.verdict import Outcome
from ringfence.report.matrixdoc import PROTOCOLS
from ringfence.report.matrixtext import conns_words
from ringfence.report.table import table
from ringfence.report.words import RULE_FIELD, match_field, place
from ringfence.sets.cidr import carve, cover, prefixes
from ringfence.sets.conns import EVERY_PORT, ConnSet, conn_set

MOST_ENDS = 4
"""How many ends a line names; a person does not read more."""
MOST_CAUSES = 3

SIGNS = {How.ADDED: "+", How.REMOVED: "-", How.UNCHANGED: ""}
_FACTS = {
    Fact.CAME: "{0.subject} came",
    Fact.WENT: "{0.subject} went",
    Fact.LABELS: "labels of {0.subject}: {0.before} -> {0.after}",
    Fact.NAMESPACE_LABELS: "labels of {0.subject}: {0.before} -> {0.after}",
    Fact.PORTS: "ports of {0.subject}: {0.before} -> {0.after}",
    Fact.HOST_NETWORK: "hostNetwork of {0.subject}: {0.before} -> {0.after}",
    Fact.NODE: "node of {0.subject}: {0.before} -> {0.after}",
    Fact.ADDRESSES: "addresses of {0.subject}: {0.before} -> {0.after}",
}
EVERYTHING = conn_set(dict.fromkeys(PROTOCOLS, EVERY_PORT), other=True)
_WHOLE = {"0.0.0.0/0", "::/0"}


def difference_lines(found: Difference) -> Iterator[str]:
    """Yield a line for each change, and what they come to."""
    rows = [
        (
            change.step.kind.value,
            f"{ends_words(change.sources)} -> {ends_words(change.destinations)}",
            step_words(change.step),
            "; ".join(cause_words(change.causes)),
        )
        for change in found.changes
    ]
    yield from table((), rows)
    yield summary(found)


def summary(found: Difference) -> str:
    """Return the counts in one line."""
    counts = (f"{found.kinds[kind]:,} {kind.value.lower()}" for kind in Kind)
    pairs = f"{found.changed:,} class pairs changed of {found.of:,}"
    return " · ".join((pairs, *counts))


def step_words(step: Step) -> str:
    """Name the connections of a step, and both answers where one is undecided."""
    ports = _ports_words(step.conns)
    if Outcome.UNDECIDED not in {step.was, step.now}:
        return ports
    return f"{ports}  ({step.was} -> {step.now})"


def _ports_words(conns: ConnSet) -> str:
    if conns == EVERYTHING:
        return conns_words(conns)
    words, left_out = shorter_words(conns)
    return f"all but :{words}" if left_out else f":{words}"


def shorter_words(conns: ConnSet) -> tuple[str, bool]:
    """Name connections, or those that they leave out (True) where that is shorter."""
    words, rest = conns_words(conns), EVERYTHING - conns
    others = conns_words(rest)
    return (others, True) if rest and len(others) < len(words) else (words, False)


def ends_words(ends: Sequence[NamedEnd], most: int = MOST_ENDS) -> str:
    """Name ends, the first few of many."""
    shown = [_end_words(end) for end in ends[:most]]
    more = len(ends) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _end_words(end: NamedEnd) -> str:
    if not end.cidrs:
        some = end.of > len(end.pods)
        return f"{end.id} ({len(end.pods)} of {end.of} pods)" if some else end.id
    return address_words(end.cidrs)


def address_words(cidrs: Sequence[IPNetwork]) -> str:
    """Name outside addresses; those of both IP versions together as such."""
    if {str(cidr) for cidr in cidrs} == _WHOLE:
        return "outside"
    return ", ".join(
        _ranges([cidr for cidr in cidrs if cidr.version == version])
        for version in sorted({cidr.version for cidr in cidrs})
    )


def _ranges(cidrs: list[IPNetwork]) -> str:
    """Name ranges of one IP version, as one but for others where that is shorter."""
    whole = cover(cidrs)
    rest = prefixes(carve(whole, cidrs), whole.version)
    if rest and len(rest) < len(cidrs):
        holes = _ranges(rest)
        return f"{whole} except {f'({holes})' if ' except ' in holes else holes}"
    return _few_ranges(cidrs)


def _few_ranges(cidrs: list[IPNetwork]) -> str:
    more = len(cidrs) - MOST_ENDS
    shown = ", ".join(map(str, cidrs[:MOST_ENDS]))
    return shown + (f" and {more} more ranges" if more > 0 else "")


def cause_words(causes: Causes) -> Iterator[str]:
    """Yield why: the policy lines, the facts, and what is unknown."""
    lines = list(dict.fromkeys(_line_words(line) for line in causes.by))
    if lines:
        yield f"by {_few(lines)}"
    facts = [fact_words(fact) for fact in causes.because]
    if facts:
        yield f"because {_few(facts)}"
    if causes.unknown:
        yield f"unknown: {_few(causes.unknown)}"


def _few(words: Sequence[str]) -> str:
    more = len(words) - MOST_CAUSES
    return ", ".join(words[:MOST_CAUSES]) + (f" and {more} more" if more > 0 else "")


def _line_words(line: ByPolicy) -> str:
    where = place(line.position)
    field = "" if line.match is None else f" {line_field(line)}"
    if where:
        return f"{line.policy}{field} ({SIGNS[line.how]}{where})"
    word = "" if line.how is How.UNCHANGED else f" ({line.how.value})"
    return f"{line.policy}{field}{word}"


def line_field(line: ByPolicy) -> str:
    """Return the field path of the entry that decides; an isolating policy's types."""
    if line.match is None:
        return "policyTypes"
    if line.at_port:
        base = f"{RULE_FIELD[line.direction]}[{line.match.rule}]"
        return f"{base}.ports[{line.match.port}]"
    return match_field(line.match)


def fact_words(fact: Because) -> str:
    """Tell what is different about an end."""
    shown = Because(fact.fact, fact.subject, fact.before or "-", fact.after or "-")
    return _FACTS[fact.fact].format(shown)
