"""Flow records as a person reads them: Hubble's compact line, its list, its table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ringfence.observe.instants import stamp
from ringfence.observe.record import POLICY_VERDICT, FlowRecord, Party, Verdict
from ringfence.report.table import table

VERDICT_WORDS = {
    Verdict.FORWARDED: "ALLOWED",
    Verdict.DROPPED: "DENIED",
    Verdict.AUDIT: "AUDITED",
}
"""What a verdict on a policy is called; other records keep Hubble's word."""

COLUMNS = ("TIMESTAMP", "SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY")
RULER = "------------"


def compact(record: FlowRecord, *, node: bool = False) -> str:
    """Return one line; replies are drawn backwards, as Hubble does.

    Where Hubble has identities, the line has what the pods belong to; where it has
    the kind of match, the policies that decide.
    """
    head = stamp(record.time) + (f" [{record.node}]" if node else "")
    one, other = record.source, record.destination
    here, there = record.ports or (None, None)
    arrow = "->" if record.reply is not None else "<>"
    if record.reply:
        one, other, here, there, arrow = other, one, there, here, "<-"
    words = (
        f"{head}: {end_words(one, here)}{_belongs(one)}",
        arrow,
        f"{end_words(other, there)}{_belongs(other)}",
        type_words(record),
        verdict_word(record),
    )
    return " ".join(words) + (f" ({record.summary})" if record.summary else "")


def end_words(party: Party, port: int | None) -> str:
    """Name an end: ``namespace/pod:port``, or its address."""
    if party.pod:
        name = f"{party.namespace}/{party.pod}"
    else:
        name = f"[{party.address}]" if port and ":" in party.address else party.address
    return name if port is None else f"{name}:{port}"


def _belongs(party: Party) -> str:
    """Return what a pod belongs to, or the word for an end that is none."""
    if party.claimants:
        return f" (one of {', '.join(party.claimants)})"
    if party.workloads:
        return f" ({', '.join(f'{of.kind}/{of.name}' for of in party.workloads)})"
    return f" ({party.reserved})" if party.reserved else ""


def type_words(record: FlowRecord) -> str:
    """Return the type; of a policy's verdict the policies and the direction, too."""
    if record.type != POLICY_VERDICT:
        return record.type
    policies = ",".join(dict.fromkeys(map(str, record.policies))) or "none"
    return f"{record.type}:{policies} {record.direction}".rstrip()


def verdict_word(record: FlowRecord) -> str:
    """Return the verdict's word."""
    if record.type == POLICY_VERDICT:
        return VERDICT_WORDS.get(record.verdict, record.verdict.value)
    return record.verdict.value


def listed(record: FlowRecord) -> Iterator[str]:
    """Yield the lines of a record told field by field, with a ruler after it."""
    here, there = record.ports or (None, None)
    rows = [
        ("TIMESTAMP", stamp(record.time)),
        ("NODE", record.node),
        ("SOURCE", end_words(record.source, here) + _belongs(record.source)),
        ("DESTINATION", end_words(record.destination, there)),
        ("TYPE", type_words(record)),
        ("VERDICT", verdict_word(record)),
        ("SUMMARY", record.summary),
    ]
    rows[3] = ("DESTINATION", rows[3][1] + _belongs(record.destination))
    rows += [(of.effect.value.upper(), f"{of} {of.rule}") for of in record.policies]
    if record.miss is not None:
        where = f"{record.miss.policy} {record.miss.field}".strip()
        rows += [("NEAREST", f"{where}: {'; '.join(record.miss.terms)}")]
        rows += [("FIX", record.miss.fix)]
    for name, value in rows:
        yield f"{name:>11}: {value}".rstrip()
    yield RULER


def tabled(records: Iterable[FlowRecord]) -> Iterator[str]:
    """Yield the lines of a table of records."""
    rows = []
    for of in records:
        here, there = of.ports or (None, None)
        ends = end_words(of.source, here), end_words(of.destination, there)
        said = type_words(of), verdict_word(of), of.summary
        rows.append((stamp(of.time), *ends, *said))
    yield from table(COLUMNS, rows)
