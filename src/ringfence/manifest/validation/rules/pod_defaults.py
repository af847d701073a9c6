"""What the API server fills into pods and pod templates.

Source: kubernetes pkg/apis/core/v1/defaults.go, the admission plugins
DefaultTolerationSeconds and Priority, and the pod strategy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any, TypeAlias

from ringfence.manifest.validation.quantity import canonical_quantity, quantity
from ringfence.manifest.validation.rules.containers import every_container

Spec: TypeAlias = dict[str, Any]

_DIGEST = re.compile(r"@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z0-9]+)*:[0-9a-fA-F]{32,}$")
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
}
_PROBE = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_MODE = 0o644
_HOUR = 3600
_EVICTED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EVICTED_AFTER = 300


def default_pod(pod: Spec) -> None:
    """Fill in what a Pod gets before it is validated."""
    spec = pod["spec"]
    default_pod_spec(spec)
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            _default_requests(container["resources"])
    spec.setdefault("enableServiceLinks", True)
    if spec.get("hostNetwork"):
        for kind in ("containers", "initContainers"):
            for container in spec.get(kind) or ():
                for port in container.get("ports", ()):
                    if not port.get("hostPort") and port.get("containerPort"):
                        port["hostPort"] = port["containerPort"]
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    _admit(spec)
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _admit(spec: Spec) -> None:
    """Do what the admission plugins that are on by default do."""
    tolerations = spec.get("tolerations", [])
    for key in _EVICTED:
        if not any(_tolerates(each, key) for each in tolerations):
            tolerations = [
                *tolerations,
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _EVICTED_AFTER,
                },
            ]
    spec["tolerations"] = tolerations
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _tolerates(toleration: Mapping[str, Any], key: str) -> bool:
    return toleration.get("key", "") in {key, ""} and toleration.get("effect", "") in {
        "NoExecute",
        "",
    }


def default_pod_spec(spec: Spec) -> None:
    """Fill in what the spec of a pod or of a template gets."""
    for name, value in _SPEC.items():
        if not spec.get(name) and name != "terminationGracePeriodSeconds":
            spec[name] = value
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in spec.get("volumes", ()):
        _default_volume(volume)
    for container, _ in every_container(spec, ()):
        _default_container(dict_of(container))


def dict_of(value: Mapping[str, Any]) -> Spec:
    """Return a decoded object as the dict that it is."""
    if not isinstance(value, dict):
        raise TypeError(type(value))
    return value


def _default_container(container: Spec) -> None:
    if not container.get("imagePullPolicy"):
        latest = image_tag(container.get("image", "")) == "latest"
        container["imagePullPolicy"] = "Always" if latest else "IfNotPresent"
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        _default_references(variable.get("valueFrom", {}))
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _default_probe(container[name])
    lifecycle = container.get("lifecycle", {})
    lifecycle.pop("stopSignal", None)
    for handler in lifecycle.values():
        _default_http(handler)
    for amounts in container.get("resources", {}).values():
        if isinstance(amounts, dict):
            _round_up(amounts)


def _default_references(source: Spec) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _default_probe(probe: Spec) -> None:
    for name, value in _PROBE.items():
        probe.setdefault(name, value)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")
    _default_http(probe)


def _default_http(handler: Spec) -> None:
    if "httpGet" in handler:
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")


def _round_up(amounts: Spec) -> None:
    """Round amounts up to thousandths."""
    for name, text in amounts.items():
        value = quantity(text)
        rounded = Fraction(ceil(value * 1000), 1000)
        if rounded != value:
            amounts[name] = canonical_quantity(f"{ceil(value * 1000)}m")


def _default_requests(resources: Spec) -> None:
    """Let requests be the limits where they are not said."""
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**limits, **resources.get("requests", {})}


def image_tag(image: str) -> str:
    """Return an image's tag, ``latest`` where it has neither tag nor digest."""
    if _DIGEST.search(image):
        return ""
    name = image.rpartition("/")[2]
    found = _TAG.search(name)
    if found:
        return found[1]
    return "latest" if _NAME.fullmatch(name) else ""


def _default_volume(volume: Spec) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", _MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for item in volume.get("downwardAPI", {}).get("items", ()):
        _default_references(item)
    _default_sources(volume)


def _default_sources(volume: Spec) -> None:
    claim = volume.get("ephemeral", {}).get("volumeClaimTemplate")
    if claim is not None:
        claim["spec"].setdefault("volumeMode", "Filesystem")
    for source in volume.get("projected", {}).get("sources") or ():
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", _HOUR)
        for item in source.get("downwardAPI", {}).get("items", ()):
            _default_references(item)
    if "image" in volume and not volume["image"].get("pullPolicy"):
        latest = image_tag(volume["image"].get("reference", "")) == "latest"
        volume["image"]["pullPolicy"] = "Always" if latest else "IfNotPresent"


def _quality(spec: Mapping[str, Any]) -> str:
    """Return the pod's quality of service class (pkg/apis/core/v1/helper/qos)."""
    requests: dict[str, Fraction] = {}
    limits: dict[str, Fraction] = {}
    guaranteed = True
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            resources = container.get("resources", {})
            _add(requests, resources.get("requests", {}))
            limited = _add(limits, resources.get("limits", {}))
            guaranteed = guaranteed and limited == {"cpu", "memory"}
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and requests == limits:
        return "Guaranteed"
    return "Burstable"


def _add(total: dict[str, Fraction], amounts: Mapping[str, str]) -> set[str]:
    """Add cpu and memory to the total; return which of them there are."""
    found = set()
    for name in ("cpu", "memory"):
        value = quantity(amounts[name]) if name in amounts else Fraction(0)
        if value > 0:
            total[name] = total.get(name, Fraction(0)) + value
            found.add(name)
    return found
