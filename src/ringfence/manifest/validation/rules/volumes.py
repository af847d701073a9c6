"""Volumes of a pod.

Source: kubernetes pkg/apis/core/validation/validation.go, ValidateVolumes and
validateVolumeSource. Of the sources that are no longer served only the number
is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ringfence.manifest.validation.quantity import quantity
from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.environment import (
    check_field_reference,
    check_resource_reference,
    no_backsteps,
)
from ringfence.manifest.validation.rules.mounts import relative_path
from ringfence.manifest.validation.rules.names import dns_label, dns_subdomain

Source: TypeAlias = Mapping[str, Any]

_ORDER = (
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
)
_TOLD = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""Sources whose names the API server misspells when there is one too many."""

_HOST_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_FILE_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_MOST_DRIVER = 63
_LAST_MODE = 0o777
_BAD_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def check_volumes(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath
) -> dict[str, Source]:
    """Check the volumes; return those without a fault by name."""
    volumes: dict[str, Source] = {}
    for index, volume in enumerate(spec.get("volumes", ())):
        at, name = (*path, index), volume.get("name", "")
        before = len(causes.found)
        _check_source(causes, volume, at)
        if name:
            causes.invalid_each((*at, "name"), name, dns_label(name))
        else:
            causes.required((*at, "name"))
        if name in volumes:
            causes.duplicate((*at, "name"), name)
        if len(causes.found) == before:
            volumes[name] = volume
    return volumes


def check_no_tokens(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    """Check that no service account's token is asked for, where there is none."""
    for index, volume in enumerate(spec.get("volumes", ())):
        for number, source in enumerate(
            volume.get("projected", {}).get("sources") or ()
        ):
            if "serviceAccountToken" in source:
                at = (*path, index, "projected", "sources", number)
                detail = "must not be specified when serviceAccountName is not set"
                causes.forbidden((*at, "serviceAccountToken"), detail)


def _check_source(causes: Causes, volume: Source, path: FieldPath) -> None:
    found = [kind for kind in _ORDER if kind in volume]
    for kind in found[:1]:
        check = _CHECKS.get(kind)
        if check:
            check(causes, volume[kind], (*path, kind))
    for kind in found[1:]:
        detail = "may not specify more than 1 volume type"
        causes.forbidden((*path, _TOLD.get(kind, kind)), detail)
    if not found:
        causes.required(path, "must specify a volume type")


def _empty_dir(causes: Causes, source: Source, path: FieldPath) -> None:
    if quantity(source.get("sizeLimit", "0")) < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        causes.forbidden((*path, "sizeLimit"), detail)


def _host_path(causes: Causes, source: Source, path: FieldPath) -> None:
    where = source.get("path", "")
    if not where:
        causes.required((*path, "path"))
        return
    causes.invalid_each((*path, "path"), where, no_backsteps(where))
    kind = source.get("type", "")
    if kind not in _HOST_TYPES:
        causes.not_supported((*path, "type"), kind, _HOST_TYPES)


def _secret(causes: Causes, source: Source, path: FieldPath) -> None:
    _require(causes, source, path, "secretName")
    _check_mode(causes, source, path, "defaultMode")
    _check_items(causes, source, path)


def _config_map(causes: Causes, source: Source, path: FieldPath) -> None:
    _require(causes, source, path, "name")
    _check_mode(causes, source, path, "defaultMode")
    _check_items(causes, source, path)


def _check_items(causes: Causes, source: Source, path: FieldPath) -> None:
    for index, item in enumerate(source.get("items", ())):
        at = (*path, "items", index)
        _require(causes, item, at, "key", "path")
        _check_file_path(causes, item.get("path", ""), (*at, "path"))
        _check_mode(causes, item, at, "mode")


def _check_file_path(causes: Causes, where: str, path: FieldPath) -> None:
    causes.invalid_each(path, where, relative_path(where))
    if where.startswith("..") and not where.startswith("../"):
        causes.invalid(path, where, "must not start with '..'")


def _check_mode(causes: Causes, source: Source, path: FieldPath, name: str) -> None:
    mode = source.get(name)
    if mode is not None and not 0 <= mode <= _LAST_MODE:
        causes.invalid((*path, name), mode, _BAD_MODE)


def _nfs(causes: Causes, source: Source, path: FieldPath) -> None:
    _require(causes, source, path, "server", "path")
    where = source.get("path", "")
    if not where.startswith("/"):
        causes.invalid((*path, "path"), where, "must be an absolute path")


def _claim(causes: Causes, source: Source, path: FieldPath) -> None:
    _require(causes, source, path, "claimName")


def _downward(causes: Causes, source: Source, path: FieldPath) -> None:
    _check_mode(causes, source, path, "defaultMode")
    for item in source.get("items", ()):
        _check_downward_file(causes, item, path)


def _check_downward_file(causes: Causes, item: Source, path: FieldPath) -> None:
    _require(causes, item, path, "path")
    _check_file_path(causes, item.get("path", ""), (*path, "path"))
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        check_field_reference(causes, field, (*path, "fieldRef"), _FILE_FIELDS)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.invalid(path, "resource", detail)
    elif resource is not None:
        at = (*path, "resourceFieldRef")
        check_resource_reference(causes, resource, at, in_volume=True)
    else:
        causes.required(path, "one of fieldRef and resourceFieldRef is required")
    _check_mode(causes, item, path, "mode")


def _projected(causes: Causes, source: Source, path: FieldPath) -> None:
    _check_mode(causes, source, path, "defaultMode")
    for index, projection in enumerate(source.get("sources") or ()):
        at = (*path, "sources", index)
        for kind in ("secret", "configMap"):
            if kind in projection:
                _require(causes, projection[kind], (*at, kind), "name")
                _check_items(causes, projection[kind], (*at, kind))
        for item in projection.get("downwardAPI", {}).get("items", ()):
            _check_downward_file(causes, item, (*at, "downwardAPI"))
        token = projection.get("serviceAccountToken")
        if token is not None:
            _check_token(causes, token, (*at, "serviceAccountToken"))
        if len(projection) > 1:
            causes.forbidden(at, "may not specify more than 1 volume type per source")


_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32


def _check_token(causes: Causes, token: Source, path: FieldPath) -> None:
    seconds = token.get("expirationSeconds", 3600)
    at = (*path, "expirationSeconds")
    if seconds < _SHORTEST_TOKEN:
        causes.invalid(at, seconds, "may not specify a duration less than 10 minutes")
    elif seconds > _LONGEST_TOKEN:
        causes.invalid(
            at, seconds, "may not specify a duration larger than 2^32 seconds"
        )
    if not token.get("path"):
        causes.required((*path, "path"))
    else:
        _check_file_path(causes, token["path"], (*path, "path"))


def _csi(causes: Causes, source: Source, path: FieldPath) -> None:
    driver, at = source.get("driver", ""), (*path, "driver")
    if not driver:
        causes.required(at)
        return
    if len(driver) > _MOST_DRIVER:
        causes.too_long(at, _MOST_DRIVER)
    causes.invalid_each(at, driver, dns_subdomain(driver.lower()))


def _ephemeral(causes: Causes, source: Source, path: FieldPath) -> None:
    if source.get("volumeClaimTemplate") is None:
        causes.required((*path, "volumeClaimTemplate"))


def _image(causes: Causes, source: Source, path: FieldPath) -> None:
    _require(causes, source, path, "reference")
    policy = source.get("pullPolicy", "Always")
    if policy not in _PULL_POLICIES:
        causes.not_supported((*path, "pullPolicy"), policy, _PULL_POLICIES)


def _require(causes: Causes, source: Source, path: FieldPath, *names: str) -> None:
    for name in names:
        if not source.get(name):
            causes.required((*path, name))


_CHECKS: Mapping[str, Callable[[Causes, Source, FieldPath], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "nfs": _nfs,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
