"""Containers of a pod: names, images, ports, environment, mounts.

Source: kubernetes pkg/apis/core/validation/validation.go, validateContainers
and what it calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.environment import check_environment
from ringfence.manifest.validation.rules.mounts import check_devices, check_mounts
from ringfence.manifest.validation.rules.names import dns_label, port_name, port_number
from ringfence.manifest.validation.rules.probes import check_lifecycle, check_probes
from ringfence.manifest.validation.rules.resources import check_resources
from ringfence.manifest.validation.rules.security import check_container_security

Container: TypeAlias = Mapping[str, Any]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_EXIT_OPERATORS = ("In", "NotIn")
_RESIZED = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_HANDLERS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


@dataclass(frozen=True, slots=True)
class PodContext:
    """What of a pod its containers are checked against.

    ``volumes`` holds the volumes without a fault, by name.
    """

    spec: Mapping[str, Any]
    volumes: Mapping[str, Mapping[str, Any]]

    @property
    def restart_policy(self) -> str:
        """The pod's restart policy."""
        return str(self.spec.get("restartPolicy", ""))


def every_container(
    spec: Mapping[str, Any], path: FieldPath
) -> Iterator[tuple[Container, FieldPath]]:
    """Yield init, regular and ephemeral containers with their paths."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield container, (*path, kind, index)


def check_containers(causes: Causes, context: PodContext, path: FieldPath) -> None:
    """Check the regular containers."""
    containers = context.spec.get("containers")
    here = (*path, "containers")
    if not containers:
        causes.required(here)
        return
    names: set[str] = set()
    for index, container in enumerate(containers):
        at = (*here, index)
        _check_common(causes, container, context, at)
        name = container.get("name", "")
        if name in names:
            causes.duplicate((*at, "name"), name)
        names.add(name)
        check_lifecycle(causes, container, context.spec, at)
        check_probes(causes, container, at)
        _check_restart(causes, container, at)
    _check_host_ports(causes, containers, here)


def check_init_containers(causes: Causes, context: PodContext, path: FieldPath) -> None:
    """Check the init containers, sidecars among them."""
    names = {c.get("name", "") for c in context.spec.get("containers") or ()}
    for index, container in enumerate(context.spec.get("initContainers", ())):
        at = (*path, "initContainers", index)
        _check_common(causes, container, context, at)
        _check_restart(causes, container, at)
        name = container.get("name", "")
        if name in names:
            causes.duplicate((*at, "name"), name)
        elif name:
            names.add(name)
        _check_host_ports(causes, [container], (*path, "initContainers"))
        if container.get("restartPolicy") == "Always":
            check_lifecycle(causes, container, context.spec, at)
            check_probes(causes, container, at)
        else:
            _check_not_sidecar(causes, container, at)


def _check_not_sidecar(causes: Causes, container: Container, path: FieldPath) -> None:
    for name in _HANDLERS:
        if name in container:
            causes.forbidden((*path, name), _ONLY_SIDECARS)
    for index, policy in enumerate(container.get("resizePolicy", ())):
        if policy.get("restartPolicy") == "RestartContainer":
            at = (*path, "resizePolicy", index, "restartPolicy")
            detail = (
                "must not be set to 'RestartContainer' for non-sidecar initContainers"
            )
            causes.invalid(at, "RestartContainer", detail)


def check_only_for_pods(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath
) -> None:
    """Check what is checked in pods and not in templates of them."""
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            image = container.get("image", "")
            if image != image.strip():
                detail = "must not have leading or trailing whitespace"
                causes.invalid((*path, kind, index, "image"), image, detail)


def _check_common(
    causes: Causes, container: Container, context: PodContext, path: FieldPath
) -> None:
    name = container.get("name", "")
    if name:
        causes.invalid_each((*path, "name"), name, dns_label(name))
    else:
        causes.required((*path, "name"))
    if not container.get("image"):
        causes.required((*path, "image"))
    policy = container.get("terminationMessagePolicy", "File")
    if policy not in _MESSAGE_POLICIES:
        at = (*path, "terminationMessagePolicy")
        causes.not_supported(at, policy, _MESSAGE_POLICIES)
    _check_ports(causes, container.get("ports", ()), (*path, "ports"))
    check_environment(causes, container, path)
    check_mounts(causes, container, context.volumes, (*path, "volumeMounts"))
    check_devices(causes, container, context.volumes, (*path, "volumeDevices"))
    pull = container.get("imagePullPolicy", "Always")
    if pull not in _PULL_POLICIES:
        causes.not_supported((*path, "imagePullPolicy"), pull, _PULL_POLICIES)
    check_resources(causes, container, context.spec, (*path, "resources"))
    _check_resizes(causes, container, context.restart_policy, (*path, "resizePolicy"))
    check_container_security(
        causes, container, context.spec, (*path, "securityContext")
    )


def _check_ports(
    causes: Causes, ports: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = (*path, index)
        name = port.get("name", "")
        if name:
            messages = port_name(name)
            causes.invalid_each((*at, "name"), name, messages)
            if not messages and name in names:
                causes.duplicate((*at, "name"), name)
            elif not messages:
                names.add(name)
        number = port.get("containerPort", 0)
        if number:
            causes.invalid_each((*at, "containerPort"), number, port_number(number))
        else:
            causes.required((*at, "containerPort"))
        host = port.get("hostPort", 0)
        if host:
            causes.invalid_each((*at, "hostPort"), host, port_number(host))
        protocol = port.get("protocol", "TCP")
        if protocol not in _PROTOCOLS:
            causes.not_supported((*at, "protocol"), protocol, _PROTOCOLS)


def _check_host_ports(
    causes: Causes, containers: Sequence[Container], path: FieldPath
) -> None:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports", ())):
            host = port.get("hostPort", 0)
            if not host:
                continue
            told = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{host}"
            if told in taken:
                causes.duplicate((*path, index, "ports", number, "hostPort"), told)
            taken.add(told)


def _check_restart(causes: Causes, container: Container, path: FieldPath) -> None:
    policy = container.get("restartPolicy")
    rules = container.get("restartPolicyRules", ())
    if policy is None:
        if rules:
            detail = "must specify restartPolicy when restart rules are used"
            causes.required((*path, "restartPolicy"), detail)
    elif policy not in _RESTART_POLICIES:
        causes.not_supported((*path, "restartPolicy"), policy, _RESTART_POLICIES)
    for index, rule in enumerate(rules):
        at = (*path, "restartPolicyRules", index)
        action, codes = rule.get("action", ""), rule.get("exitCodes")
        if action not in _RESTART_ACTIONS:
            causes.not_supported((*at, "action"), action, _RESTART_ACTIONS)
        if codes is None:
            causes.required((*at, "exitCodes"), "must be specified")
        elif codes.get("operator", "") not in _EXIT_OPERATORS:
            operator = codes.get("operator", "")
            at = (*at, "exitCodes", "operator")
            causes.not_supported(at, operator, _EXIT_OPERATORS)


def _check_resizes(
    causes: Causes, container: Container, restart_policy: str, path: FieldPath
) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(container.get("resizePolicy", ())):
        name = policy.get("resourceName", "")
        if name in seen:
            causes.duplicate((*path, index), name)
        seen.add(name)
        _check_word(causes, name, path, _RESIZED)
        restart = policy.get("restartPolicy", "")
        _check_word(causes, restart, path, _RESIZE_POLICIES)
        if restart_policy == "Never" and restart != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            causes.invalid(path, restart, detail)


def _check_word(
    causes: Causes, word: str, path: FieldPath, words: tuple[str, ...]
) -> None:
    if not word:
        causes.required(path)
    elif word not in words:
        causes.not_supported(path, word, words)
