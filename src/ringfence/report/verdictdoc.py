"""The verdict document, ``ringfence/verdict/v1`` (docs/documents.md)."""

from __future__ import annotations

from typing import Any

from ringfence.model.flow import Protocol
from ringfence.model.meta import Position
from ringfence.model.verdict import EndEvidence, Miss, RuleMatch
from ringfence.questions.answer import Answer
from ringfence.report.words import end_id, match_field

SCHEMA = "ringfence/verdict/v1"


def verdict_document(
    source: str,
    destination: str,
    protocol: Protocol,
    port: int | str | None,
    answer: Answer,
) -> dict[str, Any]:
    """Return the document of one answer; the first four members echo the question.

    ``allowed``, ``of`` and ``pair`` are there where an end stands for many.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "from": source,
        "to": destination,
        "protocol": protocol.value,
        "port": port,
        "verdict": answer.outcome.value,
    }
    reasons = list(answer.unresolved)
    if answer.evidence is not None:
        ends = (answer.evidence.egress, answer.evidence.ingress)
        document["egress"], document["ingress"] = map(_end, ends)
        reasons += [fact for end in ends for fact in end.unknown]
    if reasons:
        document["reasons"] = list(dict.fromkeys(reasons))
    if answer.via:
        document["via"] = list(answer.via)
    if answer.many:
        document["allowed"] = answer.allowed
        document["of"] = answer.of
        document["pair"] = _pair(answer)
    return document


def _pair(answer: Answer) -> dict[str, Any] | None:
    flow = answer.flow
    if flow is None:
        return None
    return {
        "from": end_id(flow.source),
        "to": end_id(flow.destination),
        "protocol": flow.protocol.value,
        "port": flow.port,
    }


def _end(evidence: EndEvidence) -> dict[str, Any]:
    document: dict[str, Any] = {
        "pod": str(evidence.pod) if evidence.pod else None,
        "verdict": evidence.outcome.value,
        "isolated": evidence.isolated,
        "policies": [str(key) for key in evidence.policies],
        "allowedBy": [_match(match) for match in evidence.allowed_by],
        "nearestMiss": _miss(evidence.nearest_miss),
    }
    if evidence.exempt:
        document["exempt"] = evidence.exempt
    if evidence.unknown:
        document["unknown"] = list(evidence.unknown)
    return document


def _match(match: RuleMatch) -> dict[str, Any]:
    return {
        "policy": str(match.policy),
        "field": match_field(match),
        "rule": match.rule,
        "peer": match.peer,
        "port": match.port,
        **_position(match.position),
    }


def _miss(miss: Miss | None) -> dict[str, Any] | None:
    if miss is None:
        return None
    return {
        "policy": str(miss.policy) if miss.policy else None,
        "field": miss.field,
        "terms": list(miss.terms),
        "fix": miss.fix,
        **_position(miss.position),
    }


def _position(position: Position) -> dict[str, Any]:
    if not position.source:
        return {}
    return {
        "file": position.source,
        "line": position.line,
        "column": position.column,
    }
