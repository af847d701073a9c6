"""Security contexts of pods and containers.

Source: kubernetes pkg/apis/core/validation/validation.go,
ValidateSecurityContext and validatePodSpecSecurityContext.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.mounts import relative_path
from ringfence.manifest.validation.rules.names import in_range

_LAST_ID = 2**31 - 1
_PROC_MOUNTS = ("Default", "Unmasked")
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_FS_POLICIES = ("Always", "OnRootMismatch")
_GROUP_POLICIES = ("Merge", "Strict")
_SELINUX_POLICIES = ("Recursive",)
_SYSCTL = re.compile(
    r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
)
_BAD_SYSCTL = (
    "must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
_MOST_SYSCTL = 253


def check_container_security(
    causes: Causes,
    container: Mapping[str, Any],
    spec: Mapping[str, Any],
    path: FieldPath,
) -> None:
    """Check a container's security context; privileged ones are let, as on clusters."""
    context = container.get("securityContext")
    if context is None:
        return
    _check_ids(causes, context, ("runAsUser", "runAsGroup"), path)
    proc = context.get("procMount", "Default")
    if proc not in _PROC_MOUNTS:
        causes.not_supported((*path, "procMount"), proc, _PROC_MOUNTS)
    elif proc == "Unmasked" and spec.get("hostUsers", True):
        detail = "`hostUsers` must be false to use `Unmasked`"
        causes.invalid((*path, "procMount"), proc, detail)
    _check_profile(causes, context.get("seccompProfile"), (*path, "seccompProfile"))
    _check_profile(causes, context.get("appArmorProfile"), (*path, "appArmorProfile"))


def check_pod_security(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath
) -> None:
    """Check a pod's security context."""
    context = spec.get("securityContext", {})
    _check_ids(causes, context, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for index, group in enumerate(context.get("supplementalGroups", ())):
        at = (*path, "supplementalGroups", index)
        causes.invalid_each(at, group, in_range(group, 0, _LAST_ID))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.invalid((*path, "shareProcessNamespace"), True, detail)
    _check_sysctls(causes, context.get("sysctls", ()), (*path, "sysctls"))
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in _FS_POLICIES:
        causes.not_supported((*path, "fsGroupChangePolicy"), policy, _FS_POLICIES)
    _check_profile(causes, context.get("seccompProfile"), (*path, "seccompProfile"))
    _check_profile(causes, context.get("appArmorProfile"), (*path, "appArmorProfile"))
    for name, words in (
        ("supplementalGroupsPolicy", _GROUP_POLICIES),
        ("seLinuxChangePolicy", _SELINUX_POLICIES),
    ):
        word = context.get(name)
        if word is not None and word not in words:
            causes.not_supported((*path, name), word, words)


def _check_sysctls(
    causes: Causes, sysctls: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, at = sysctl.get("name", ""), (*path, index, "name")
        if not name:
            causes.required(at)
        elif len(name) > _MOST_SYSCTL or not _SYSCTL.fullmatch(name):
            causes.invalid(at, name, _BAD_SYSCTL)
        elif name in seen:
            causes.duplicate(at, name)
        seen.add(name)


def _check_ids(
    causes: Causes,
    context: Mapping[str, Any],
    names: tuple[str, ...],
    path: FieldPath,
) -> None:
    for name in names:
        number = context.get(name)
        if number is not None:
            causes.invalid_each((*path, name), number, in_range(number, 0, _LAST_ID))


def _check_profile(
    causes: Causes, profile: Mapping[str, Any] | None, path: FieldPath
) -> None:
    """Check a seccomp or an AppArmor profile, which have the same shape."""
    if profile is None:
        return
    word = "AppArmor" if path[-1] == "appArmorProfile" else "seccomp"
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    if not kind:
        causes.required((*path, "type"), f"type is required when {path[-1]} is set")
    elif kind not in _PROFILES:
        causes.not_supported((*path, "type"), kind, _PROFILES)
    at = (*path, "localhostProfile")
    if kind == "Localhost":
        if local is None:
            causes.required(at, f"must be set when {word} type is Localhost")
        elif word == "seccomp":
            causes.invalid_each(at, local, relative_path(local))
    elif local is not None and (word == "seccomp" or kind in _PROFILES):
        shown = {"Type": kind, "LocalhostProfile": local}
        detail = f"can only be set when {word} type is Localhost"
        causes.invalid(at, shown if word == "seccomp" else local, detail)
