"""Metrics have bounded labels, whatever comes and goes."""

from __future__ import annotations

from ringfence.agent.metrics import Denial, Metrics


def samples(metrics: Metrics, namespace: str) -> list[str]:
    lines = metrics.exposition().decode().splitlines()
    said = f'namespace="{namespace}"'
    return [line for line in lines if "_total{" in line and said in line]


def test_denials_add_up_by_namespace() -> None:
    metrics, there = Metrics(), {"shop", "data"}
    for name in ("shop", "data", "shop"):
        metrics.count_denial(Denial("ingress", name, "enforce"), there)
    assert [line.split()[-1] for line in samples(metrics, "shop")] == ["2.0"]
    assert [line.split()[-1] for line in samples(metrics, "data")] == ["1.0"]


def test_namespaces_that_went_are_forgotten() -> None:
    metrics, size = Metrics(), 0
    for number in range(1_000):
        name = f"job-{number}"
        metrics.count_denial(Denial("egress", name, "audit"), {name, "shop"})
        metrics.count_denial(Denial("egress", "shop", "audit"), {name, "shop"})
        size = max(size, metrics.exposition().count(b"ringfence_denied_flows_total{"))
    assert size <= 3
    assert [line.split()[-1] for line in samples(metrics, "shop")] == ["1000.0"]
