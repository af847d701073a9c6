"""Verdicts told to a person: one line for ``can``, the derivation for ``why``."""

from __future__ import annotations

from collections.abc import Iterator

from ringfence.model.flow import Direction, Flow
from ringfence.model.verdict import EndEvidence, Outcome, RuleMatch
from ringfence.questions.answer import Answer
from ringfence.report.words import end_id, match_field, place, port_words

SIDE = {Direction.EGRESS: "egress ", Direction.INGRESS: "ingress"}


def headline(source: str, destination: str, answer: Answer) -> str:
    """Return the verdict in one line; groups show how many pairs are allowed."""
    text = f"{answer.outcome}  {source} -> {destination}"
    if answer.flow is not None:
        text += port_words(answer.flow.protocol, answer.flow.port)
    if answer.many and answer.of > 1:
        text += f"  ({answer.allowed} of {answer.of} pairs allowed)"
    return f"{text}  via {', '.join(answer.via)}" if answer.via else text


def brief_reason(answer: Answer) -> str:
    """Return why a flow is not allowed, in a few words; empty where it is."""
    if answer.outcome is Outcome.ALLOW:
        return ""
    if answer.evidence is None:
        return "; ".join(answer.unresolved)
    ends = (answer.evidence.egress, answer.evidence.ingress)
    reasons = [_brief_end(end) for end in ends if end.outcome is not Outcome.ALLOW]
    return "; ".join(dict.fromkeys((*reasons, *answer.unresolved)))


def _brief_end(end: EndEvidence) -> str:
    if end.unknown:
        return end.unknown[0]
    policies = ", ".join(map(str, end.policies))
    return f"{end.direction.value.lower()} of {end.pod}: isolated by {policies}"


def derivation(answer: Answer) -> Iterator[str]:
    """Yield the lines that derive a verdict: the pair shown, both ends, the fix."""
    if answer.flow is not None and answer.evidence is not None:
        if answer.many and answer.of > 1:
            yield f"  {_pair_word(answer)} {_flow_words(answer.flow)}"
        ends = (answer.evidence.egress, answer.evidence.ingress)
        subjects = (answer.flow.source, answer.flow.destination)
        names = [end_id(subject) for subject in subjects]
        width = max(map(len, names))
        for name, end in zip(names, ends, strict=True):
            yield from _end_lines(name.ljust(width), end)
        yield from _fixes(ends)
    for fact in answer.unresolved:
        yield f"  unknown: {fact}"


def _pair_word(answer: Answer) -> str:
    return {
        Outcome.ALLOW: "every pair, as",
        Outcome.DENY: "first denied:",
        Outcome.UNDECIDED: "first undecided:",
    }[answer.outcome]


def _flow_words(flow: Flow) -> str:
    ports = port_words(flow.protocol, flow.port)
    return f"{end_id(flow.source)} -> {end_id(flow.destination)}{ports}"


def _end_lines(name: str, end: EndEvidence) -> Iterator[str]:
    head = f"  {SIDE[end.direction]} of {name}: "
    if end.pod is None and end.unknown:
        yield f"{head}{end.outcome} {', '.join(end.unknown)}"
    elif end.pod is None:
        yield f"{head}ALLOWED no pod of this cluster's pod network, asks nothing"
    elif end.exempt:
        yield f"{head}ALLOWED {end.exempt}"
    elif not end.isolated:
        yield f"{head}ALLOWED not isolated: no policy selects it for {end.direction}"
    elif end.outcome is Outcome.ALLOW:
        yield from _allowed_lines(head, end)
    else:
        yield from _closed_lines(head, end)


def _allowed_lines(head: str, end: EndEvidence) -> Iterator[str]:
    first, *more = end.allowed_by
    yield f"{head}ALLOWED by {_match_words(first)}"
    for match in more:
        yield f"{' ' * len(head)}    and by {_match_words(match)}"


def _match_words(match: RuleMatch) -> str:
    where = place(match.position)
    return f"{match.policy} {match_field(match)}" + (f" ({where})" if where else "")


def _closed_lines(head: str, end: EndEvidence) -> Iterator[str]:
    policies = ", ".join(map(str, end.policies))
    if end.outcome is Outcome.UNDECIDED:
        yield f"{head}UNDECIDED isolated by {policies}"
        for fact in end.unknown:
            yield f"    unknown: {fact}"
    else:
        yield f"{head}ISOLATED by {policies} — no rule matches"
    miss = end.nearest_miss
    if miss is not None:
        where = f" ({place(miss.position)})" if place(miss.position) else ""
        who = f"{miss.policy} {miss.field}{where}  " if miss.policy else ""
        first, *more = miss.terms
        yield f"    nearest: {who}{first}"
        for term in more:
            yield f"             and {term}"


def _fixes(ends: tuple[EndEvidence, EndEvidence]) -> Iterator[str]:
    for end in ends:
        miss = end.nearest_miss
        if miss is not None and end.outcome is Outcome.DENY:
            target = f"{miss.policy}: " if miss.policy else ""
            yield f"  fix {SIDE[end.direction].strip()}: {target}{miss.fix}"
