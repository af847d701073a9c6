from __future__ import annotations

from dataclasses import replace

import pytest

from ringfence.model.cluster import Cluster
from ringfence.model.flow import NodeEnd, PodEnd, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import (
    ContainerPort,
    Node,
    Owner,
    Pod,
    Service,
    ServicePort,
    Workload,
)
from ringfence.questions.reference import parse_port, parse_reference
from ringfence.questions.resolve import (
    Question,
    UnknownEndpointError,
    find_pod,
    find_policy,
    resolve,
)
from worlds import cluster, ingress, key, labels, pod

HTTP = ContainerPort(8080, Protocol.TCP, "http")


def owning(
    kind: str, template: Pod, name: str
) -> dict[tuple[str, ObjectKey], Workload]:
    return {(kind, key(name)): Workload(kind, key(name), template)}


def asked(world: Cluster, source: str, to: str, port: str = "80") -> Question:
    return resolve(
        world,
        parse_reference(source, "default"),
        parse_reference(to, "default"),
        parse_port(port),
    )


def service(name: str, selector: str | None, *ports: ServicePort) -> Service:
    chosen = None if selector is None else labels(selector)
    return Service(key(name), "ClusterIP", chosen, ports)


def test_a_service_means_its_pods_and_their_target_ports() -> None:
    world = cluster(
        pod("web"),
        pod("a", "app=api", ports=[HTTP]),
        pod("b", "app=api", ports=[ContainerPort(9090, name="http")]),
        service("api", "app=api", ServicePort(80, "http")),
    )
    flows = asked(world, "web", "svc/api").flows
    assert [
        (str(f.destination.key), f.port)
        for f in flows
        if isinstance(f.destination, PodEnd)
    ] == [("default/a", 8080), ("default/b", 9090)]


@pytest.mark.parametrize(
    ("port", "reached"), [("80", 80), ("8080", 8080), ("http", 8080), ("*", 8080)]
)
def test_a_headless_service_translates_no_number(port: str, reached: int) -> None:
    listed = ServicePort(80, "http", name="http")
    headless = replace(service("api", "app=api", listed), headless=True)
    world = cluster(pod("web"), pod("a", "app=api", ports=[HTTP]), headless)
    question = asked(world, "web", "svc/api", port)
    assert [flow.port for flow in question.flows] == [reached]


def test_a_service_without_selector_leaves_the_question_open() -> None:
    world = cluster(pod("web"), service("api", None, ServicePort(80, 80)))
    question = asked(world, "web", "svc/api")
    assert not question.flows
    assert "no selector" in question.unresolved[0]


def test_an_external_name_means_no_pod_though_it_selects_some() -> None:
    listed = service("api", "app=api", ServicePort(80, 80))
    alias = replace(listed, type="ExternalName")
    world = cluster(pod("web"), pod("a", "app=api"), alias)
    question = asked(world, "web", "svc/api")
    assert not question.flows
    assert "is an ExternalName" in question.unresolved[0]


def test_a_port_that_a_service_lacks_is_an_error_that_lists_its_ports() -> None:
    world = cluster(
        pod("web", "app=web"), service("api", "app=web", ServicePort(80, 80))
    )
    with pytest.raises(
        UnknownEndpointError, match=r"has no port 81/TCP; it has 80/TCP"
    ):
        asked(world, "web", "svc/api", "81")


def test_a_missing_pod_is_named_with_what_is_near() -> None:
    world = cluster(pod("shop/web-1"))
    with pytest.raises(UnknownEndpointError, match=r"no pod web in shop.*web-1"):
        asked(world, "shop/web", "internet")


def test_kinds_are_told_in_the_plural() -> None:
    world = cluster(pod("web"), ingress("deny", ""))
    with pytest.raises(UnknownEndpointError, match="; pods there: web"):
        find_pod(world, key("x"))
    with pytest.raises(UnknownEndpointError, match="; NetworkPolicies there: deny"):
        find_policy(world, key("x"))


def test_a_pod_of_another_namespace_is_suggested() -> None:
    world = cluster(pod("shop/web"), pod("db"))
    with pytest.raises(UnknownEndpointError, match="did you mean shop/web"):
        asked(world, "web", "db")


def test_a_port_name_that_exists_nowhere_is_an_error() -> None:
    world = cluster(pod("web", ports=[HTTP]), pod("db"))
    with pytest.raises(UnknownEndpointError, match="did you mean http/TCP"):
        asked(world, "db", "web", "htp")


def test_a_port_name_that_only_others_have_leaves_the_question_open() -> None:
    world = cluster(pod("web", ports=[HTTP]), pod("db"))
    assert asked(world, "web", "db", "http").unresolved


def test_an_address_of_a_live_pod_means_the_pod_not_a_finished_one() -> None:
    world = cluster(
        pod("old", "", "10.0.0.1", phase="Succeeded"),
        pod("new", "", "10.0.0.1"),
        pod("web"),
    )
    (flow,) = asked(world, "web", "10.0.0.1").flows
    assert isinstance(flow.destination, PodEnd)
    assert flow.destination.key.name == "new"


def test_a_finished_pod_is_no_endpoint() -> None:
    world = cluster(pod("old", phase="Failed"), pod("web"))
    with pytest.raises(UnknownEndpointError, match="no endpoint any more"):
        asked(world, "web", "old")


def test_an_address_of_a_node_means_the_node() -> None:
    address = pod("x", "", "10.0.0.5").addresses
    world = cluster(pod("web"), Node("n1", {}, address))
    (flow,) = asked(world, "web", "10.0.0.5").flows
    assert flow.destination == NodeEnd("n1", address[0])


def test_an_address_of_a_host_network_pod_alone_means_that_pod() -> None:
    agents = [
        pod(name, "", "10.0.0.5", node="n1", host_network=True) for name in ("b", "a")
    ]
    world = cluster(pod("web"), *agents, Node("n1", {}))
    (flow,) = asked(world, "web", "10.0.0.5").flows
    assert flow.destination == PodEnd(agents[1].key, agents[1].addresses[0])


def test_pairs_of_a_pod_with_itself_are_left_out_of_a_group() -> None:
    world = cluster(pod("a", "app=x"), pod("b", "app=x"))
    assert len(asked(world, "app=x", "app=x").flows) == 2


def test_a_workload_of_the_name_is_suggested_where_no_pod_has_it() -> None:
    made = pod("db-0", "app=db")
    world = replace(
        cluster(pod("web"), made),
        workloads={
            ("StatefulSet", key("db")): Workload("StatefulSet", key("db"), made)
        },
    )
    with pytest.raises(UnknownEndpointError, match="did you mean default/sts/db"):
        asked(world, "web", "db")


def test_a_cronjob_means_the_pods_of_jobs_that_files_do_not_hold() -> None:
    made = pod("dump-1-x", "app=dump", owner=Owner("Job", "dump-1"))
    other = pod("dumper", "app=dump", owner=Owner("Job", "other-1"))
    template = pod("dump", "app=dump")
    world = replace(
        cluster(pod("db"), made, other),
        workloads=owning("CronJob", template, "dump"),
    )
    ends = [f.source for f in asked(world, "cronjob/dump", "db").flows]
    assert ends == [PodEnd(key("dump-1-x"))]
