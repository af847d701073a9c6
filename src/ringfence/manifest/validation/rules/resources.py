"""Resource requests and limits.

Source: kubernetes pkg/apis/core/validation/validation.go,
validateResourceRequirements, and pkg/apis/core/helper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.quantity import quantity
from ringfence.manifest.validation.rules.causes import Causes, FieldPath, Key
from ringfence.manifest.validation.rules.names import label_key
from ringfence.manifest.validation.rules.probes import NOT_NEGATIVE

_CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD = _CONTAINER | {
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
}
_COUNTED = frozenset(
    {
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_HUGE = "hugepages-"
_NATIVE = "kubernetes.io/"


def check_resources(
    causes: Causes,
    container: Mapping[str, Any],
    spec: Mapping[str, Any],
    path: FieldPath,
) -> None:
    """Check a container's limits, requests and claims."""
    resources = container.get("resources", {})
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    for name in sorted(limits):
        _check_value(causes, name, limits[name], (*path, "limits", Key(name)))
    for name in sorted(requests):
        _check_value(causes, name, requests[name], (*path, "requests", Key(name)))
        _check_against_limit(causes, name, requests[name], limits.get(name), path)
    names = {*limits, *requests}
    huge = any(name.startswith(_HUGE) for name in names)
    if huge and not names & {"cpu", "memory"}:
        causes.forbidden(path, "HugePages require cpu or memory")
    _check_claims(causes, resources, spec, (*path, "claims"))


def _check_against_limit(
    causes: Causes, name: str, request: str, limit: str | None, path: FieldPath
) -> None:
    overcommitted = _native(name) and not name.startswith(_HUGE)
    at = (*path, "requests")
    if limit is None:
        if not overcommitted:
            detail = "Limit must be set for non overcommitable resources"
            causes.required((*path, "limits"), detail)
    elif not overcommitted and quantity(request) != quantity(limit):
        causes.invalid(at, request, f"must be equal to {name} limit of {limit}")
    elif quantity(request) > quantity(limit):
        detail = f"must be less than or equal to {name} limit of {limit}"
        causes.invalid(at, request, detail)


def _check_value(causes: Causes, name: str, text: str, path: FieldPath) -> None:
    messages = label_key(name)
    causes.invalid_each(path, name, messages)
    huge = name.startswith(_HUGE)
    if "/" not in name:
        if not messages and name not in _STANDARD and not huge:
            detail = "must be a standard resource type or fully qualified"
            causes.invalid(path, name, detail)
        if name not in _CONTAINER and not huge:
            causes.invalid(path, name, "must be a standard resource for containers")
    elif not _native(name) and not _extended(name):
        causes.invalid(path, name, "doesn't follow extended resource name standard")
    check_amount(causes, name, text, path)


def check_amount(causes: Causes, name: str, text: str, path: FieldPath) -> None:
    """Check that an amount is not negative, and whole where it counts things."""
    value = quantity(text)
    if value < 0:
        causes.invalid(path, text, NOT_NEGATIVE)
    if (name in _COUNTED or _extended(name)) and value.denominator != 1:
        causes.invalid(path, text, "must be an integer")


def _native(name: str) -> bool:
    return "/" not in name or _NATIVE in name


def _extended(name: str) -> bool:
    if _native(name) or name.startswith("requests."):
        return False
    return not label_key(f"requests.{name}")


def _check_claims(
    causes: Causes,
    resources: Mapping[str, Any],
    spec: Mapping[str, Any],
    path: FieldPath,
) -> None:
    known = {claim.get("name", "") for claim in spec.get("resourceClaims", ())}
    seen: set[str] = set()
    for index, claim in enumerate(resources.get("claims", ())):
        name = claim.get("name", "")
        if not name:
            causes.required((*path, index))
            continue
        if name in seen:
            causes.duplicate((*path, index), name)
        seen.add(name)
        if name not in known:
            detail = "must be one of the names in pod.spec.resourceClaims"
            if not known:
                detail += " which is empty"
            causes.not_found((*path, index), name, detail)
