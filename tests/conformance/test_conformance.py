"""Every judged cell of the suites, the articles and our own cases, read by all."""

from __future__ import annotations

import pytest

from cases import SUITES, Case, conformance, every_case, flows_of
from readings import (
    by_the_text,
    cluster_of,
    completed,
    interpreted,
    predicted,
    sendable,
    tabled,
    tabulated,
    wrong,
)
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.explain import explain

CASES = every_case()
JUDGED_CELLS = 51_346
"""Of the three suites as they stand in tests/data/conformance."""


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_engine_predicts_every_cell(case: Case) -> None:
    for moment in case.moments:
        cluster = cluster_of(moment)
        assert wrong(moment, cluster, predicted(cluster)) == []


def test_matrix_has_every_cell(case: Case) -> None:
    for moment in case.moments:
        cluster = cluster_of(moment)
        assert wrong(tabled(moment, cluster), cluster, tabulated(cluster)) == []


def test_oracle_agrees_with_every_cell(case: Case) -> None:
    for moment in case.moments:
        cluster = cluster_of(moment)
        assert wrong(moment, cluster, by_the_text(cluster)) == []


@pytest.mark.parametrize("nodes", [1, 2])
def test_ruleset_lets_through_what_every_cell_says(case: Case, nodes: int) -> None:
    for moment in map(sendable, case.moments):
        cluster = completed(cluster_of(moment), moment.asks, nodes)
        assert wrong(moment, cluster, interpreted(cluster)) == []


def test_evidence_of_each_end_is_what_the_suite_says_of_it(case: Case) -> None:
    for moment in case.moments:
        told = [ask for ask in moment.asks if ask.egress and ask.ingress]
        cluster = cluster_of(moment)
        compiled = compile_cluster(cluster)
        for ask in told[::7]:  # every seventh: the ends repeat, and this is slow
            (flow,) = flows_of(cluster, ask)
            evidence = explain(compiled, flow)
            found = (evidence.egress.outcome, evidence.ingress.outcome)
            assert found == (ask.egress, ask.ingress), f"{moment.name}: {ask}"


def test_no_cell_is_left_out() -> None:
    suites = [case for suite in SUITES for case in conformance(suite)]
    cells = sum(len(moment.asks) for case in suites for moment in case.moments)
    assert cells == JUDGED_CELLS
