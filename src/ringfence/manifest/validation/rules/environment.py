"""Environment variables of a container and where their values come from.

Source: kubernetes pkg/apis/core/validation/validation.go, ValidateEnv and
ValidateEnvFrom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.names import (
    NameRule,
    as_prefix,
    config_key,
    dns_label,
    dns_subdomain,
    env_name,
    label_key,
)

_SOURCES = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_FIELD_LABELS = frozenset(
    {
        *ENV_FIELDS,
        "metadata.annotations",
        "metadata.labels",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "spec.host",
    }
)
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE = ("requests.hugepages-", "limits.hugepages-")
_SUBSCRIPT = re.compile(r"(metadata\.(?:annotations|labels))\['(.*)'\]")
_BINARY = tuple(f"1{unit}" for unit in ("", *"kMGTPE", *(f"{u}i" for u in "KMGTPE")))


def check_environment(
    causes: Causes, container: Mapping[str, Any], path: FieldPath
) -> None:
    """Check ``env`` and ``envFrom``."""
    for index, variable in enumerate(container.get("env", ())):
        at = (*path, "env", index)
        name = variable.get("name", "")
        if name:
            causes.invalid_each((*at, "name"), name, env_name(name))
        else:
            causes.required((*at, "name"))
        _check_source(causes, variable, (*at, "valueFrom"))
    for index, source in enumerate(container.get("envFrom", ())):
        _check_many(causes, source, (*path, "envFrom"), index)


def _check_many(
    causes: Causes, source: Mapping[str, Any], path: FieldPath, index: int
) -> None:
    at = (*path, index)
    prefix = source.get("prefix", "")
    if prefix:
        causes.invalid_each((*at, "prefix"), prefix, env_name(prefix))
    found = [name for name in ("configMapRef", "secretRef") if name in source]
    for name in found:
        reference = source[name].get("name", "")
        here = (*at, name, "name")
        if reference:
            causes.invalid_each(here, reference, dns_subdomain(as_prefix(reference)))
        else:
            causes.required(here)
    if not found:
        detail = "must specify one of: `configMapRef` or `secretRef`"
        causes.invalid(path, "", detail)
    elif len(found) > 1:
        detail = "may not have more than one field specified at a time"
        causes.invalid(path, "", detail)


def _check_source(causes: Causes, variable: Mapping[str, Any], path: FieldPath) -> None:
    source = variable.get("valueFrom")
    if source is None:
        return
    found = [name for name in _SOURCES if name in source]
    for name in found:
        _CHECKS[name](causes, source[name], (*path, name))
    if not found:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, "
            "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        )
        causes.invalid(path, "", detail)
    elif variable.get("value"):
        causes.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(found) > 1:
        detail = "may not have more than one field specified at a time"
        causes.invalid(path, "", detail)


def _check_field(causes: Causes, source: Mapping[str, Any], path: FieldPath) -> None:
    check_field_reference(causes, source, path, ENV_FIELDS)


def check_field_reference(
    causes: Causes,
    source: Mapping[str, Any],
    path: FieldPath,
    supported: tuple[str, ...],
) -> None:
    """Check a reference to a field of the pod itself."""
    version, written = source.get("apiVersion", "v1"), source.get("fieldPath", "")
    at = (*path, "fieldPath")
    if not written:
        causes.required(at)
        return
    found = _SUBSCRIPT.fullmatch(written)
    label = found[1] if found else written
    if version != "v1":
        detail = f"unsupported pod version: {version}"
    elif label not in _FIELD_LABELS:
        detail = f"field label not supported: {written}"
    else:
        detail = ""
    if detail:
        causes.invalid(at, written, f"error converting fieldPath: {detail}")
    elif found:
        key = found[2].lower() if label.endswith("annotations") else found[2]
        causes.invalid_each(path, key, label_key(key))
    elif label.replace("spec.host", "spec.nodeName", 1) not in supported and (
        label not in supported
    ):
        causes.not_supported(at, label, supported)


def _check_resource(causes: Causes, source: Mapping[str, Any], path: FieldPath) -> None:
    check_resource_reference(causes, source, path, in_volume=False)


def check_resource_reference(
    causes: Causes, source: Mapping[str, Any], path: FieldPath, *, in_volume: bool
) -> None:
    """Check a reference to a container's resources."""
    name = source.get("resource", "")
    if in_volume and not source.get("containerName"):
        causes.required((*path, "containerName"))
    elif not name:
        causes.required((*path, "resource"))
    elif name not in _RESOURCES and not name.startswith(_HUGE):
        causes.not_supported((*path, "resource"), name, _RESOURCES)
    divisor = source.get("divisor", "0")
    if divisor == "0":
        return
    kind = name.partition(".")[2]
    supported = ("1m", "1") if kind == "cpu" else _BINARY
    told = {"ephemeral-storage": "local ephemeral storage"}.get(kind, kind)
    told = "hugepages" if name.startswith(_HUGE) else told
    shown = "1m and 1" if kind == "cpu" else ", ".join(_BINARY)
    if told and divisor not in supported:
        detail = f"only divisor's values {shown} are supported with the {told} resource"
        causes.invalid((*path, "divisor"), name, detail)


def _check_key(causes: Causes, source: Mapping[str, Any], path: FieldPath) -> None:
    name, key = source.get("name", ""), source.get("key", "")
    causes.invalid_each((*path, "name"), name, dns_subdomain(name))
    if key:
        causes.invalid_each((*path, "key"), key, config_key(key))
    else:
        causes.required((*path, "key"))


def _check_file(causes: Causes, source: Mapping[str, Any], path: FieldPath) -> None:
    rules: dict[str, NameRule] = {
        "key": env_name,
        "volumeName": dns_label,
        "path": no_backsteps,
    }
    for name, rule in rules.items():
        value = source.get(name, "")
        if value:
            causes.invalid_each((*path, name), value, rule(value))
        else:
            causes.required((*path, name))


def no_backsteps(path: str) -> tuple[str, ...]:
    """Check that a path has no ``..`` among its steps."""
    return ("must not contain '..'",) if ".." in path.split("/") else ()


_CHECKS = {
    "fieldRef": _check_field,
    "resourceFieldRef": _check_resource,
    "configMapKeyRef": _check_key,
    "secretKeyRef": _check_key,
    "fileKeyRef": _check_file,
}
