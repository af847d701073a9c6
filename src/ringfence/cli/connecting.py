"""The options of a live cluster, with kubectl's names and meanings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ringfence.adapters.kubernetes.kubeconfig import Access

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smh]))+")
_STEP = re.compile(r"(\d+(?:\.\d+)?)(ms|[smh])")


@dataclass(frozen=True, slots=True)
class Live:
    """A cluster to be read, and how long an answer may take, None: for ever."""

    access: Access
    timeout_s: float | None


def _timeout(_: click.Context, __: click.Parameter, value: str) -> float | None:
    return read_duration(value)


def read_duration(value: str) -> float | None:
    """Return seconds, None for 0; a number without a unit is seconds.

    Raises click.BadParameter where it is no time as Go writes it.
    """
    if re.fullmatch(r"\d+", value):
        return float(value) or None
    if not _DURATION.fullmatch(value):
        raise click.BadParameter(f'"{value}" is no time: write 30s, 2m or 1h30m')
    steps = _STEP.findall(value)
    return sum(float(number) * _SECONDS[unit] for number, unit in steps) or None


_NAMED = {
    "kubeconfig": "--kubeconfig",
    "context": "--context",
    "cluster": "--cluster",
    "user": "--user",
    "as_user": "--as",
    "as_groups": "--as-group",
}

LIVE_OPTIONS = (
    click.option(
        "--live",
        is_flag=True,
        help="Read the cluster of the kubeconfig instead of manifests; only lists.",
    ),
    click.option(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="With --live: this kubeconfig.  [default: $KUBECONFIG, ~/.kube/config]",
    ),
    click.option(
        "--context", default="", metavar="NAME", help="With --live: its context."
    ),
    click.option(
        "--cluster", default="", metavar="NAME", help="With --live: its cluster."
    ),
    click.option("--user", default="", metavar="NAME", help="With --live: its user."),
    click.option(
        "--as",
        "as_user",
        default="",
        metavar="USER",
        help="With --live: act as this user.",
    ),
    click.option(
        "--as-group",
        "as_groups",
        multiple=True,
        metavar="GROUP",
        help="With --live: act as of this group. Repeatable.",
    ),
    click.option(
        "--request-timeout",
        "timeout_s",
        default="60s",
        show_default=True,
        metavar="TIME",
        callback=_timeout,
        help="With --live: how long an answer may take: 30s, 2m; 0 is for ever.",
    ),
)


def take_live(given: dict[str, Any]) -> Live | None:
    """Take the values of these options out of ``given``; None without ``--live``.

    Raises click.UsageError where one is given without ``--live``, InputError
    where the kubeconfig is wrong.
    """
    live, timeout_s = given.pop("live"), given.pop("timeout_s")
    named = {name: given.pop(name) for name in _NAMED}
    if not live:
        for name, value in named.items():
            if value:
                raise click.UsageError(f"{_NAMED[name]} needs --live")
        return None
    from ringfence.adapters.kubernetes.kubeconfig import Choice, choose_access  # noqa: PLC0415 - rarely used

    return Live(choose_access(Choice(**named), os.environ), timeout_s)
