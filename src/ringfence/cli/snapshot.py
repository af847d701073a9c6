"""``ringfence snapshot``: a cluster's facts in one small file."""

from __future__ import annotations

import click

from ringfence.cli.options import Exit, Inputs, cluster_options, load_cluster


@click.command(short_help="Write a cluster's facts into one small file")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, readable=False),
    required=True,
    metavar="FILE",
    help="The file to write, or - for standard output.",
)
@cluster_options
def snapshot(target: str, *, inputs: Inputs) -> int:
    """Write what verdicts and ways in need: no images, no environment.

    Policies keep their places in the files they came from. The same cluster
    gives the same bytes. `--snapshot FILE` reads it wherever -f reads manifests.
    """
    from ringfence.adapters.inputs.snapshot import (  # noqa: PLC0415 - quick help
        snapshot_bytes,
        write_snapshot,
    )

    data = snapshot_bytes(load_cluster(inputs, entries=True).cluster)
    if target == "-":
        click.echo(data, nl=False)
    else:
        write_snapshot(target, data)
    return Exit.OK
