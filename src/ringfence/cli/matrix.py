"""``ringfence matrix``: who can reach whom, all at once."""

from __future__ import annotations

import sys

import click

from ringfence.cli.asking import load_compiled
from ringfence.cli.options import Exit, Inputs, cluster_options, output_option

GROUPINGS = ("pod", "workload", "class", "namespace")
FORMATS = ("text", "json", "svg")


@click.command(short_help="Who can talk to whom, all at once")
@click.option(
    "--by",
    type=click.Choice(GROUPINGS),
    help="What a row is.  [default: pod in json, else class]",
)
@click.option(
    "--theme",
    type=click.Choice(["auto", "light", "dark"]),
    default="auto",
    show_default=True,
    help="Colours of svg and html; auto follows the reader's.",
)
@cluster_options
@output_option(*FORMATS)
def matrix(by: str | None, theme: str, *, inputs: Inputs, output: str) -> int:
    """Print which endpoint can reach which, and on which ports.

    Rows are sources, columns destinations. A class is the pods that no policy
    can tell apart; the world outside is split only where ipBlocks split it.
    """
    from ringfence.analysis.matrix import By  # noqa: PLC0415 - quick help
    from ringfence.analysis.matrix import matrix as compute  # noqa: PLC0415
    from ringfence.report.matrixdoc import matrix_chunks  # noqa: PLC0415
    from ringfence.report.matrixtext import matrix_lines  # noqa: PLC0415

    grouping = By(by or ("pod" if output == "json" else "class"))
    compiled = load_compiled(inputs)
    found = compute(compiled, grouping)
    if output == "json":
        for chunk in matrix_chunks(found):
            sys.stdout.write(chunk)
        click.echo()
    elif output == "svg":
        from ringfence.report.picturing import picture  # noqa: PLC0415
        from ringfence.report.svg import svg_document  # noqa: PLC0415

        click.echo(svg_document(picture(compiled, found), theme), nl=False)
    else:
        for line in matrix_lines(found):
            click.echo(line)
    return Exit.OK
