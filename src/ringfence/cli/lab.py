"""``ringfence lab``: manifests tried with real packets."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

from ringfence.cli.asking import ENDPOINTS, read_asks
from ringfence.cli.options import (
    Exit,
    Group,
    Inputs,
    cluster_options,
    load_cluster,
    output_option,
)
from ringfence.errors import InputError, Problem

if TYPE_CHECKING:
    from ringfence.lab.account import Told
    from ringfence.lab.crosscheck import Crosscheck
    from ringfence.lab.scope import Asked
    from ringfence.lab.topology import Topology

_MOST_NODES = 64


@click.group(cls=Group, short_help="Try manifests with real packets")
def lab() -> None:
    """Run a cluster of network namespaces on this machine, as root or not.

    Nothing outside of it is touched, and nothing of it is left.
    """


@lab.command(
    short_help="Start a lab, probe it, compare, take it down",
    epilog=ENDPOINTS
    + "\nExit: 0 all three agree everywhere, 1 they do not, 2 wrong input.",
)
@click.option(
    "--batch",
    type=click.File("rb"),
    metavar="FILE",
    help="Try each JSON line of FILE: from, to, port, protocol; - is stdin.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1, _MOST_NODES),
    default=1,
    show_default=True,
    help="At least so many nodes; pods that name none are spread over them.",
)
@click.option(
    "--cni",
    type=click.Choice(("routed", "bridge")),
    default="routed",
    show_default=True,
    help="How a node's pods are linked: each with the node, or all by a bridge.",
)
@cluster_options
@output_option("text", "json")
def run(
    batch: BinaryIO | None, nodes: int, cni: str, *, inputs: Inputs, output: str
) -> int:
    """Start the cluster of the manifests, load its rulesets and send packets.

    Without --batch every pod tries every other, the internet and the addresses
    that ipBlocks tell apart, on each port that the destination declares and
    one that it does not.
    """
    from ringfence.lab.crosscheck import Crosscheck  # noqa: PLC0415 - quick help
    from ringfence.lab.session import open_lab  # noqa: PLC0415

    topology, asked = _scope(batch, nodes, cni, inputs)
    started = time.monotonic()
    with open_lab(topology.plan) as opened:
        crosscheck = Crosscheck(opened, topology)
        up = time.monotonic()
        told = _try(crosscheck, asked)
        done = time.monotonic()
    if inputs.verbose:
        sites = len(topology.plan.sites)
        count = sum(len(one.checks) for one in told)
        note = f"{sites} namespaces up in {up - started:.2f} s"
        click.echo(f"lab: {note}, {count} flows in {done - up:.2f} s", err=True)
    if output == "json":
        _print_documents(told)
    else:
        _print_account(told, crosscheck)
    return Exit.OK if all(one.agree for one in told) else Exit.FINDING


def _scope(
    batch: BinaryIO | None, nodes: int, cni: str, inputs: Inputs
) -> tuple[Topology, list[Asked]]:
    from ringfence.lab import scope  # noqa: PLC0415 - quick help
    from ringfence.lab.plan import Cni  # noqa: PLC0415

    if batch is None:
        return scope.every_pair(load_cluster(inputs).cluster, nodes, Cni(cni))
    asks = read_asks(batch, inputs.namespace)
    if not asks:
        raise InputError([Problem(batch.name, "there is no flow to try")])
    return scope.batch(load_cluster(inputs).cluster, asks, nodes, Cni(cni))


def _try(crosscheck: Crosscheck, asked: Sequence[Asked]) -> list[Told]:
    from ringfence.lab.account import Told  # noqa: PLC0415 - quick help

    checks = iter(crosscheck.check([flow for one in asked for flow in one.flows]))
    return [Told(one, tuple(next(checks) for _ in one.flows)) for one in asked]


def _print_documents(told: Sequence[Told]) -> None:
    from ringfence.lab.account import document  # noqa: PLC0415 - quick help

    for one in told:
        click.echo(json.dumps(document(one)))


def _print_account(told: Sequence[Told], crosscheck: Crosscheck) -> None:
    """Print the matrix and the count, or the first disagreement three times told."""
    from ringfence.lab.account import matrix_lines, summary  # noqa: PLC0415 - quick help

    checks = [check for one in told for check in one.checks]
    wrong = next((check for check in checks if not check.agree), None)
    if wrong is None:
        lines = [*matrix_lines(crosscheck.compiled, checks), ""]
    else:
        lines = [*crosscheck.stories(wrong), ""]
    for line in lines:
        click.echo(line)
    colour = "green" if wrong is None else "red"
    click.echo(click.style(summary(told), fg=colour, bold=True))
