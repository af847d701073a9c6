"""Ingresses, Gateways and routes: what is read of them, what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from ringfence.errors import InputError
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.encode import encode_cluster
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.entry import EntryPoint, Listener, Parent, Way
from ringfence.model.meta import ObjectKey


def decoded(
    kind: str, spec: str, version: str = ""
) -> Mapping[tuple[str, ObjectKey], EntryPoint]:
    group = "" if kind == "Ingress" else "gateway."
    version = version or f"{group}networking.k8s.io/v1"
    text = (
        f"{{apiVersion: {version}, kind: {kind}, "
        f"metadata: {{name: a, namespace: shop}}, spec: {spec}}}"
    )
    documents = read_documents(text.encode(), "a.yaml")
    cluster = decode_documents(documents, Options()).cluster
    again = "\n---\n".join(json.dumps(one.object) for one in encode_cluster(cluster))
    documents = read_documents(again.encode(), "b.yaml")
    assert decode_documents(documents, Options()).cluster.entries == cluster.entries
    return cluster.entries


def ways(kind: str, spec: str, version: str = "") -> tuple[Way, ...]:
    (entry,) = decoded(kind, spec, version).values()
    assert (entry.kind, entry.key) == (kind, ObjectKey("shop", "a"))
    return entry.ways


def problems(kind: str, spec: str) -> list[str]:
    with pytest.raises(InputError) as error:
        decoded(kind, spec)
    return [f"{one.field}: {one.message}" for one in error.value.problems]


WEB = ObjectKey("shop", "web")


def test_an_ingress_has_a_way_for_its_default_and_for_each_path() -> None:
    spec = """{
      defaultBackend: {service: {name: web, port: {name: http}}},
      rules: [{host: a.example, http: {paths: [
        {path: /x, backend: {service: {name: web, port: {number: 80}}}},
        {path: /y, backend: {resource: {kind: Bucket, name: b}}}]}}]}"""
    assert ways("Ingress", spec) == (
        Way("", "", WEB, "http"),
        Way("a.example", "/x", WEB, 80),
        Way("a.example", "/y", None),
    )


def test_an_ingress_of_v1beta1_is_read_in_its_own_form() -> None:
    spec = "{backend: {serviceName: web, servicePort: %s}}"
    version = "extensions/v1beta1"
    assert ways("Ingress", spec % 80, version) == (Way("", "", WEB, 80),)
    assert ways("Ingress", spec % "http", version) == (Way("", "", WEB, "http"),)


def test_a_route_leads_from_each_host_and_path_to_each_backend() -> None:
    spec = """{hostnames: [a.example, b.example],
      rules: [{matches: [{path: {value: /x}}],
               backendRefs: [{name: web, port: 80},
                             {name: db, namespace: data, port: 1, weight: 0}]}]}"""
    assert ways("HTTPRoute", spec) == (
        Way("a.example", "/x", WEB, 80),
        Way("b.example", "/x", WEB, 80),
        Way("a.example", "/x", ObjectKey("data", "db"), 1),
        Way("b.example", "/x", ObjectKey("data", "db"), 1),
    )


def test_a_method_of_grpc_is_a_path() -> None:
    spec = """{rules: [{matches: [{method: {service: s, method: m}}, {}],
      backendRefs: [{name: web, port: 80}]}]}"""
    assert [way.path for way in ways("GRPCRoute", spec)] == ["/s/m", ""]


@pytest.mark.parametrize("kind", ["TLSRoute", "TCPRoute", "UDPRoute"])
def test_a_route_below_http_has_no_path(kind: str) -> None:
    spec = "{rules: [{backendRefs: [{name: web, port: 80}]}]}"
    version = "gateway.networking.k8s.io/v1alpha2"
    assert ways(kind, spec, version) == (Way("", "", WEB, 80),)


def test_a_backend_that_is_no_service_is_unnamed() -> None:
    spec = "{rules: [{backendRefs: [{group: x.io, kind: Bucket, name: b}]}]}"
    assert ways("HTTPRoute", spec) == (Way("", "", None),)


def test_only_gateways_are_parents() -> None:
    spec = """{parentRefs: [{name: gw, sectionName: h, port: 80},
      {name: gw, namespace: infra}, {kind: Service, group: "", name: web}]}"""
    (entry,) = decoded("HTTPRoute", spec).values()
    assert entry.parents == (
        Parent(ObjectKey("shop", "gw"), "h", 80),
        Parent(ObjectKey("infra", "gw")),
    )


def test_a_gateway_has_its_listeners() -> None:
    spec = "{listeners: [{name: h, hostname: '*.a', port: 80, protocol: HTTP, tls: 7}]}"
    (entry,) = decoded("Gateway", spec).values()
    assert entry.listeners == (Listener("h", "*.a", 80, "HTTP"),)


def test_gateways_of_another_group_are_passed_over() -> None:
    assert decoded("Gateway", "{servers: 7}", "networking.istio.io/v1") == {}


def test_every_wrong_type_of_what_is_read_is_told() -> None:
    spec = """{rules: [{host: 7, http: {paths: [
      {path: [], backend: {service: {name: web, port: {number: http}}}}]}}]}"""
    number = "spec.rules[0].http.paths[0].backend.service.port.number"
    assert problems("Ingress", spec) == [
        "spec.rules[0].host: must be a string, found a number",
        "spec.rules[0].http.paths[0].path: must be a string, found a list",
        f"{number}: must be a whole number, found a string",
    ]
    spec = "{listeners: [{port: 70000}]}"
    assert problems("Gateway", spec) == [
        "spec.listeners[0].port: must be between 1 and 65535, found 70000"
    ]
