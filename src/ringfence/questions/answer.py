"""Questions about groups to one answer: what holds for every pair, and where not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ringfence.engine.allpairs.classes import pod_classes
from ringfence.engine.compiled import Compiled
from ringfence.engine.evaluate import evaluate
from ringfence.engine.explain import explain
from ringfence.model.flow import End, Flow, NodeEnd, PodEnd
from ringfence.model.verdict import Evidence, Outcome
from ringfence.questions.resolve import Question, to_itself


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
    outcomes = _outcomes(compiled, question.flows)
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


def _outcomes(compiled: Compiled, flows: tuple[Flow, ...]) -> list[Outcome]:
    """Evaluate flows; of many, those between ends that are alike only once."""
    if len(flows) <= len(compiled.cluster.pods):
        return [evaluate(compiled, flow).outcome for flow in flows]
    numbered = enumerate(pod_classes(compiled))
    classes: dict[End, int] = {PodEnd(pod): n for n, pods in numbered for pod in pods}
    known: dict[object, Outcome] = {}
    outcomes: list[Outcome] = []
    for flow in flows:
        alike = _alike(classes, flow)
        outcome = known.get(alike)
        if outcome is None:
            outcome = known[alike] = evaluate(compiled, flow).outcome
        outcomes.append(outcome)
    return outcomes


def _alike(classes: Mapping[End, int], flow: Flow) -> object:
    """Return what flows have in common that are evaluated alike.

    A node lets its own pods through, and classes need not tell whose they are.
    """
    source, destination = flow.source, flow.destination
    if isinstance(source, NodeEnd) or isinstance(destination, NodeEnd):
        return flow
    ends = classes.get(source, source), classes.get(destination, destination)
    return ends, to_itself(flow), flow.protocol, flow.port


def _worst(outcomes: list[Outcome], unresolved: tuple[str, ...]) -> Outcome:
    if Outcome.DENY in outcomes:
        return Outcome.DENY
    if Outcome.UNDECIDED in outcomes or unresolved or not outcomes:
        return Outcome.UNDECIDED
    return Outcome.ALLOW
