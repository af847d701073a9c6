"""What ``can`` and ``why`` share: their arguments, the question, the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar

import click

from ringfence.cli.options import Exit, Inputs, load_cluster
from ringfence.engine.compiled import Compiled, Profile
from ringfence.engine.compiler import compile_cluster
from ringfence.errors import InputError, Problem
from ringfence.model.cluster import Cluster
from ringfence.model.verdict import Outcome
from ringfence.questions.answer import Answer, answer
from ringfence.questions.batch import Ask, make_ask, parse_batch
from ringfence.questions.reference import (
    ReferenceSyntaxError,
    parse_port,
    parse_protocol,
)
from ringfence.questions.resolve import (
    Question,
    UnknownEndpointError,
    members,
    resolve,
)
from ringfence.report.plain import printable

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

COLOURS = {Outcome.ALLOW: "green", Outcome.DENY: "red", Outcome.UNDECIDED: "yellow"}

EXITS = {
    Outcome.ALLOW: Exit.OK,
    Outcome.DENY: Exit.FINDING,
    Outcome.UNDECIDED: Exit.UNDECIDED,
}

ENDPOINTS = """
FROM and TO: [ns/]POD, [ns/]KIND/NAME (deploy, sts, ds, rs, job, cronjob, svc, ns,
node), [ns/]LABEL=VALUE, ns:NAME, an address, a CIDR, internet, or * for every pod. The
port stands behind TO: web:80, web:http, dns:53/udp, svc/db:5432; without one every
port is asked about.
"""


def port_options(command: Decorated) -> Decorated:
    """Add ``--port`` and ``--protocol``, which mean the same as ``TO:PORT/PROTO``."""
    port = click.option("--port", metavar="PORT", help="A number, a port's name, or *.")
    protocol = click.option(
        "--protocol", metavar="NAME", help="TCP, UDP, SCTP or ICMP.  [default: TCP]"
    )
    return port(protocol(command))


def single_ask(
    ends: tuple[str, str], port: str | None, protocol: str | None, inputs: Inputs
) -> Ask:
    """Return the question of one command line; raises InputError."""
    try:
        return make_ask(
            "",
            ends,
            parse_port(port) if port is not None else None,
            parse_protocol(protocol) if protocol is not None else None,
            inputs.namespace,
        )
    except ReferenceSyntaxError as error:
        raise InputError([Problem("", str(error))]) from None


def read_asks(batch: BinaryIO, namespace: str) -> list[Ask]:
    """Return the questions of a batch file; raises InputError."""
    try:
        text = batch.read().decode()
    except UnicodeDecodeError as error:
        reason = f"no UTF-8 at byte {error.start}"
        raise InputError([Problem(batch.name, reason)]) from None
    # Not splitlines: U+2028 and the like may stand inside a line's JSON.
    return parse_batch(text.split("\n"), batch.name, namespace)


profile_option = click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.KUBERNETES.value,
    show_default=True,
    help="Whose meaning, where network plugins differ: docs/profiles.md.",
)


def load_compiled(
    inputs: Inputs, profile: str = Profile.KUBERNETES.value, *, entries: bool = False
) -> Compiled:
    """Return the compiled cluster, as ``load_cluster`` has it; raises InputError."""
    compiled = compile_cluster(load_cluster(inputs, entries=entries).cluster)
    return replace(compiled, profile=Profile(profile))


def questions(compiled: Compiled, asks: Iterable[Ask]) -> list[Question]:
    """Resolve every question before any is answered; raises InputError with all."""
    resolved: list[Question] = []
    problems: list[Problem] = []
    for ask in asks:
        try:
            resolved.append(
                resolve(compiled.cluster, ask.source, ask.destination, ask.port)
            )
        except UnknownEndpointError as error:
            texts = [*_unknown(compiled.cluster, ask)] or [str(error)]
            problems += (Problem(ask.place, text) for text in texts)
    if problems:
        raise InputError(problems)
    return resolved


def _unknown(cluster: Cluster, ask: Ask) -> Iterator[str]:
    """Yield what is wrong with each end of a question, taken by itself."""
    for reference in dict.fromkeys((ask.source, ask.destination)):
        try:
            members(cluster, reference)
        except UnknownEndpointError as error:
            yield str(error)


def answers(compiled: Compiled, asks: list[Ask]) -> Iterator[tuple[Ask, Answer]]:
    """Yield each question with its answer, in order; raises InputError first."""
    for ask, question in zip(asks, questions(compiled, asks), strict=True):
        yield ask, answer(compiled, question)


def coloured(outcome: Outcome, text: str) -> str:
    """Colour the verdict's word at the start of a line of text."""
    word = str(outcome)
    rest = printable(text[len(word) :])
    return click.style(word, fg=COLOURS[outcome], bold=True) + rest
