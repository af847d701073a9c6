"""How workloads replace their pods.

Source: kubernetes pkg/apis/apps/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath, Word
from ringfence.manifest.validation.rules.names import percent
from ringfence.manifest.validation.rules.probes import NOT_NEGATIVE

_ROLLING, _ON_DELETE, _RECREATE = "RollingUpdate", "OnDelete", "Recreate"
_MOST_PERCENT = 100
_PERCENT = re.compile("[0-9]+%")


def check_deployment_strategy(
    causes: Causes, strategy: Mapping[str, Any], path: FieldPath
) -> None:
    """Check how a Deployment replaces its pods."""
    rolling, at = strategy.get("rollingUpdate"), (*path, "rollingUpdate")
    match strategy["type"]:
        case "Recreate":
            if rolling is not None:
                detail = "may not be specified when strategy `type` is 'Recreate'"
                causes.forbidden(at, detail)
        case "RollingUpdate":
            _check_rolling(causes, strategy["rollingUpdate"], at)
        case other:
            shown = {"Type": other, "RollingUpdate": _go_rolling(rolling)}
            causes.not_supported(path, shown, (_RECREATE, _ROLLING))


def _go_rolling(rolling: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if rolling is None:
        return None
    names = {"MaxUnavailable": "maxUnavailable", "MaxSurge": "maxSurge"}
    return {told: rolling.get(name, 0) for told, name in names.items()}


def _check_rolling(causes: Causes, rolling: Mapping[str, Any], path: FieldPath) -> None:
    down, up = rolling["maxUnavailable"], rolling["maxSurge"]
    at = (*path, "maxUnavailable")
    _check_share(causes, down, at)
    _check_share(causes, up, (*path, "maxSurge"))
    if not _amount(down) and not _amount(up):
        causes.invalid(at, Word(down) if isinstance(down, str) else down, _BOTH_ZERO)
    _check_whole(causes, down, at)


_BOTH_ZERO = "may not be 0 when `maxSurge` is 0"


def check_daemon_strategy(
    causes: Causes, strategy: Mapping[str, Any], path: FieldPath
) -> None:
    """Check how a DaemonSet replaces its pods."""
    kind = strategy["type"]
    if kind == _ON_DELETE:
        return
    rolling = strategy.get("rollingUpdate")
    if kind != _ROLLING or rolling is None:
        shown = {"Type": kind, "RollingUpdate": _go_rolling(rolling)}
        causes.not_supported(path, shown, (_ROLLING, _ON_DELETE))
        return
    here = (*path, "rollingUpdate")
    down, up = rolling["maxUnavailable"], rolling["maxSurge"]
    for check in (_check_share, _check_whole):
        check(causes, down, (*here, "maxUnavailable"))
        check(causes, up, (*here, "maxSurge"))
    if _amount(down) and _amount(up):
        detail = "may not be set when maxUnavailable is non-zero"
        causes.invalid((*here, "maxSurge"), up, detail)
    elif not _amount(down) and not _amount(up):
        detail = "cannot be 0 when maxSurge is 0"
        causes.required((*here, "maxUnavailable"), detail)


def _check_share(causes: Causes, share: int | str, path: FieldPath) -> None:
    if isinstance(share, str):
        causes.invalid_each(path, share, percent(share))
    elif share < 0:
        causes.invalid(path, share, NOT_NEGATIVE)


def _check_whole(causes: Causes, share: int | str, path: FieldPath) -> None:
    if isinstance(share, str) and _amount(share) > _MOST_PERCENT:
        causes.invalid(path, share, "must not be greater than 100%")


def _amount(share: int | str) -> int:
    if isinstance(share, int):
        return share
    return int(share[:-1]) if _PERCENT.fullmatch(share) else 0


def check_stateful_strategy(
    causes: Causes, strategy: Mapping[str, Any], path: FieldPath
) -> None:
    """Check how a StatefulSet replaces its pods."""
    rolling, at = strategy.get("rollingUpdate"), (*path, "rollingUpdate")
    if strategy["type"] not in {_ROLLING, _ON_DELETE}:
        shown = {"Type": strategy["type"], "RollingUpdate": rolling}
        causes.invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None and strategy["type"] == _ON_DELETE:
        down = rolling.get("maxUnavailable")
        shown = {"Partition": rolling.get("partition", 0), "MaxUnavailable": down}
        causes.invalid(at, shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif rolling is not None and rolling.get("partition", 0) < 0:
        causes.invalid((*at, "partition"), rolling["partition"], NOT_NEGATIVE)
