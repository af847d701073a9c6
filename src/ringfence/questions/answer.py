"""Questions about groups to one answer: what holds for every pair, and where not."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.engine.compiled import Compiled
from ringfence.engine.evaluate import evaluate
from ringfence.engine.explain import explain
from ringfence.model.flow import Flow
from ringfence.model.verdict import Evidence, Outcome
from ringfence.questions.resolve import Question


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question: ALLOW if every pair is allowed.

    ``flow`` and ``evidence`` are those of the first pair that differs from
    ALLOW, or of the first pair; None where nothing could be asked, which
    ``unresolved`` then says. ``allowed`` of ``of`` pairs are allowed. ``via``
    lists the translations by a Service.
    """

    outcome: Outcome
    flow: Flow | None
    evidence: Evidence | None
    allowed: int
    of: int
    many: bool
    unresolved: tuple[str, ...] = ()
    via: tuple[str, ...] = ()


def answer(compiled: Compiled, question: Question) -> Answer:
    """Evaluate every flow of a question; DENY beats UNDECIDED beats ALLOW."""
    outcomes = [evaluate(compiled, flow).outcome for flow in question.flows]
    worst = _worst(outcomes, question.unresolved)
    shown = next(
        (f for f, o in zip(question.flows, outcomes, strict=True) if o is worst),
        question.flows[0] if question.flows else None,
    )
    return Answer(
        worst,
        shown,
        explain(compiled, shown) if shown is not None else None,
        outcomes.count(Outcome.ALLOW),
        len(outcomes),
        question.many,
        question.unresolved,
        question.via,
    )


def _worst(outcomes: list[Outcome], unresolved: tuple[str, ...]) -> Outcome:
    if Outcome.DENY in outcomes:
        return Outcome.DENY
    if Outcome.UNDECIDED in outcomes or unresolved or not outcomes:
        return Outcome.UNDECIDED
    return Outcome.ALLOW
