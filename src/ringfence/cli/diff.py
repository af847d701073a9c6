"""``ringfence diff``: what becomes reachable between two clusters, and why."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from ringfence.cli.asking import profile_option
from ringfence.cli.matrix import GROUPINGS, theme_option
from ringfence.cli.options import (
    Exit,
    Inputs,
    cluster_options,
    decode_layers,
    decoded,
    live_documents,
    output_option,
)
from ringfence.cli.sourcing import FILE
from ringfence.engine.compiled import Compiled, Profile
from ringfence.engine.compiler import compile_cluster
from ringfence.errors import InputError, Problem

if TYPE_CHECKING:
    from ringfence.analysis.change.difference import Difference
    from ringfence.manifest.reader import Document

LIVE = "live"
"""The side that is the cluster of ``--live``."""

FAIL_ON = ("any", "broadened", "narrowed")


@click.command(short_help="What a change opens and closes, and by which line")
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="HEAD")
@click.option(
    "--with",
    "shared",
    multiple=True,
    type=FILE,
    metavar="PATH",
    help="Manifests or a snapshot that both sides have in common. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default=FAIL_ON[0],
    show_default=True,
    help="Which changes end in exit code 1; what may be one counts as one.",
)
@click.option(
    "--by",
    type=click.Choice(GROUPINGS),
    help="With -o svg: what a card is.  [default: class, or namespace if too many]",
)
@theme_option
@profile_option
@click.option(
    "--head-profile",
    type=click.Choice([profile.value for profile in Profile]),
    help="Another profile for HEAD: BASE against itself lists where plugins differ.",
)
@cluster_options
@output_option("text", "json", "md", "svg")
def diff(  # noqa: PLR0913 - one parameter an option
    base: str,
    head: str,
    *,
    shared: tuple[str, ...],
    fail_on: str,
    by: str | None,
    theme: str,
    profile: str,
    head_profile: str | None,
    inputs: Inputs,
    output: str,
) -> int:
    """Say what passes in HEAD and did not in BASE, and what no longer does.

    BASE and HEAD: a file, a directory, a snapshot, REF:PATH of git, or a branch,
    tag or commit. -f, -k and --helm then name what is read inside each commit or
    directory. With --live the word live is the cluster, and --overlay lays the
    other side over it. Exit code 0: no difference, 1: some, 2: an error.
    """
    from ringfence.analysis.change.difference import difference  # noqa: PLC0415 - quick help

    if by is not None and output != "svg":
        raise click.UsageError(
            "--by is for -o svg: other formats group by what changed"
        )
    gc.disable()  # what is compiled stays to the end, and all of it is looked through
    sides = (base, head)
    cluster = _cluster(sides, inputs)
    before, after = (
        replace(compiled, profile=Profile(name))
        for compiled, name in zip(
            _both(sides, cluster, shared, inputs),
            (profile, head_profile or profile),
            strict=True,
        )
    )
    found = difference(before, after)
    lines = (
        _drawn(found, (before, after), by, theme)
        if output == "svg"
        else _lines(found, sides, output)
    )
    for line in lines:
        click.echo(line)
    return Exit.FINDING if _fails(found, fail_on) else Exit.OK


def _cluster(sides: tuple[str, str], inputs: Inputs) -> list[list[Document]]:
    """Return the cluster's layer, none without ``--live``; raises click.UsageError."""
    if inputs.live is None:
        return []
    if LIVE not in sides:
        raise click.UsageError(f"with --live one side is {LIVE}: diff {LIVE} HEAD")
    return [live_documents(inputs.live)]


def _both(
    sides: tuple[str, str],
    cluster: list[list[Document]],
    shared: tuple[str, ...],
    inputs: Inputs,
) -> tuple[Compiled, Compiled]:
    """Return both sides; raises InputError with the problems of both, each once."""
    found: list[Compiled] = []
    problems: dict[Problem, None] = {}
    for side in sides:
        try:
            found.append(_compiled(side, cluster, shared, inputs))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    base, head = found
    return base, head


def _compiled(
    side: str, cluster: list[list[Document]], shared: tuple[str, ...], inputs: Inputs
) -> Compiled:
    if cluster and side == LIVE:
        return compile_cluster(decode_layers(cluster, inputs).cluster)
    from ringfence.adapters.inputs.sides import Inside, read_side  # noqa: PLC0415 - quick help

    reading = inputs.sources.reading(
        recursive=inputs.recursive, namespace=inputs.namespace
    )
    inside = Inside(tuple(inputs.sources.listed()), shared)
    below = cluster if inputs.sources.overlay else []
    if not below:
        inputs = replace(inputs, live=None)  # manifests alone are judged as such
    read = partial(read_side, side, inside, reading)
    return compile_cluster(decoded(lambda: below + read(), inputs).cluster)


def _fails(found: Difference, fail_on: str) -> bool:
    match fail_on:
        case "broadened":
            return any(change.step.opens for change in found.changes)
        case "narrowed":
            return any(not change.step.opens for change in found.changes)
        case _:
            return bool(found)


def _drawn(
    found: Difference, clusters: tuple[Compiled, Compiled], by: str | None, theme: str
) -> Iterator[str]:
    from ringfence.analysis.matrix import By  # noqa: PLC0415 - quick help
    from ringfence.report.drawing.svg import svg_document  # noqa: PLC0415
    from ringfence.report.picture.diffpicture import difference_picture  # noqa: PLC0415

    drawn = difference_picture(found, *clusters, By(by) if by else None)
    yield svg_document(drawn, theme).rstrip("\n")


def _lines(found: Difference, sides: tuple[str, str], output: str) -> Iterator[str]:
    from ringfence.report.diffdoc import (  # noqa: PLC0415 - quick help
        difference_comment,
        difference_document,
    )
    from ringfence.report.difftext import difference_lines  # noqa: PLC0415

    match output:
        case "json":
            yield json.dumps(difference_document(found, *sides))
        case "md":
            yield from difference_comment(found, *sides)
        case _:
            yield from difference_lines(found)
