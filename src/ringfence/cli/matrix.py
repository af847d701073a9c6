"""``ringfence matrix``: who can reach whom, all at once."""

from __future__ import annotations

import sys

import click

from ringfence.cli.asking import load_compiled
from ringfence.cli.options import Exit, Inputs, cluster_options, output_option

GROUPINGS = ("pod", "workload", "class", "namespace")


@click.command(short_help="Who can talk to whom, all at once")
@click.option(
    "--by",
    type=click.Choice(GROUPINGS),
    help="What a row is.  [default: class in text, pod in json]",
)
@cluster_options
@output_option("text", "json")
def matrix(by: str | None, *, inputs: Inputs, output: str) -> int:
    """Print which endpoint can reach which, and on which ports.

    Rows are sources, columns destinations. A class is the pods that no policy
    can tell apart; the world outside is split only where ipBlocks split it.
    """
    from ringfence.analysis.matrix import By  # noqa: PLC0415 - quick help
    from ringfence.analysis.matrix import matrix as compute  # noqa: PLC0415
    from ringfence.report.matrixdoc import matrix_chunks  # noqa: PLC0415
    from ringfence.report.matrixtext import matrix_lines  # noqa: PLC0415

    grouping = By(by or ("pod" if output == "json" else "class"))
    found = compute(load_compiled(inputs), grouping)
    if output == "json":
        for chunk in matrix_chunks(found):
            sys.stdout.write(chunk)
        click.echo()
    else:
        for line in matrix_lines(found):
            click.echo(line)
    return Exit.OK
