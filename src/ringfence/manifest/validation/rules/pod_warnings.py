"""What the API server warns about in pods and pod templates.

Source: kubernetes pkg/api/pod/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ringfence.manifest.text.gotext import quote
from ringfence.manifest.validation.quantity import quantity
from ringfence.manifest.validation.rules.addresses import address_warnings
from ringfence.manifest.validation.rules.causes import FieldPath, Key, field_text
from ringfence.manifest.validation.rules.containers import Container, every_container
from ringfence.manifest.validation.rules.names import dns_label

_DEPRECATED = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": (
        'non-functional in v1.11+; use the "sysctls" field instead'
    ),
    "security.alpha.kubernetes.io/unsafe-sysctls": (
        'non-functional in v1.11+; use the "sysctls" field instead'
    ),
}
_OLD_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_WHOLE = ("memory", "ephemeral-storage")


def pod_warnings(pod: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is odd about a Pod that was accepted."""
    messages = dns_label(pod["metadata"]["name"])
    if messages:
        yield (
            "metadata.name: this is used in the Pod's hostname, which can result in "
            "surprising behavior; a DNS label is recommended: "
            f"[{' '.join(messages)}]"
        )
    yield from template_warnings(pod, ())


def template_warnings(template: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    """Yield what is odd about a pod or a template of pods."""
    spec, here = template["spec"], (*path, "spec")
    yield from _unspread(spec, here)
    annotations = template.get("metadata", {}).get("annotations", {})
    for key, message in _DEPRECATED.items():
        if key in annotations:
            at = (*path, "metadata", "annotations", Key(key))
            yield f"{field_text(at)}: {message}"
    yield from _old_volumes(spec, (*here, "volumes"))
    yield from _repeated(spec, "hostAliases", "ip", here)
    yield from _repeated(spec, "imagePullSecrets", "name", here)
    for container, at in every_container(spec, here):
        yield from _fractions(container, at)
        yield from _hidden_variables(container, (*at, "env"))
    yield from _port_clashes(spec, here)
    yield from _port_names(spec, here)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        at = (*here, "terminationGracePeriodSeconds")
        detail = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{field_text(at)}: {detail}"
    yield from _unselected(spec, here)
    for index, server in enumerate(spec.get("dnsConfig", {}).get("nameservers", ())):
        yield from address_warnings((*here, "dnsConfig", "nameservers", index), server)
    for index, alias in enumerate(spec.get("hostAliases", ())):
        yield from address_warnings((*here, "hostAliases", index, "ip"), alias["ip"])


def _old_volumes(spec: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    for index, volume in enumerate(spec.get("volumes", ())):
        for kind, message in _OLD_VOLUMES.items():
            if kind in volume:
                yield f"{field_text((*path, index, kind))}: {message}"
    for volume in spec.get("volumes", ()):
        if "projected" in volume and not volume["projected"].get("sources"):
            name = quote(volume.get("name", ""))
            yield f"volume {name} (Projected) has no sources provided"


def _repeated(
    spec: Mapping[str, Any], name: str, key: str, path: FieldPath
) -> Iterator[str]:
    seen: set[str] = set()
    for index, each in enumerate(spec.get(name, ())):
        value = each.get(key, "")
        if value in seen:
            at = field_text((*path, name, index, key))
            yield f"{at}: duplicate {key} {quote(value)}"
        seen.add(value)
    for index, each in enumerate(spec.get(name, ())):
        if name == "imagePullSecrets" and not each.get(key):
            at = field_text((*path, name, index, key))
            yield f'{at}: invalid empty name ""'


def _fractions(container: Container, path: FieldPath) -> Iterator[str]:
    resources = container.get("resources", {})
    for name in _WHOLE:
        for kind in ("limits", "requests"):
            text = resources.get(kind, {}).get(name, "0")
            if quantity(text).denominator != 1:
                at = field_text((*path, "resources", kind, Key(name)))
                detail = "is invalid, must be an integer"
                yield f"{at}: fractional byte value {quote(text)} {detail}"


def _hidden_variables(container: Container, path: FieldPath) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(container.get("env", ())):
        name, value = variable.get("name", ""), variable.get("value", "")
        reference = f"$({name})"
        appended = reference in value and value != reference
        if name in seen and ("valueFrom" in variable or not appended):
            at = field_text((*path, index))
            detail = "which may be dropped when using apply"
            yield f"{at}: hides previous definition of {quote(name)}, {detail}"
        seen.add(name)


def _port_clashes(spec: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    taken: dict[tuple[int, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for container, at in every_container(spec, path):
        for index, port in enumerate(container.get("ports", ())):
            told = field_text((*at, "ports", index))
            if port.get("hostIP") and not port.get("hostPort"):
                shown = (
                    f"{{Name:{port.get('name', '')} HostPort:0 "
                    f"ContainerPort:{port.get('containerPort', 0)} "
                    f"Protocol:{port.get('protocol', '')} HostIP:{port['hostIP']}}}"
                )
                yield f"{told}: hostIP set without hostPort: {shown}"
            key = port.get("containerPort", 0), port.get("protocol", "")
            for other_told, other in taken.setdefault(key, []):
                clash = _clash(port, other)
                if clash:
                    yield f"{told}: {clash} port definition with {other_told}"
            taken[key].append((told, port))


def _clash(port: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    host, theirs = port.get("hostPort", 0), other.get("hostPort", 0)
    address, their_address = port.get("hostIP", ""), other.get("hostIP", "")
    if (address, host) == (their_address, theirs):
        return "duplicate"
    if not host or not theirs:
        return "overlapping"
    one_open = bool(address) != bool(their_address)
    return "dangerously ambiguous" if host == theirs and one_open else ""


def _port_names(spec: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    names: dict[str, str] = {}
    for container, at in every_container(spec, path):
        for index, port in enumerate(container.get("ports", ())):
            name, told = port.get("name"), field_text((*at, "ports", index))
            if name and name in names:
                other = names[name]
                detail = "services and probes that select ports by name will use"
                yield (
                    f"{told}: duplicate port name {quote(name)} with {other}, "
                    f"{detail} {other}"
                )
            elif name:
                names[name] = told


def _unspread(spec: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    for index, each in enumerate(spec.get("topologySpreadConstraints", ())):
        if each.get("labelSelector") is None:
            at = (*path, "topologySpreadConstraints", index, "labelSelector")
            yield f"{field_text(at)}: {_NO_SELECTOR}"


def _unselected(spec: Mapping[str, Any], path: FieldPath) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = spec.get("affinity", {}).get(kind, {})
        for index, term in enumerate(terms.get(_REQUIRED, ())):
            if term.get("labelSelector") is None:
                at = (*path, "affinity", kind, _REQUIRED, index, "labelSelector")
                yield f"{field_text(at)}: {_NO_SELECTOR}"
        for index, weighted in enumerate(terms.get(_PREFERRED, ())):
            if weighted.get("podAffinityTerm", {}).get("labelSelector") is None:
                at = (*path, "affinity", kind, _PREFERRED, index)
                at = (*at, "podAffinityTerm", "labelSelector")
                yield f"{field_text(at)}: {_NO_SELECTOR}"
