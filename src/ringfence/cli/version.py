"""``ringfence version``."""

from __future__ import annotations

import json
import platform

import click

from ringfence import __version__
from ringfence.cli.options import output_option


@click.command()
@output_option("text", "json")
def version(output: str) -> None:
    """Print the version."""
    if output == "text":
        click.echo(f"ringfence {__version__}")
        return
    document = {
        "schema": "ringfence/version/v1",
        "version": __version__,
        "python": platform.python_version(),
    }
    click.echo(json.dumps(document))
