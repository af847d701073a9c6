"""What is told of a cluster that could not be listed."""

from __future__ import annotations

from ringfence.agent.verify import unlisted


def test_kinds_that_fail_alike_are_one_problem() -> None:
    away = "https://a cannot be reached"
    told = unlisted(
        ["Namespace", "Node", "Pod", "Service"],
        {"Namespace": away, "Node": "forbidden", "Pod": away},
    )
    assert [str(problem) for problem in told] == [
        f"Namespace, Pod: {away}",
        "Node: forbidden",
        "Service: the list takes too long",
    ]
