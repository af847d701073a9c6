"""The matrix, checked against the engine's answers flow by flow."""

from __future__ import annotations

from ipaddress import ip_address

from ringfence.analysis.matrix import By, Cell, Endpoint, Matrix, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.engine.evaluate import evaluate
from ringfence.model.cluster import Cluster
from ringfence.model.flow import AddressEnd, End, Flow, PodEnd, Protocol
from ringfence.model.verdict import Outcome
from worlds import block, cluster, egress, ingress, key, peer, pod, rule, tcp

WORLD = cluster(
    pod("web-1", "app=web", "10.0.0.1"),
    pod("web-2", "app=web", "10.0.0.2"),
    pod("db", "app=db", "10.0.0.3"),
    pod("tools/job", "app=job", "10.0.1.1"),
    pod("old", "app=web", "10.0.0.9", phase="Succeeded"),
    ingress("db-in", "app=db", rule([peer("app=web")], [tcp(5432)])),
    ingress(
        "web-in",
        "app=web",
        rule([block("192.0.2.0/24", "192.0.2.64/26")], [tcp(80, 90)]),
    ),
    egress("job-out", "app=job"),
)


def end(endpoint: Endpoint) -> End:
    if endpoint.pods:
        return PodEnd(endpoint.pods[0])
    return AddressEnd(endpoint.cidrs[0][1])


def cells_of(result: Matrix) -> dict[tuple[int, int], Cell]:
    return {(row, column): cell for row, column, cell in result.cells()}


def found(world: Cluster, by: By) -> Matrix:
    return matrix(compile_cluster(world), by)


def test_every_cell_says_what_the_engine_says_of_single_ports() -> None:
    compiled = compile_cluster(WORLD)
    result = matrix(compiled, By.POD)
    cells = cells_of(result)
    for row, one in enumerate(result.endpoints):
        for column, other in enumerate(result.endpoints):
            if row == column or not (one.pods or other.pods):
                continue
            for port in (79, 80, 90, 91, 5432, 5433):
                flow = Flow(end(one), end(other), Protocol.TCP, port)
                verdict = evaluate(compiled, flow)
                cell = cells.get((row, column))
                listed = cell is not None and cell.allowed.holds("TCP", port)
                assert listed == (verdict.outcome is Outcome.ALLOW)


def test_pods_that_no_policy_tells_apart_are_one_class() -> None:
    classes = [e.pods for e in found(WORLD, By.CLASS).endpoints if e.pods]
    assert (key("web-1"), key("web-2")) in classes


def test_replicas_of_a_class_reach_one_another_but_no_pod_itself() -> None:
    result = found(cluster(pod("a", "x=1"), pod("b", "x=1"), pod("c")), By.CLASS)
    ids = [e.id for e in result.endpoints]
    twins, single = ids.index("default/x=1"), ids.index("default/*")
    assert (twins, twins) in cells_of(result)
    assert (single, single) not in cells_of(result)


def test_the_outside_is_split_only_where_blocks_split_it() -> None:
    outside = [e for e in found(WORLD, By.POD).endpoints if e.cidrs]
    assert len(outside) == 2
    (inside,) = [e for e in outside if len(e.cidrs) == 2]
    assert [str(c) for c in inside.cidrs] == ["192.0.2.0/26", "192.0.2.128/25"]


def test_outside_endpoints_cover_every_address_once() -> None:
    outside = [e.cidrs for e in found(WORLD, By.POD).endpoints if e.cidrs]
    for text in ("1.1.1.1", "192.0.2.1", "192.0.2.64", "10.0.0.1", "255.255.255.255"):
        address = ip_address(text)
        assert sum(address in c for cidrs in outside for c in cidrs) == 1


def test_a_finished_pod_is_no_endpoint() -> None:
    assert all(key("old") not in e.pods for e in found(WORLD, By.NAMESPACE).endpoints)


def test_a_group_whose_pods_differ_is_mixed() -> None:
    result = found(WORLD, By.NAMESPACE)
    ids = [e.id for e in result.endpoints]
    outside = next(i for i, e in enumerate(result.endpoints) if len(e.cidrs) == 2)
    assert cells_of(result)[outside, ids.index("ns/default")].mixed
