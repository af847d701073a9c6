"""``ringfence can``: whether one end may talk to another."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from ringfence.cli.asking import (
    ENDPOINTS,
    EXITS,
    answers,
    coloured,
    load_compiled,
    port_options,
    profile_option,
    read_asks,
    single_ask,
)
from ringfence.cli.options import Exit, Inputs, cluster_options, output_option
from ringfence.questions.answer import Answer
from ringfence.questions.batch import Ask
from ringfence.report.story import brief_reason, headline
from ringfence.report.verdictdoc import verdict_document


@click.command(
    short_help="Whether FROM can talk to TO: yes or no",
    epilog=ENDPOINTS + "\nExit: 0 allowed, 1 denied, 2 wrong input, 3 undecided.",
)
@click.argument("source", metavar="FROM", required=False)
@click.argument("destination", metavar="TO[:PORT[/PROTO]]", required=False)
@port_options
@click.option(
    "--batch",
    type=click.File("rb"),
    metavar="FILE",
    help="Answer each JSON line of FILE: from, to, port, protocol; - is stdin.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing, only exit.")
@profile_option
@cluster_options
@output_option("text", "json")
def can(  # noqa: PLR0913 - one parameter an option
    source: str | None,
    destination: str | None,
    port: str | None,
    protocol: str | None,
    batch: BinaryIO | None,
    *,
    profile: str,
    quiet: bool,
    inputs: Inputs,
    output: str,
) -> int:
    """Say whether FROM can talk to TO, by the manifests given with -f.

    With --batch many questions are answered in one run, one line each, in order:
    exit 0 if all were answered.
    """
    if batch is not None:
        if source is not None or port is not None or protocol is not None:
            raise click.UsageError("--batch takes its questions from FILE alone")
        asks = read_asks(batch, inputs.namespace)
        for ask, found in answers(load_compiled(inputs, profile), asks):
            click.echo(_line(ask, found, output))
        return Exit.OK
    if source is None or destination is None:
        raise click.UsageError("FROM and TO are needed, or --batch FILE")
    ask = single_ask((source, destination), port, protocol, inputs)
    ((_, found),) = answers(load_compiled(inputs, profile), [ask])
    if not quiet:
        click.echo(_line(ask, found, output))
    return EXITS[found.outcome]


def _line(ask: Ask, found: Answer, output: str) -> str:
    if output == "json":
        return json.dumps(document(ask, found))
    text = headline(ask.source_text, ask.destination_text, found)
    reason = brief_reason(found)
    return coloured(found.outcome, f"{text}  {reason}" if reason else text)


def document(ask: Ask, found: Answer) -> dict[str, object]:
    """Return the verdict document of an answered question."""
    return verdict_document(
        ask.source_text, ask.destination_text, ask.protocol, ask.port.port, found
    )
