"""The options that say where manifests come from, in the order they were given."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ringfence.adapters.inputs.sources import Reading, Source

FILE = click.Path(allow_dash=True, readable=False)
"""A name that a shell completes. Its reader says what is wrong with it: click would
tell the first one alone."""

ORDER = "ringfence.order"
"""Where a context keeps the names of source options as the command line has them."""

KIND_OF = {
    "paths": "-f",
    "kustomize": "-k",
    "helm": "--helm",
    "git": "--git",
    "snapshots": "--snapshot",
}
"""The option behind each parameter, as ``adapters.inputs.sources.Kind`` calls it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Sources as (option, place), left to right; what charts are rendered with.

    ``overlay``: each may replace what those before it hold.
    """

    given: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    overlay: bool = False

    def listed(self) -> list[Source]:
        """Return the sources for the reader."""
        from ringfence.adapters.inputs.sources import Kind, Source  # noqa: PLC0415 - quick help

        return [Source(Kind(option), place) for option, place in self.given]

    def reading(self, *, recursive: bool, namespace: str) -> Reading:
        """Return how they are read."""
        from ringfence.adapters.inputs.helm import Values  # noqa: PLC0415 - quick help
        from ringfence.adapters.inputs.sources import Reading  # noqa: PLC0415

        values = Values(self.values, self.settings, namespace)
        return Reading(sys.stdin.buffer, recursive, values, apart=self.overlay)


class SourceOption(click.Option):
    """An option that names a source, and remembers when its turn was.

    Click hands over the values of each option by itself, but layers need the
    order between options, which only click's parser sees.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Have the parser note the option each time that it meets it."""
        super().add_to_parser(parser, ctx)
        order: list[str] = ctx.meta.setdefault(ORDER, [])
        known = {**parser._short_opt, **parser._long_opt}  # noqa: SLF001 - no other way
        for option in {id(known[word]): known[word] for word in self.opts}.values():
            option.process = _noting(option.process, order, self.name or "")


def _noting(
    process: Callable[..., None], order: list[str], name: str
) -> Callable[..., None]:
    def note(value: Any, state: Any) -> None:
        order.append(name)
        process(value, state)

    return note


def _source(*words: str, metavar: str, text: str) -> Callable[..., Any]:
    return click.option(
        *words,
        cls=SourceOption,
        multiple=True,
        type=FILE,
        metavar=metavar,
        help=text,
    )


SNAPSHOT_OPTION = _source(
    "--snapshot",
    "snapshots",
    metavar="FILE",
    text="A cluster that snapshot wrote; - is stdin.",
)

SOURCE_OPTIONS = (
    _source(
        "-f",
        "--filename",
        "paths",
        metavar="PATH",
        text="Manifests: a file, a directory, or - for standard input. Repeatable.",
    ),
    _source(
        "-k",
        "--kustomize",
        metavar="DIR",
        text="A kustomization, built by kustomize or kubectl.",
    ),
    _source("--helm", metavar="CHART", text="A chart, rendered by helm ..."),
    click.option(
        "--values",
        multiple=True,
        type=FILE,
        metavar="FILE",
        help="... with the values of this file,",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="... or with this value.",
    ),
    _source(
        "--git",
        metavar="REF:PATH",
        text="Manifests as a branch, tag or commit has them.",
    ),
    SNAPSHOT_OPTION,
    click.option(
        "--overlay",
        is_flag=True,
        help="Let each source replace or remove what those before it hold.",
    ),
)


def take_sources(given: dict[str, Any]) -> Sources:
    """Take the sources out of a command's parameters, in their order."""
    waiting = {name: iter(given.pop(name, ())) for name in KIND_OF}
    order = click.get_current_context().meta.get(ORDER, ())
    return Sources(
        tuple((KIND_OF[name], next(waiting[name])) for name in order),
        given.pop("values"),
        given.pop("settings"),
        given.pop("overlay"),
    )
