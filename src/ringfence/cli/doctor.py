"""``ringfence doctor``: whether policies can be enforced here, and what prevents it."""

from __future__ import annotations

import json
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from ringfence.cli.connecting import LIVE_OPTIONS, take_live
from ringfence.cli.options import Decorated, Exit, color_option, output_option
from ringfence.report.plain import printable

if TYPE_CHECKING:
    from ringfence.doctor.facts import ClusterFacts, Unknown

_COLOURS = {
    "ok ": "green",
    "warning ": "yellow",
    "problem ": "red",
    "cannot tell ": "cyan",
}


def _live_options(command: Decorated) -> Decorated:
    for option in reversed(LIVE_OPTIONS):
        command = option(command)
    return command


@click.command(
    short_help="Find what is in the way of enforcement on this node",
    epilog="Exit: 0 no problem (warnings and what cannot be told are none), 1 some "
    "problem, 2 wrong usage or kubeconfig.",
)
@click.option(
    "--probe",
    is_flag=True,
    help="Send packets too, in namespaces of its own: does this kernel enforce?",
)
@_live_options
@output_option("text", "json")
@color_option
def doctor(*, probe: bool, output: str, **given: Any) -> int:
    """Look at this node, and with --live at its cluster; change nothing.

    Run it as root in the node's own network namespace. What it cannot see it says
    so; a finding of nothing means nothing that it knows.
    """
    from ringfence.adapters.hostfacts import node_facts  # noqa: PLC0415 - quick help
    from ringfence.doctor import findings, judge  # noqa: PLC0415
    from ringfence.doctor.facts import Facts  # noqa: PLC0415
    from ringfence.lab.trial import try_kernel  # noqa: PLC0415

    cluster = _cluster(given)
    node = node_facts(try_kernel(packets=probe))
    found = judge.judge(Facts(node, cluster))
    if output == "json":
        click.echo(json.dumps(findings.document(found)))
    else:
        wide = get_terminal_size().columns if sys.stdout.isatty() else findings.WIDTH
        for line in findings.lines(found, wide):
            click.echo(_coloured(printable(line)))
    wrong = any(one.status is findings.Status.PROBLEM for one in found)
    return Exit.FINDING if wrong else Exit.OK


def _cluster(given: dict[str, Any]) -> ClusterFacts | Unknown:
    from ringfence.doctor.facts import Unknown  # noqa: PLC0415 - quick help

    live = take_live(given)
    if live is None:
        return Unknown("no cluster was asked: --live asks the kubeconfig's")
    from ringfence.adapters.kubernetes.clusterfacts import cluster_facts  # noqa: PLC0415

    return cluster_facts(live.access, timeout_s=live.timeout_s)


def _coloured(line: str) -> str:
    """Return a line with the status that it begins with, if any, in its colour."""
    status = next((word for word in _COLOURS if line.startswith(word)), "")
    if not status:
        return line
    return click.style(status, fg=_COLOURS[status], bold=True) + line[len(status) :]
