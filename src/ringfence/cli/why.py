"""``ringfence why``: the verdict with the rules that say so."""

from __future__ import annotations

import json

import click

from ringfence.cli.asking import (
    ENDPOINTS,
    EXITS,
    answers,
    coloured,
    load_compiled,
    port_options,
    profile_option,
    single_ask,
)
from ringfence.cli.can import document
from ringfence.cli.options import Inputs, cluster_options, output_option
from ringfence.report.plain import printable
from ringfence.report.story import derivation, headline


@click.command(
    short_help="The same, with the rules that say so",
    epilog=ENDPOINTS + "\nExit: 0 allowed, 1 denied, 2 wrong input, 3 undecided.",
)
@click.argument("source", metavar="FROM")
@click.argument("destination", metavar="TO[:PORT[/PROTO]]")
@port_options
@profile_option
@cluster_options
@output_option("text", "json")
def why(  # noqa: PLR0913 - one parameter an option
    source: str,
    destination: str,
    port: str | None,
    protocol: str | None,
    *,
    profile: str,
    inputs: Inputs,
    output: str,
) -> int:
    """Derive the verdict: both ends, what isolates them, the rule that decides.

    Where nothing matches it names the rule that came nearest, and the smallest
    change that would allow the flow.
    """
    ask = single_ask((source, destination), port, protocol, inputs)
    ((_, found),) = answers(load_compiled(inputs, profile), [ask])
    if output == "json":
        click.echo(json.dumps(document(ask, found), indent=2))
        return EXITS[found.outcome]
    text = headline(ask.source_text, ask.destination_text, found)
    click.echo(coloured(found.outcome, text))
    for line in derivation(found):
        click.echo(printable(line))
    return EXITS[found.outcome]
