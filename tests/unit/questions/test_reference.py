from ipaddress import ip_address, ip_network

import pytest

from ringfence.manifest.labelquery import parse_label_query
from ringfence.model.flow import Protocol
from ringfence.questions.reference import (
    AddressRef,
    BlockRef,
    InternetRef,
    NamespacesRef,
    ObjectRef,
    PodsRef,
    PortRef,
    Reference,
    ReferenceSyntaxError,
    parse_port,
    parse_reference,
    split_port,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("web", ObjectRef("Pod", "here", "web")),
        ("shop/web", ObjectRef("Pod", "shop", "web")),
        ("pod/web", ObjectRef("Pod", "here", "web")),
        ("deploy/web", ObjectRef("Deployment", "here", "web")),
        ("shop/svc/db", ObjectRef("Service", "shop", "db")),
        ("svc/pod/web", ObjectRef("Pod", "svc", "web")),
        ("ns/shop", ObjectRef("Namespace", "", "shop")),
        ("ns:shop", ObjectRef("Namespace", "", "shop")),
        ("node/n1", ObjectRef("Node", "", "n1")),
        ("internet", InternetRef()),
        ("10.1.2.3", AddressRef(ip_address("10.1.2.3"))),
        ("fd00::1", AddressRef(ip_address("fd00::1"))),
        ("[fd00::1]", AddressRef(ip_address("fd00::1"))),
        ("::ffff:10.1.2.3", AddressRef(ip_address("10.1.2.3"))),
        ("10.0.0.0/8", BlockRef(ip_network("10.0.0.0/8"))),
        ("fd00::/8", BlockRef(ip_network("fd00::/8"))),
        ("app=web", PodsRef("here", parse_label_query("app=web"))),
        ("shop/app in (a,b)", PodsRef("shop", parse_label_query("app in (a,b)"))),
        ("ns[env=prod]", NamespacesRef(parse_label_query("env=prod"))),
        ("*", PodsRef(None, parse_label_query(""))),
    ],
)
def test_a_reference_means_one_thing(text: str, meaning: Reference) -> None:
    assert parse_reference(text, "here") == meaning


@pytest.mark.parametrize(
    "text",
    ["", "a/b/c", "a/b/c/d", "ns/node/x", "10.0.0.1/8", "a b", "shop/", "/web", "ns:"],
)
def test_a_text_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_reference(text, "here")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web", ("web", None)),
        ("web:80", ("web", PortRef(80))),
        ("svc/db:http", ("svc/db", PortRef("http"))),
        ("dns:53/udp", ("dns", PortRef(53, Protocol.UDP))),
        ("ns:shop", ("ns:shop", None)),
        ("ns:shop:80", ("ns:shop", PortRef(80))),
        ("fd00::1", ("fd00::1", None)),
        ("[fd00::1]:80", ("[fd00::1]", PortRef(80))),
        ("fd00::/64", ("fd00::/64", None)),
        ("10.0.0.0/8:443", ("10.0.0.0/8", PortRef(443))),
        ("web:*", ("web", PortRef(None))),
    ],
)
def test_a_port_is_split_from_its_destination(
    text: str, parts: tuple[str, PortRef | None]
) -> None:
    assert split_port(text) == parts


@pytest.mark.parametrize("text", ["65536", "", "80/xyz", "-1", "80-90", "a_b"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_port(text)
