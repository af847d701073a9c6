"""Services.

Source: kubernetes pkg/apis/core/v1/defaults.go and
pkg/apis/core/validation/validation.go, ValidateService. Addresses and node ports
that the server allocates are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from ringfence.manifest.validation.rules.addresses import (
    check_address,
    check_block,
    parse_address,
)
from ringfence.manifest.validation.rules.causes import Causes, FieldPath, Word
from ringfence.manifest.validation.rules.meta import check_labels
from ringfence.manifest.validation.rules.names import (
    dns_label,
    dns_subdomain,
    in_range,
    label_key,
    port_number,
)
from ringfence.manifest.validation.rules.probes import check_port

_PATH: FieldPath = ("spec",)
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_OUTSIDE = ("NodePort", "LoadBalancer")
_FAMILIES = ("IPv4", "IPv6")
_LINK_LOCAL_GROUPS = ip_network("224.0.0.0/24")
_LINK_LOCAL_GROUPS_6 = ip_network("ff02::/16")
_STICKY_SECONDS, _MOST_STICKY_SECONDS = 10800, 86400


def default_service(service: dict[str, Any]) -> None:
    """Fill in a Service."""
    spec = service["spec"]
    _default_affinity(spec)
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {None, 0, ""}:
            port["targetPort"] = port.get("port", 0)
    if spec["type"] in _OUTSIDE:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] in {"ClusterIP", *_OUTSIDE}:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    service["status"] = {"loadBalancer": {}}


def _default_affinity(spec: dict[str, Any]) -> None:
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        client = config.setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", _STICKY_SECONDS)


def check_service(
    causes: Causes, service: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a Service's spec."""
    spec = service["spec"]
    kind, headless = spec["type"], spec.get("clusterIP") == "None"
    ports = spec.get("ports", ())
    if not ports and not headless and kind != "ExternalName":
        causes.required((*_PATH, "ports"))
    if kind == "LoadBalancer" and headless:
        detail = "may not be set to 'None' for LoadBalancer services"
        causes.invalid((*_PATH, "clusterIPs", 0), "None", detail)
    elif kind == "NodePort" and headless:
        detail = "may not be set to 'None' for NodePort services"
        causes.invalid((*_PATH, "clusterIPs", 0), "None", detail)
    elif kind == "ExternalName":
        _check_external_name(causes, spec)
    _check_ports(causes, spec, headless=headless)
    check_labels(causes, spec.get("selector", {}), (*_PATH, "selector"))
    _check_words(causes, spec)
    for index, address in enumerate(spec.get("externalIPs", ())):
        at = (*_PATH, "externalIPs", index)
        before = len(causes.found)
        check_address(causes, at, address, strict=strict_cidr)
        if len(causes.found) == before:
            _check_reachable(causes, at, address)
    _check_cluster_addresses(causes, spec, strict=strict_cidr)
    for index, block in enumerate(spec.get("loadBalancerSourceRanges", ())):
        at = (*_PATH, "LoadBalancerSourceRanges", index)
        if kind != "LoadBalancer":
            continue
        check_block(causes, at, block.strip(), strict=strict_cidr)


def _check_reachable(causes: Causes, path: FieldPath, text: str) -> None:
    """Check that an address from outside is one that can be."""
    address = ip_address(str(parse_address(text)))
    for bad, detail in (
        (address.is_unspecified, "may not be unspecified (0.0.0.0 or ::)"),
        (
            address.is_loopback,
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            address.is_link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            address in _LINK_LOCAL_GROUPS or address in _LINK_LOCAL_GROUPS_6,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ):
        if bad:
            causes.invalid(path, text, detail)


def _check_cluster_addresses(
    causes: Causes, spec: Mapping[str, Any], *, strict: bool
) -> None:
    addresses = spec.get("clusterIPs", ())
    for index, address in enumerate(addresses):
        if address not in {"None", ""}:
            at = (*_PATH, "clusterIPs", index)
            check_address(causes, at, address, strict=strict)
    seen: set[str] = set()
    for index, family in enumerate(spec.get("ipFamilies", ())):
        at = (*_PATH, "ipFamilies", index)
        if family not in _FAMILIES:
            causes.not_supported(at, family, _FAMILIES)
        if family in seen:
            causes.duplicate(at, Word(family))
        seen.add(family)


def _check_external_name(causes: Causes, spec: Mapping[str, Any]) -> None:
    name = spec.get("externalName", "").removesuffix(".")
    if name:
        messages = dns_subdomain(name)
        causes.invalid_each((*_PATH, "externalName"), name, messages)
    else:
        causes.required((*_PATH, "externalName"))


def _check_words(causes: Causes, spec: Mapping[str, Any]) -> None:
    affinity = spec["sessionAffinity"]
    if affinity not in _AFFINITIES:
        at = (*_PATH, "sessionAffinity")
        causes.not_supported(at, affinity, _AFFINITIES)
    if affinity == "ClientIP":
        seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        if not 0 < seconds <= _MOST_STICKY_SECONDS:
            at = (*_PATH, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
            detail = f"must be greater than 0 and less than {_MOST_STICKY_SECONDS}"
            causes.invalid(at, seconds, detail)
    if spec["type"] not in _TYPES:
        causes.not_supported((*_PATH, "type"), spec["type"], _TYPES)


def _check_ports(causes: Causes, spec: Mapping[str, Any], *, headless: bool) -> None:
    ports = spec.get("ports", ())
    names: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        at = (*_PATH, "ports", index)
        _check_port(causes, port, names, at, needs_name=len(ports) > 1)
        node = port.get("nodePort", 0)
        if node and spec["type"] == "ClusterIP" and not headless:
            detail = "may not be used when `type` is 'ClusterIP'"
            causes.forbidden((*at, "nodePort"), detail)
        elif node:
            causes.invalid_each((*at, "nodePort"), node, in_range(node, 1, 65535))
    for index, port in enumerate(ports):
        key = port.get("protocol", ""), port.get("port", 0)
        if key in seen:
            shown: dict[str, object] = {"Name": "", "Protocol": key[0]}
            shown["AppProtocol"] = None
            shown |= {"Port": key[1], "TargetPort": 0, "NodePort": 0}
            causes.duplicate((*_PATH, "ports", index), shown)
        seen.add(key)


def _check_port(
    causes: Causes,
    port: Mapping[str, Any],
    names: set[str],
    path: FieldPath,
    *,
    needs_name: bool,
) -> None:
    name = port.get("name", "")
    if name:
        causes.invalid_each((*path, "name"), name, dns_label(name))
        if name in names:
            causes.duplicate((*path, "name"), name)
        names.add(name)
    elif needs_name:
        causes.required((*path, "name"))
    number = port.get("port", 0)
    causes.invalid_each((*path, "port"), number, port_number(number))
    protocol = port["protocol"]
    if protocol not in _PROTOCOLS:
        causes.not_supported((*path, "protocol"), protocol, _PROTOCOLS)
    check_port(causes, port["targetPort"], (*path, "targetPort"))
    application = port.get("appProtocol")
    if application is not None:
        causes.invalid_each((*path, "appProtocol"), application, label_key(application))
