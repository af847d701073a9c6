"""``ringfence matrix``: who can reach whom, all at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from ringfence.cli.asking import load_compiled, profile_option
from ringfence.cli.options import Exit, Inputs, cluster_options, output_option
from ringfence.errors import InputError, Problem

if TYPE_CHECKING:
    from ringfence.analysis.focus import Focus
    from ringfence.analysis.matrix import By
    from ringfence.engine.compiled import Compiled
    from ringfence.model.cluster import Cluster
    from ringfence.model.flow import End
    from ringfence.sets.conns import ConnSet

Read = TypeVar("Read")

GROUPINGS = ("pod", "workload", "class", "namespace")
TABLES = ("text", "wide", "json", "csv", "md")
PICTURES = ("dot", "mermaid", "svg", "html")

theme_option = click.option(
    "--theme",
    type=click.Choice(["auto", "light", "dark"]),
    default="auto",
    show_default=True,
    help="Colours of pictures; auto follows the reader's.",
)


class _Asked(NamedTuple):
    """What a command line asks of a cluster."""

    by: By | None
    focus: Focus
    output: str
    theme: str


@click.command(short_help="Who can talk to whom, all at once")
@click.option(
    "--by",
    type=click.Choice(GROUPINGS),
    help="What a row is.  [default: pod in json and csv, else class]",
)
@click.option("--from", "source", metavar="FROM", help="Only flows from this endpoint.")
@click.option("--to", "target", metavar="TO", help="Only flows to this endpoint.")
@click.option("--port", metavar="PORT[/PROTO]", help="Only flows to this port.")
@theme_option
@profile_option
@cluster_options
@output_option(*TABLES, *PICTURES)
def matrix(  # noqa: PLR0913 - one argument an option, as click has it
    by: str | None,
    source: str | None,
    target: str | None,
    port: str | None,
    theme: str,
    *,
    profile: str,
    inputs: Inputs,
    output: str,
) -> int:
    """Print which endpoint can reach which, and on which ports.

    Rows are sources, columns destinations. A class is the pods that no policy
    can tell apart; the world outside is split only where ipBlocks split it.

    \b
    text, wide   a table; wide has long lists of ports in their cells
    json, csv    for programs; csv has one row for each pair with a flow
    md           a table for a review's comment
    svg, html    a diagram; html is one page with the matrix and why on a click
    dot, mermaid the diagram for other programs that draw
    """  # noqa: D301 - click's mark for a paragraph to be left as it is
    from ringfence.analysis.focus import Focus  # noqa: PLC0415 - quick help
    from ringfence.analysis.matrix import By  # noqa: PLC0415

    gc.disable()  # what is compiled stays to the end, as what is read does
    compiled = load_compiled(inputs, profile)
    problems: list[Problem] = []
    conns = None if port is None else _noted(lambda: _conns(port), problems)
    sources, targets = (
        None
        if text is None
        else _noted(partial(_ends, option, text, compiled.cluster, inputs), problems)
        for option, text in (("--from", source), ("--to", target))
    )
    if problems:
        raise InputError(problems)
    asked_for = (("from", source), ("to", target), ("on port", port))
    words = " ".join(f"{word} {text}" for word, text in asked_for if text is not None)
    focus = Focus(sources, targets, conns, words)
    asked = _Asked(By(by) if by else None, focus, output, theme)
    pieces = _drawn if output in PICTURES else _listed
    for piece in pieces(compiled, asked):
        sys.stdout.write(piece)
    return Exit.OK


def _noted(read: Callable[[], Read], problems: list[Problem]) -> Read | None:
    """Return what is read, None where it is wrong, with the problems noted."""
    try:
        return read()
    except InputError as error:
        problems += error.problems
        return None


def _conns(text: str) -> ConnSet:
    """Return what ``--port`` asks about; raises InputError."""
    from ringfence.model.flow import Protocol  # noqa: PLC0415
    from ringfence.questions.reference import (  # noqa: PLC0415 - quick help
        ReferenceSyntaxError,
        parse_port,
    )
    from ringfence.sets.conns import EVERY_PORT, conn_set  # noqa: PLC0415

    try:
        found = parse_port(text)
    except ReferenceSyntaxError as error:
        raise InputError([Problem("--port", str(error))]) from None
    protocol = found.protocol or Protocol.TCP
    if not protocol.has_ports:
        raise InputError([Problem("--port", f"{protocol.value} has no ports")])
    if isinstance(found.port, str):
        hint = "a port's name means another number at each pod"
        raise InputError([Problem("--port", f"{text!r} is no number", "", hint)])
    ranges = EVERY_PORT if found.port is None else ((found.port, found.port),)
    return conn_set({protocol.value: ranges}, other=False)


def _ends(option: str, text: str, cluster: Cluster, inputs: Inputs) -> tuple[End, ...]:
    """Return the ends that a reference names; raises InputError."""
    from ringfence.model.flow import NodeEnd  # noqa: PLC0415
    from ringfence.questions.reference import (  # noqa: PLC0415 - quick help
        ReferenceSyntaxError,
        parse_reference,
    )
    from ringfence.questions.resolve import UnknownEndpointError, members  # noqa: PLC0415

    try:
        ends = members(cluster, parse_reference(text, inputs.namespace))
    except (ReferenceSyntaxError, UnknownEndpointError) as error:
        raise InputError([Problem(option, str(error))]) from None
    shown = tuple(end for end in ends if not isinstance(end, NodeEnd))
    if not shown:
        what = "a node is no endpoint of a matrix" if ends else "it stands for no pod"
        raise InputError([Problem(option, f"{text}: {what}")])
    return shown


def _listed(compiled: Compiled, asked: _Asked) -> Iterator[str]:
    """Yield a table as pieces of text."""
    from ringfence.analysis.focus import focused  # noqa: PLC0415 - quick help
    from ringfence.analysis.matrix import By  # noqa: PLC0415
    from ringfence.analysis.matrix import matrix as compute  # noqa: PLC0415
    from ringfence.report import matrixdoc, matrixlists, matrixtext  # noqa: PLC0415

    by = asked.by or (By.POD if asked.output in {"json", "csv"} else By.CLASS)
    table = focused(compute(compiled, by), compiled.cluster, asked.focus)
    match asked.output:
        case "json":
            yield from matrixdoc.matrix_chunks(table)
            yield "\n"
            return
        case "csv":
            lines = matrixlists.csv_lines(table)
        case "md":
            lines = matrixlists.markdown_lines(table)
        case output:
            lines = matrixtext.matrix_lines(table, wide=output == "wide")
    for line in lines:
        yield f"{line}\n"


def _drawn(compiled: Compiled, asked: _Asked) -> Iterator[str]:
    """Yield a diagram as pieces of text."""
    from ringfence.report.picture.diagram import diagram  # noqa: PLC0415 - quick help

    table, picture = diagram(compiled, asked.by, asked.focus)
    match asked.output:
        case "svg":
            from ringfence.report.drawing.svg import svg_document  # noqa: PLC0415

            yield svg_document(picture, asked.theme)
        case "html":
            from ringfence.report.page.html import html_document  # noqa: PLC0415

            yield html_document(compiled, table, picture, asked.theme)
        case output:
            from ringfence.report.drawing.graphs import dot_lines, mermaid_lines  # noqa: PLC0415

            lines = dot_lines if output == "dot" else mermaid_lines
            for line in lines(picture):
                yield f"{line}\n"
