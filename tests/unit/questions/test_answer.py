from itertools import product

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.flow import Flow, NodeEnd, PodEnd, Protocol
from ringfence.model.verdict import Outcome
from ringfence.model.workload import ContainerPort, Node
from ringfence.questions import answer
from ringfence.questions.resolve import Question
from worlds import cluster, egress, ingress, key, pod, rule, tcp


def test_a_node_is_asked_about_each_pod_as_it_lets_its_own_through() -> None:
    world = cluster(
        pod("a", node="n1"),
        pod("b", node="n2"),
        Node("n1", {}),
        ingress("in", ""),
        egress("out", ""),
    )
    flows = tuple(
        Flow(NodeEnd("n1"), PodEnd(key(name)), Protocol.TCP, port)
        for name in ("a", "b")
        for port in (80, 81)
    )
    found = answer.answer(compile_cluster(world), Question(flows))
    assert (found.outcome, found.allowed) == (Outcome.DENY, 2)


def test_flows_between_pods_that_are_alike_are_evaluated_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def counted(*of: object) -> object:
        asked.append(of)
        return evaluate(*of)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(answer, "evaluate", counted)
    http = [ContainerPort(80, name="http")]
    pods = [pod(f"p{n}", f"app=x{n % 2}", ports=http) for n in range(20)]
    world = cluster(*pods, ingress("in", "app=x1", rule([], [tcp("http")])))
    ends = [PodEnd(one.key) for one in pods]
    pairs = product(ends, ends)
    flows = tuple(Flow(one, other, Protocol.TCP, 81) for one, other in pairs)
    found = answer.answer(compile_cluster(world), Question(flows))
    assert found.allowed == 10 * 20 + 10
    assert len(asked) == 2 * 2 + 2
