"""Probes and lifecycle handlers of a container.

Source: kubernetes pkg/apis/core/validation/validation.go, validateProbe,
validateHandler and validateLifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.names import (
    header_name,
    port_name,
    port_number,
)

_SCHEMES = ("HTTP", "HTTPS")
_COUNTS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
NOT_NEGATIVE = "must be greater than or equal to 0"


def check_probes(causes: Causes, container: Mapping[str, Any], path: FieldPath) -> None:
    """Check a container's three probes."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        at = (*path, name)
        _check_probe(causes, probe, at)
        grace = probe.get("terminationGracePeriodSeconds")
        if name == "readinessProbe":
            if grace is not None:
                detail = "must not be set for readinessProbes"
                causes.invalid((*at, "terminationGracePeriodSeconds"), grace, detail)
        elif probe.get("successThreshold", 1) != 1:
            threshold = probe["successThreshold"]
            causes.invalid((*at, "successThreshold"), threshold, "must be 1")


def _check_probe(causes: Causes, probe: Mapping[str, Any], path: FieldPath) -> None:
    _check_handler(causes, probe, _PROBE_HANDLERS, path)
    for name in _COUNTS:
        if probe.get(name, 0) < 0:
            causes.invalid((*path, name), probe[name], NOT_NEGATIVE)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        at = (*path, "terminationGracePeriodSeconds")
        causes.invalid(at, grace, "must be greater than 0")


def check_lifecycle(
    causes: Causes,
    container: Mapping[str, Any],
    spec: Mapping[str, Any],
    path: FieldPath,
) -> None:
    """Check a container's hooks."""
    lifecycle = container.get("lifecycle")
    if lifecycle is None:
        return
    grace = spec.get("terminationGracePeriodSeconds")
    for hook in ("postStart", "preStop"):
        if hook in lifecycle:
            at = (*path, "lifecycle", hook)
            _check_handler(causes, lifecycle[hook], _HOOK_HANDLERS, at, grace)


def _check_handler(
    causes: Causes,
    handler: Mapping[str, Any],
    kinds: tuple[str, ...],
    path: FieldPath,
    grace: int | None = None,
) -> None:
    found = [kind for kind in kinds if kind in handler]
    if not found:
        causes.required(path, "must specify a handler type")
        return
    first = found[0]
    action, at = handler[first], (*path, first)
    match first:
        case "exec":
            if not action.get("command"):
                causes.required((*at, "command"))
        case "httpGet":
            _check_http(causes, action, at)
        case "sleep":
            _check_sleep(causes, action.get("seconds", 0), grace, at)
        case _:
            check_port(causes, action.get("port", 0), (*at, "port"))
    for extra in found[1:]:
        detail = "may not specify more than 1 handler type"
        causes.forbidden((*path, extra), detail)


def _check_http(causes: Causes, action: Mapping[str, Any], path: FieldPath) -> None:
    check_port(causes, action.get("port", 0), (*path, "port"))
    scheme = action.get("scheme", "HTTP")
    if scheme not in _SCHEMES:
        causes.not_supported((*path, "scheme"), scheme, _SCHEMES)
    for header in action.get("httpHeaders", ()):
        name = header.get("name", "")
        causes.invalid_each((*path, "httpHeaders"), name, header_name(name))


def _check_sleep(
    causes: Causes, seconds: int, grace: int | None, path: FieldPath
) -> None:
    if grace is not None and not 0 <= seconds <= grace:
        detail = (
            "must be non-negative and less than terminationGracePeriodSeconds "
            f"({grace})"
        )
        causes.invalid(path, seconds, detail)


def check_port(causes: Causes, port: int | str, path: FieldPath) -> None:
    """Check a port given by number or name."""
    messages = port_number(port) if isinstance(port, int) else port_name(port)
    causes.invalid_each(path, port, messages)
