"""Pods and pod templates.

Source: kubernetes pkg/apis/core/validation/validation.go, ValidatePodSpec and
ValidatePodCreate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.addresses import check_address
from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.containers import (
    PodContext,
    check_containers,
    check_init_containers,
    check_only_for_pods,
)
from ringfence.manifest.validation.rules.meta import check_labels
from ringfence.manifest.validation.rules.names import (
    dns_label,
    dns_search,
    dns_subdomain,
    in_range,
    label_key,
)
from ringfence.manifest.validation.rules.resources import check_resources
from ringfence.manifest.validation.rules.scheduling import (
    check_affinity,
    check_spreading,
    check_tolerations,
)
from ringfence.manifest.validation.rules.security import check_pod_security
from ringfence.manifest.validation.rules.volumes import check_no_tokens, check_volumes

_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_OS = ("linux", "windows")
_MOST_NAMESERVERS, _MOST_SEARCHES, _MOST_SEARCH_TEXT = 3, 32, 2048
_LAST_INT32 = 2**31 - 1


def check_pod(causes: Causes, pod: Mapping[str, Any], *, strict_cidr: bool) -> None:
    """Check a Pod's spec."""
    spec, path = pod["spec"], ("spec",)
    check_pod_spec(causes, spec, path, strict_cidr=strict_cidr, in_pod=True)
    check_only_for_pods(causes, spec, path)
    if not spec.get("serviceAccountName"):
        check_no_tokens(causes, spec, (*path, "volumes"))
    if spec.get("ephemeralContainers"):
        causes.forbidden((*path, "ephemeralContainers"), "cannot be set on create")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        causes.forbidden((*path, "nodeName"), detail)


def check_pod_spec(
    causes: Causes,
    spec: Mapping[str, Any],
    path: FieldPath,
    *,
    strict_cidr: bool,
    in_pod: bool,
) -> None:
    """Check the spec of a pod or of a template of pods."""
    context = PodContext(spec, check_volumes(causes, spec, (*path, "volumes")))
    check_containers(causes, context, path)
    check_init_containers(causes, context, path)
    _check_host_network(causes, spec, path, in_pod=in_pod)
    _check_words(causes, spec, path)
    check_labels(causes, spec.get("nodeSelector", {}), (*path, "nodeSelector"))
    check_pod_security(causes, spec, (*path, "securityContext"))
    check_affinity(causes, spec, (*path, "affinity"))
    _check_dns(causes, spec, (*path, "dnsConfig"), strict=strict_cidr)
    _check_gates(causes, spec, path)
    constraints = spec.get("topologySpreadConstraints", ())
    check_spreading(causes, constraints, (*path, "topologySpreadConstraints"))
    _check_host_users(causes, spec, path)
    _check_identity(causes, spec, path)
    check_tolerations(causes, spec.get("tolerations", ()), (*path, "tolerations"))
    _check_aliases(causes, spec, (*path, "hostAliases"), strict=strict_cidr)
    _check_classes(causes, spec, path)


def _check_host_network(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath, *, in_pod: bool
) -> None:
    """Check that ports on the host are the container's own; pods have them all."""
    if not spec.get("hostNetwork"):
        return
    for index, container in enumerate(spec.get("containers") or ()):
        for number, port in enumerate(container.get("ports", ())):
            host = port.get("hostPort", 0)
            if (in_pod or host) and host != port.get("containerPort", 0):
                at = (*path, "containers", index, "ports", number, "hostPort")
                detail = "must match `containerPort` when `hostNetwork` is true"
                causes.invalid(at, host, detail)


def _check_words(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    for name, words in (("restartPolicy", _RESTART), ("dnsPolicy", _DNS)):
        word = spec.get(name, "")
        if word not in words:
            causes.not_supported((*path, name), word, words)


def _check_dns(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath, *, strict: bool
) -> None:
    config, none = spec.get("dnsConfig"), spec.get("dnsPolicy") == "None"
    if config is None:
        if none:
            causes.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        return
    servers, searches = config.get("nameservers", []), config.get("searches", [])
    at = (*path, "nameservers")
    if none and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.required(at, detail)
        return
    if len(servers) > _MOST_NAMESERVERS:
        detail = f"must not have more than {_MOST_NAMESERVERS} nameservers"
        causes.invalid(at, servers, detail)
    for index, server in enumerate(servers):
        check_address(causes, (*at, index), server, strict=strict)
    _check_searches(causes, searches, (*path, "searches"))
    for index, option in enumerate(config.get("options", ())):
        if not option.get("name"):
            causes.required((*path, "options", index), "must not be empty")


def _check_searches(causes: Causes, searches: list[str], path: FieldPath) -> None:
    if len(searches) > _MOST_SEARCHES:
        detail = f"must not have more than {_MOST_SEARCHES} search paths"
        causes.invalid(path, searches, detail)
    if len(" ".join(searches)) > _MOST_SEARCH_TEXT:
        detail = (
            f"must not have more than {_MOST_SEARCH_TEXT} characters "
            "(including spaces) in the search list"
        )
        causes.invalid(path, searches, detail)
    for index, search in enumerate(searches):
        name = search.removesuffix(".")
        if search != ".":
            causes.invalid_each((*path, index), name, dns_search(name))


def _check_gates(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    for index, gate in enumerate(spec.get("readinessGates", ())):
        kind = gate.get("conditionType", "")
        at = (*path, "readinessGates", index, "conditionType")
        causes.invalid_each(at, kind, label_key(kind))
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates", ())):
        name, at = gate.get("name", ""), (*path, "schedulingGates", index)
        causes.invalid_each(at, name, label_key(name))
        if name in seen:
            causes.duplicate(at, name)
        seen.add(name)


def _check_host_users(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    if spec.get("hostUsers", True):
        return
    for name, told in (
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ):
        if spec.get(name):
            causes.forbidden((*path, told), "when `hostUsers` is false")


def _check_identity(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    deadline = spec.get("activeDeadlineSeconds")
    for name, rule in (
        ("serviceAccountName", dns_subdomain),
        ("nodeName", dns_subdomain),
        ("activeDeadlineSeconds", None),
        ("hostname", dns_label),
        ("subdomain", dns_label),
    ):
        if rule is None:
            if deadline is not None:
                messages = in_range(deadline, 1, _LAST_INT32)
                causes.invalid_each((*path, name), deadline, messages)
        elif spec.get(name):
            causes.invalid_each((*path, name), spec[name], rule(spec[name]))


def _check_aliases(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath, *, strict: bool
) -> None:
    for index, alias in enumerate(spec.get("hostAliases", ())):
        at = (*path, index)
        check_address(causes, (*at, "ip"), alias.get("ip", ""), strict=strict)
        for number, name in enumerate(alias.get("hostnames", ())):
            causes.invalid_each((*at, "hostnames", number), name, dns_subdomain(name))


def _check_classes(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    for name in ("priorityClassName", "runtimeClassName"):
        word = spec.get(name)
        if word:
            causes.invalid_each((*path, name), word, dns_subdomain(word))
    preemption = spec.get("preemptionPolicy")
    if preemption is not None and preemption not in _PREEMPTION:
        causes.not_supported((*path, "preemptionPolicy"), preemption, _PREEMPTION)
    if "overhead" in spec:
        overhead = {"resources": {"limits": spec["overhead"]}}
        check_resources(causes, overhead, {}, (*path, "overhead"))
    system = spec.get("os")
    if system is not None:
        name = system.get("name", "")
        if not name:
            causes.required((*path, "os", "name"))
        elif name not in _OS:
            causes.not_supported((*path, "os"), name, _OS)
