"""The difference document, ``ringfence/diff/v1`` (docs/diff.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.analysis.change.causes import ByPolicy
from ringfence.analysis.change.difference import Change, Difference, Kind
from ringfence.analysis.change.ends import NamedEnd
from ringfence.analysis.change.facts import Because
from ringfence.report.difftext import (
    cause_words,
    ends_words,
    line_field,
    step_words,
    summary,
)
from ringfence.report.matrixdoc import ports_document
from ringfence.report.matrixlists import code_span
from ringfence.report.plain import printable

SCHEMA = "ringfence/diff/v1"
MARKER = "<!-- ringfence diff -->"
"""By which a bot finds its own comment, to write over it."""

_TITLES = {
    Kind.BROADENED: "Broadened: what passes now and did not",
    Kind.NARROWED: "Narrowed: what no longer passes",
    Kind.UNDECIDED: "Undecided: a fact is missing, before or after",
}


def difference_document(found: Difference, base: str, head: str) -> dict[str, Any]:
    """Return the JSON document; ``base`` and ``head`` are what was compared."""
    return {
        "schema": SCHEMA,
        "base": base,
        "head": head,
        "pairs": found.of,
        "changed": found.changed,
        "summary": {kind.value.lower(): found.kinds[kind] for kind in Kind},
        "changes": [_change(change) for change in found.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "change": change.step.kind.value,
        "was": change.step.was.value,
        "now": change.step.now.value,
        "from": [_end(end) for end in change.sources],
        "to": [_end(end) for end in change.destinations],
        "ports": ports_document(change.step.conns),
        "pairs": change.pairs,
        "by": [_line(line) for line in change.causes.by],
        "because": [_fact(fact) for fact in change.causes.because],
        "unknown": list(change.causes.unknown),
    }


def _end(end: NamedEnd) -> dict[str, Any]:
    if end.cidrs:
        cidrs = [str(cidr) for cidr in end.cidrs]
        return {"id": end.id, "kind": end.kind, "cidrs": cidrs}
    return {
        "id": end.id,
        "kind": end.kind,
        "namespace": end.namespace,
        "name": end.name,
        "pods": [str(pod) for pod in end.pods],
        "of": end.of,
    }


def _line(line: ByPolicy) -> dict[str, Any]:
    return {
        "policy": str(line.policy),
        "direction": line.direction.value,
        "field": line_field(line),
        "isolates": line.match is None,
        "line": {
            "change": line.how.value,
            "file": line.position.source,
            "line": line.position.line,
            "column": line.position.column,
        },
    }


def _fact(fact: Because) -> dict[str, Any]:
    return {
        "fact": fact.fact.value,
        "subject": fact.subject,
        "before": fact.before,
        "after": fact.after,
    }


def difference_comment(found: Difference, base: str, head: str) -> Iterator[str]:
    """Yield the lines of a review comment in Markdown."""
    yield MARKER
    yield f"### Who can reach whom: {code_span(base)} to {code_span(head)}"
    yield ""
    yield summary(found) if found else "No difference: everything is answered alike."
    for kind, title in _TITLES.items():
        changes = [change for change in found.changes if change.step.kind is kind]
        if not changes:
            continue
        yield ""
        yield f"**{title}**"
        yield ""
        yield "| from | to | ports | why |"
        yield "|---|---|---|---|"
        for change in changes:
            cells = (
                ends_words(change.sources),
                ends_words(change.destinations),
                step_words(change.step),
                "; ".join(cause_words(change.causes)),
            )
            yield f"| {' | '.join(map(_escaped, cells))} |"


_MARKUP = str.maketrans({mark: f"&#{ord(mark)};" for mark in "\\`*_|<>[]~@#&"})


def _escaped(text: str) -> str:
    """Return text that stays in its cell and is no markup."""
    return printable(text).translate(_MARKUP)
