"""The command line's frame: the table of commands, faults, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

from ringfence import __version__
from ringfence.cli.options import Exit, Group, color_option, environment_colour, say
from ringfence.errors import InputError, Problem, RingfenceBug, RingfenceError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _Entry(NamedTuple):
    section: str
    summary: str


_COMMANDS = {
    "can": _Entry("Ask", "Whether FROM can talk to TO: yes or no"),
    "why": _Entry("Ask", "The same, with the rules that say so"),
    "get": _Entry("Ask", "List policies, pods, paths, what is exposed, profiles"),
    "describe": _Entry("Ask", "Tell all about one policy or one pod"),
    "matrix": _Entry("Ask", "Who can talk to whom, all at once"),
    "diff": _Entry("Check", "What a change opens and closes, and by which line"),
    "snapshot": _Entry("Check", "Write a cluster's facts into one small file"),
    "validate": _Entry("Check", "Judge manifests as the API server would"),
    "ruleset": _Entry("Enforce", "Print the nftables ruleset of a node"),
    "lab": _Entry("Enforce", "Try manifests with real packets"),
    "agent": _Entry("Enforce", "Enforce NetworkPolicy on this node"),
    "doctor": _Entry("Enforce", "Find what is in the way of enforcement here"),
    "observe": _Entry("Enforce", "Show the flows that the agent logged, live"),
    "version": _Entry("About", "Print the version"),
    "completion": _Entry("About", "Print a completion script for a shell"),
}
"""Each command is the function of its name in the module of its name."""


class _Commands(Group):
    """The commands of the table, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"ringfence.cli.{cmd_name}")
        command = getattr(module, cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        sections = dict.fromkeys(entry.section for entry in _COMMANDS.values())
        for section in sections:
            rows = [
                (name, entry.summary)
                for name, entry in _COMMANDS.items()
                if entry.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=12)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - rarely run

        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@color_option
@click.version_option(
    __version__, message="ringfence %(version)s", help="Print the version and exit."
)
@click.pass_context
def ringfence(context: click.Context) -> None:
    """Kubernetes NetworkPolicy: know, try and enforce who can talk to whom.

    Verdicts come from manifests (-f, -k, --helm, --git), a snapshot or a cluster.

    \b
    Exit codes: 0 allowed, or nothing found     2 wrong usage or input
                1 denied, or something found    3 undecided: facts are missing
    """  # noqa: D301 - click's mark for a paragraph to be left as it is
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(program: str, arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; faults are told on stderr."""
    with click.Context(ringfence, info_name=program, color=environment_colour()):
        return guarded(lambda: _invoke(program, list(arguments)))


def _invoke(program: str, arguments: list[str]) -> int:
    colour = environment_colour()
    with ringfence.make_context(program, arguments, color=colour) as context:
        # Guarded inside, too: here --color is known.
        return guarded(lambda: ringfence.invoke(context) or Exit.OK)


def guarded(action: Callable[[], int]) -> int:
    """Return the action's exit code, or its fault's, with the fault told."""
    try:
        code = action()
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        code = Exit.BROKEN_PIPE
    except (click.ClickException, RingfenceError, OSError) as error:
        if isinstance(error, OSError):
            _abandon_stdout()
        say("error", _problems(error))
        code = Exit.BUG if isinstance(error, RingfenceBug) else Exit.USAGE
    return code


def _problems(
    error: click.ClickException | RingfenceError | OSError,
) -> Iterable[Problem]:
    """Return a fault in the words that its reader can act on."""
    match error:
        case InputError(problems=problems):
            return problems
        case RingfenceBug():
            hint = "a fault of ringfence: please report it with what you ran"
            return [Problem("", str(error), "", hint)]
        case click.UsageError(ctx=click.Context(command_path=path)):
            message, hint = error.format_message(), f"{path} -h tells more"
            if isinstance(error, click.MissingParameter):
                message = " ".join(
                    message.split()
                )  # its choices are lines of their own
            return [Problem("", message, "", hint)]
        case click.ClickException():
            return [Problem("", error.format_message())]
        case OSError(filename=name, strerror=reason):
            return [Problem(str(name or ""), reason or str(error))]
        case _:
            return [Problem("", str(error))]


def _abandon_stdout() -> None:
    """Let what is still to be written go nowhere: the exit must not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
