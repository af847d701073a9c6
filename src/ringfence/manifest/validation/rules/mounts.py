"""Volume mounts and devices of a container.

Source: kubernetes pkg/apis/core/validation/validation.go, ValidateVolumeMounts
and ValidateVolumeDevices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.environment import no_backsteps

Volumes: TypeAlias = Mapping[str, Mapping[str, Any]]

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def check_mounts(
    causes: Causes, container: Mapping[str, Any], volumes: Volumes, path: FieldPath
) -> None:
    """Check the mounts of a container against the pod's volumes."""
    devices = {
        d.get("name", ""): d.get("devicePath", "")
        for d in container.get("volumeDevices", ())
    }
    points: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts", ())):
        at = (*path, index)
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.required((*at, "name"))
        if name not in volumes:
            causes.not_found((*at, "name"), name)
        if not point:
            causes.required((*at, "mountPath"))
        if point in points:
            causes.invalid((*at, "mountPath"), point, "must be unique")
        points.add(point)
        if name in devices:
            detail = "must not already exist in volumeDevices"
            causes.invalid((*at, "name"), name, detail)
        if point in devices.values():
            detail = "must not already exist as a path in volumeDevices"
            causes.invalid((*at, "mountPath"), point, detail)
        _check_sub_path(causes, mount, path, at)
        _check_propagation(causes, mount, container, path)


def _check_sub_path(
    causes: Causes, mount: Mapping[str, Any], path: FieldPath, at: FieldPath
) -> None:
    sub, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
    if sub:
        causes.invalid_each((*path, "subPath"), sub, relative_path(sub))
    if expression:
        if sub:
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.invalid((*at, "subPathExpr"), expression, detail)
        messages = relative_path(expression)
        causes.invalid_each((*path, "subPathExpr"), expression, messages)


def relative_path(path: str) -> tuple[str, ...]:
    """Check that a path is relative and leads down."""
    absolute = ("must be a relative path",) if path.startswith("/") else ()
    return (*absolute, *no_backsteps(path))


def _check_propagation(
    causes: Causes,
    mount: Mapping[str, Any],
    container: Mapping[str, Any],
    path: FieldPath,
) -> None:
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        at = (*path, "mountPropagation")
        if propagation not in _PROPAGATIONS:
            causes.not_supported(at, propagation, _PROPAGATIONS)
        privileged = container.get("securityContext", {}).get("privileged", False)
        if propagation == "Bidirectional" and not privileged:
            detail = (
                "Bidirectional mount propagation is available only to "
                "privileged containers"
            )
            causes.forbidden(at, detail)
    recursive = mount.get("recursiveReadOnly", "Disabled")
    at = (*path, "recursiveReadOnly")
    if recursive not in _RECURSIVE:
        causes.not_supported(at, recursive, _RECURSIVE)
    elif recursive != "Disabled":
        if not mount.get("readOnly"):
            causes.forbidden(at, "may only be specified when readOnly is true")
        if propagation not in {None, "None"}:
            detail = (
                "may only be specified when mountPropagation is None or not specified"
            )
            causes.forbidden(at, detail)


def check_devices(
    causes: Causes, container: Mapping[str, Any], volumes: Volumes, path: FieldPath
) -> None:
    """Check the block devices of a container against the pod's volumes."""
    mounts = {
        m.get("name", ""): m.get("mountPath", "")
        for m in container.get("volumeMounts", ())
    }
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices", ())):
        name, where = device.get("name", ""), device.get("devicePath", "")
        at = (*path, index)
        _check_device_name(causes, name, volumes, names, (*at, "name"))
        if not where:
            causes.required((*at, "devicePath"))
        if where in paths:
            causes.invalid((*at, "devicePath"), where, "must be unique")
        if where and no_backsteps(where):
            detail = "can not contain backsteps ('..')"
            causes.invalid((*at, "devicePath"), where, detail)
        else:
            paths.add(where)
        if name in mounts:
            detail = "must not already exist in volumeMounts"
            causes.invalid((*at, "name"), name, detail)
        if where in mounts.values():
            detail = "must not already exist as a path in volumeMounts"
            causes.invalid((*at, "devicePath"), where, detail)
        names.add(name)


def _check_device_name(
    causes: Causes, name: str, volumes: Volumes, taken: set[str], path: FieldPath
) -> None:
    if not name:
        causes.required(path)
    elif name in taken:
        causes.invalid(path, name, "must be unique")
    volume = volumes.get(name)
    if volume is None:
        causes.not_found(path, name)
    elif not {"persistentVolumeClaim", "ephemeral"} & volume.keys():
        detail = (
            "can only use volume source type of PersistentVolumeClaim or "
            "Ephemeral for block mode"
        )
        causes.invalid(path, name, detail)
