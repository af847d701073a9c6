"""What commands share: their options, reading the cluster, words for the terminal."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ringfence.cli.connecting import LIVE_OPTIONS, Live, take_live
from ringfence.cli.sourcing import (
    SNAPSHOT_OPTION,
    SOURCE_OPTIONS,
    Sources,
    take_sources,
)
from ringfence.errors import InputError, Problem
from ringfence.report.plain import printable

if TYPE_CHECKING:
    from ringfence.manifest.decoding.decode import Decoded
    from ringfence.manifest.reader import Document
    from ringfence.manifest.strictness import Options

# The readers are imported where a command reads: `version` and help stay quick.

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Exit(IntEnum):
    """What the process says to its caller."""

    OK = 0
    FINDING = 1
    USAGE = 2
    UNDECIDED = 3
    BUG = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


@dataclass(frozen=True, slots=True)
class Inputs:
    """The options that say what is read, and how strictly."""

    recursive: bool
    namespace: str
    field_validation: str
    strict_cidr: bool
    verbose: bool
    live: Live | None = None
    sources: Sources = field(default_factory=Sources)


class Group(click.Group):
    """A command of commands, which says what there are and which may be meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raise click.UsageError where no command is named and none is the default."""
        if not (args or self.invoke_without_command or ctx.resilient_parsing):
            names = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"a command is needed: {names}", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raise click.UsageError where there is no such command."""
        name, names = args[0], self.list_commands(ctx)
        if not (name in names or name.startswith("-") or ctx.resilient_parsing):
            near = get_close_matches(name, names, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise click.UsageError(f"there is no command {name}{hint}", ctx)
        return super().resolve_command(ctx, args)


def environment_colour() -> bool | None:
    """Return what NO_COLOR and FORCE_COLOR say, None for: on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def _colour(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Settle colour for the whole command line; the last word counts."""
    if value is not None:
        colour = {"always": True, "never": False}.get(value)
        context.color = context.find_root().color = colour


color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    callback=_colour,
    expose_value=False,
    is_eager=True,
    help="Colour the output. auto: on a terminal; NO_COLOR and FORCE_COLOR count.",
)

_recursive_option = click.option(
    "-R",
    "--recursive",
    is_flag=True,
    help="Read the directories below a directory too.",
)
_JUDGING_OPTIONS = (
    click.option(
        "--field-validation",
        type=click.Choice(["strict", "warn"]),
        default="strict",
        show_default=True,
        help="Unknown and duplicate fields of a NetworkPolicy: errors or warnings.",
    ),
    click.option(
        "--strict-cidr/--no-strict-cidr",
        default=True,
        help="Refuse CIDRs with host bits or leading zeros, as servers since 1.36 do.",
    ),
    click.option(
        "-v", "--verbose", is_flag=True, help="Say on stderr what was passed over."
    ),
)

all_namespaces_option = click.option(
    "-A", "--all-namespaces", is_flag=True, help="Look into every namespace."
)
selector_option = click.option(
    "-l",
    "--selector",
    default="",
    metavar="QUERY",
    help="Only what these labels select: app=web,tier in (a,b),!canary.",
)


def output_option(*formats: str) -> Callable[[Decorated], Decorated]:
    """Return ``-o`` with these formats, the first being the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def cluster_options(command: Decorated) -> Decorated:
    """Add the options that say what is read; the command gets them as ``inputs``."""
    namespace = _namespace_option("default, or the context's")
    options = (
        *SOURCE_OPTIONS,
        _recursive_option,
        namespace,
        *_JUDGING_OPTIONS,
        *LIVE_OPTIONS,
        color_option,
    )
    return _gathering(command, options, take_live)


def manifest_options(command: Decorated) -> Decorated:
    """Add those of ``cluster_options`` that name manifests: whole objects, as written.

    A snapshot has of each only what verdicts need, and a cluster has judged its own.
    """
    options = (
        *(option for option in SOURCE_OPTIONS if option is not SNAPSHOT_OPTION),
        _recursive_option,
        _namespace_option("default"),
        *_JUDGING_OPTIONS,
        color_option,
    )
    return _gathering(command, options, lambda _: None)


def _namespace_option(default: str) -> Callable[[Any], Any]:
    return click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        help=f"Namespace of what names none.  [default: {default}]",
    )


def _gathering(
    command: Decorated,
    options: Sequence[Callable[[Any], Any]],
    take: Callable[[dict[str, Any]], Live | None],
) -> Decorated:
    names = [one.name for one in fields(Inputs)]

    @functools.wraps(command)
    def gather(**given: Any) -> Any:
        live = take(given)
        sources = take_sources(given)
        _refuse_sources(sources, live)
        if given["namespace"] is None:
            given["namespace"] = live.access.namespace if live else "default"
        given |= {"live": live, "sources": sources}
        inputs = Inputs(**{name: given.pop(name) for name in names})
        return command(inputs=inputs, **given)

    for option in reversed(options):
        option(gather)
    return gather  # type: ignore[return-value]  # the command takes other arguments now


def _refuse_sources(sources: Sources, live: Live | None) -> None:
    """Raise click.UsageError where a cluster and files would be one cluster.

    And where a chart's options are given, and no chart.
    """
    charts = any(option == "--helm" for option, _ in sources.given)
    if (sources.values or sources.settings) and not charts:
        word = "--values" if sources.values else "--set"
        raise click.UsageError(f"{word} is for charts: --helm CHART is missing")
    if sources.given and live is not None and not sources.overlay:
        raise click.UsageError(
            "-f and --live exclude each other: files or a cluster; with --overlay "
            "the files are laid over the cluster"
        )


def judging_options(inputs: Inputs) -> Options:
    """Return how strictly manifests are judged; raises click.UsageError."""
    from ringfence.manifest.decoding.names import is_namespace_name  # noqa: PLC0415
    from ringfence.manifest.strictness import FieldValidation, Options  # noqa: PLC0415

    if not is_namespace_name(inputs.namespace):
        raise click.UsageError(f'-n "{inputs.namespace}" is no name of a namespace')
    return Options(
        field_validation=FieldValidation(inputs.field_validation),
        # What a cluster holds was accepted by it, host bits and all.
        strict_cidr=inputs.strict_cidr and inputs.live is None,
        namespace=inputs.namespace,
    )


def read_inputs(inputs: Inputs) -> list[Document]:
    """Return the documents of all sources; raises InputError, click.UsageError."""
    if not inputs.sources.given:
        raise click.UsageError("-f PATH is needed, or -k, --helm, --git")
    return [document for layer in _layers(inputs) for document in layer]


def _layers(inputs: Inputs, *, entries: bool = False) -> list[list[Document]]:
    from ringfence.adapters.inputs.sources import read_layers  # noqa: PLC0415

    layers = []
    if inputs.live is not None:
        layers.append(
            live_documents(inputs.live, entries=entries, verbose=inputs.verbose)
        )
    if not layers and not inputs.sources.given:
        raise click.UsageError("-f PATH is needed, or -k, --helm, --git, --live, ...")
    reading = inputs.sources.reading(
        recursive=inputs.recursive, namespace=inputs.namespace
    )
    return layers + read_layers(inputs.sources.listed(), reading)


def live_documents(
    live: Live, *, entries: bool = False, verbose: bool = False
) -> list[Document]:
    """Return the objects of the cluster, with ``entries`` its entry points too.

    Those that may not be listed are told on stderr. Raises InputError.
    """
    from ringfence.adapters.kubernetes.live import read_live  # noqa: PLC0415

    held = read_live(live.access, timeout_s=live.timeout_s, entries=entries)
    say("warning", held.warnings())
    if verbose and held.unserved:
        click.echo(f"not served by the cluster: {', '.join(held.unserved)}", err=True)
    return held.documents


def load_cluster(inputs: Inputs, *, entries: bool = False) -> Decoded:
    """Return the cluster of the sources or of ``--live``; raises InputError.

    ``entries``: entry points of a live cluster are fetched, which verdicts need not.
    Warnings go to stderr, and with ``-v`` the count of what was passed over. What
    cannot be read does not hide what is wrong with the rest.
    """
    # What is read stays: looking through it for garbage takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return decoded(lambda: _layers(inputs, entries=entries), inputs)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def decoded(read: Callable[[], list[list[Document]]], inputs: Inputs) -> Decoded:
    """Return the cluster of the layers that are read; raises InputError.

    What cannot be read does not hide what is wrong with the rest.
    """
    from ringfence.manifest.reader import PartlyReadError  # noqa: PLC0415 - quick help

    try:
        return decode_layers(read(), inputs)
    except PartlyReadError as error:
        more = [] if inputs.sources.overlay else _faults(error.documents, inputs)
        raise InputError([*error.problems, *more]) from None


def _faults(documents: Iterable[Document], inputs: Inputs) -> Iterable[Problem]:
    """Return what is wrong with the documents that could be read."""
    from ringfence.manifest.decoding.decode import decode_documents  # noqa: PLC0415

    try:
        decode_documents(documents, judging_options(inputs))
    except InputError as error:
        return error.problems
    return ()


def decode_layers(layers: list[list[Document]], inputs: Inputs) -> Decoded:
    """Return the cluster of layers, as ``load_cluster`` does; raises InputError."""
    from ringfence.manifest.decoding.decode import decode_cluster, decode_documents  # noqa: PLC0415
    from ringfence.manifest.overlay import overlaid  # noqa: PLC0415

    options = judging_options(inputs)
    if inputs.sources.overlay:
        decoded = decode_cluster(overlaid(layers, inputs.namespace), options)
    else:
        documents = (document for layer in layers for document in layer)
        decoded = decode_documents(documents, options)
    say("warning", decoded.warnings)
    if inputs.verbose and decoded.skipped:
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(decoded.skipped.items()))
        click.echo(f"passed over: {counts}", err=True)
    return decoded


def say(word: str, problems: Iterable[Problem]) -> None:
    """Write problems to stderr, one a line, after a word: ``error: place: ...``."""
    colour = {"error": "red", "warning": "yellow"}[word]
    head = click.style(f"{word}:", fg=colour, bold=True)
    for problem in problems:
        click.echo(f"{head} {printable(str(problem))}", err=True)
