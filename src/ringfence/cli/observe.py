"""``ringfence observe``: the flow log, chosen and told as Hubble does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

import click

from ringfence.adapters.flowlines import Lines, file_lines, socket_lines, stdin_lines
from ringfence.cli.options import Exit, color_option, output_option
from ringfence.errors import InputError, Problem
from ringfence.observe.filters import FilterError, Filters, filters, moment
from ringfence.observe.hubble import Lost, read
from ringfence.observe.lines import compact, listed, tabled, verdict_word
from ringfence.observe.record import FlowRecord, Verdict
from ringfence.report.plain import printable

T = TypeVar("T", bound=Callable[..., object])

SERVER = "unix:/run/ringfence/flows.sock"
SHOWN = 20
"""How many of what an agent remembers are shown where nothing else is asked for."""

_COLOURS = {Verdict.FORWARDED: "green", Verdict.DROPPED: "red", Verdict.AUDIT: "yellow"}


class _Filter(NamedTuple):
    """A filter's flag: other names, its value, what it is."""

    name: str
    value: str
    help: str
    short: str = ""


_SIDED = (
    _Filter("pod", "[NS/]PREFIX", "a pod, in default or -n's namespace"),
    _Filter("namespace", "NS", "a pod of this namespace", "-n"),
    _Filter("ip", "IP|CIDR", "this address"),
    _Filter("port", "PORT", "this port"),
    _Filter("label", "QUERY", "labels: app=web, or reserved:world", "-l"),
    _Filter("workload", "[NS/]NAME", "a workload, also as Kind/name"),
    _Filter("identity", "WORD", "world, host, remote-node, kube-apiserver or unknown"),
)
_PLAIN = (
    _Filter("verdict", "WORD", "DROPPED (DENIED), FORWARDED (ALLOWED) or AUDIT."),
    _Filter("policy", "[NS/]NAME", "Decided by this policy."),
    _Filter("protocol", "NAME", "tcp, udp, sctp, icmp, icmpv4 or icmpv6."),
    _Filter("tcp-flags", "FLAGS", "TCP segments with these: syn, or syn,ack."),
    _Filter("traffic-direction", "WORD", "ingress or egress."),
    _Filter("type", "TYPE[:SUB]", "policy-verdict[:NS/POLICY], drop or trace.", "-t"),
    _Filter("drop-reason-desc", "WORD", "POLICY_DENIED."),
    _Filter("node-name", "NODE", "Seen by this node."),
)
_FILTERS = (
    *_PLAIN,
    *(
        _Filter(
            f"{side}{of.name}", of.value, f"{words} {of.help}.", of.short * (not side)
        )
        for of in _SIDED
        for side, words in (
            ("", "Either end:"),
            ("from-", "Source:"),
            ("to-", "Destination:"),
        )
    ),
)
_VERSIONS = {"-4": "4", "--ipv4": "4", "-6": "6", "--ipv6": "6"}
_LONG = {of.short: f"--{of.name}" for of in _FILTERS if of.short}


class _Command(click.Command):
    """A command in which ``--not`` turns the filter after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_turned(ctx, args)))


def _turned(context: click.Context, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments, ``--not --pod x`` written as ``--not-pod x``."""
    words = iter(arguments)
    for word in words:
        if word != "--not":
            yield word
            continue
        name, equals, value = next(words, "").partition("=")
        if name in _VERSIONS:
            yield from ("--not-ip-version", _VERSIONS[name])
            continue
        long = _LONG.get(name, name).removeprefix("--")
        if long not in {of.name for of in _FILTERS}:
            raise click.UsageError("--not needs a filter after it", context)
        yield f"--not-{long}{equals}{value}"


def _filter_options(command: T) -> T:
    """Add every filter, and the hidden one that ``--not`` makes of it."""
    for of in reversed(_FILTERS):
        names = [of.short] * bool(of.short) + [f"--{of.name}"]
        click.option(*names, multiple=True, metavar=of.value, help=of.help)(command)
        click.option(f"--not-{of.name}", multiple=True, hidden=True)(command)
    click.option("--not-ip-version", multiple=True, hidden=True)(command)
    for short, name, value in (("-6", "--ipv6", "6"), ("-4", "--ipv4", "4")):
        click.option(short, name, is_flag=True, help=f"IPv{value} only.")(command)
    return command


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which records are shown: what passes, when it was, how many.

    ``last`` None: all that was there before; ``first`` None: without an end.
    """

    filters: Filters
    since: int | None
    until: int | None
    first: int | None
    last: int | None

    def takes(self, record: FlowRecord) -> bool:
        """Whether a record is shown, as far as it alone says."""
        return (
            (self.since is None or record.time >= self.since)
            and (self.until is None or record.time <= self.until)
            and self.filters.pass_(record)
        )


class _Shown(NamedTuple):
    """A record and the line that it was read from."""

    line: str
    record: FlowRecord


@click.command(
    cls=_Command,
    short_help="Show the flows that the agent logged, live",
    epilog="Filters: the same one again is or, another one and; --not turns the next. "
    "Exit: 0, or 2 for wrong input.",
)
@click.option(
    "--server",
    metavar="unix:PATH",
    help=f"The agent's socket.  [default: {SERVER}]",
)
@click.option("--input-file", metavar="FILE", help="Read flow records; - is stdin.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="The last N flows.")
@click.option("--first", type=click.IntRange(1), metavar="N", help="The first N flows.")
@click.option("--all", "everything", is_flag=True, help="All that is remembered.")
@click.option("--since", metavar="TIME", help="From then on: 5m, or RFC 3339.")
@click.option("--until", metavar="TIME", help="Until then.")
@click.option("--print-node-name", is_flag=True, help="Name the node in compact lines.")
@click.option("--not", is_flag=True, expose_value=False, help="Turn the next filter.")
@_filter_options
@output_option("compact", "dict", "json", "jsonpb", "table")
@color_option
def observe(output: str, *, print_node_name: bool, **given: object) -> int:
    """Show flows that policies denied, who was denied them and which rule was near.

    Filters and output are those of `hubble observe`.
    """
    if output == "table" and given["follow"]:
        raise click.UsageError("a table has an end: -o table and --follow exclude")
    shown = _shown(_source(given), _choice(given))
    if output == "table":
        for line in tabled(one.record for one in shown):
            click.echo(printable(line))
        return Exit.OK
    for one in shown:
        for line in _told(one, output, node=print_node_name):
            click.echo(line)
    return Exit.OK


def _told(one: _Shown, output: str, *, node: bool) -> Iterator[str]:
    # Some of a record's names are anybody's choice: an owner's in the API is any text.
    match output:
        case "compact":
            colour = _COLOURS.get(one.record.verdict)
            word = f" {verdict_word(one.record)}"
            text = printable(compact(one.record, node=node))
            yield text.replace(word, click.style(word, fg=colour), 1)
        case "dict":
            yield from map(printable, listed(one.record))
        case _:
            yield one.line


def _source(given: dict[str, object]) -> Lines:
    server, path = given["server"], given["input_file"]
    follow = bool(given["follow"])
    if server is not None and path is not None:
        raise click.UsageError("--server and --input-file exclude each other")
    if path == "-":
        return stdin_lines()
    if path is not None:
        return file_lines(str(path), follow=follow)
    kind, found, place = str(server or SERVER).partition(":")
    if not found or kind != "unix" or not place:
        raise click.UsageError(f'--server "{server}" is no unix:PATH')
    return socket_lines(place, follow=follow)


def _choice(given: dict[str, object]) -> _Choice:
    now = time.time_ns()
    wanted, unwanted = _values(given, ""), _values(given, "not_")
    versions = [of for of in ("4", "6") if given[f"ipv{of}"]]
    if versions:
        wanted["ip-version"] = versions
    problems: list[Problem] = []
    since, until = (_moment(given, name, now, problems) for name in ("since", "until"))
    made = Filters()
    try:
        made = filters(wanted, unwanted)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    first, last = given["first"], given["last"]
    if first is not None and last is not None:
        raise click.UsageError("--first and --last exclude each other")
    bounded = given["everything"] or first or since is not None or until is not None
    if last is None and given["input_file"] is None and not bounded:
        last = 0 if given["follow"] else SHOWN
    number = int(str(first)) if first is not None else None
    return _Choice(made, since, until, number, None if last is None else int(str(last)))


def _moment(
    given: dict[str, object], name: str, now: int, problems: list[Problem]
) -> int | None:
    """Return the time that an option gives, or add why it is none."""
    try:
        return None if given[name] is None else moment(str(given[name]), now)
    except FilterError as error:
        problems.append(Problem(f"--{name}", str(error)))
        return None


def _values(given: dict[str, object], head: str) -> dict[str, list[str]]:
    names = (*(of.name for of in _FILTERS), *(["ip-version"] if head else []))
    found: dict[str, list[str]] = {}
    for name in names:
        values = given[f"{head}{name.replace('-', '_')}"]
        if isinstance(values, tuple) and values:
            found[name] = [str(value) for value in values]
    return found


def _shown(lines: Lines, choice: _Choice) -> Iterator[_Shown]:
    """Yield the chosen records, as many as were asked for."""
    return islice(_chosen(lines, choice), choice.first)


def _chosen(lines: Lines, choice: _Choice) -> Iterator[_Shown]:
    """Yield the records that pass; of what was there before only the last ones."""
    kept: deque[_Shown] = deque(maxlen=choice.last)
    before = choice.last is not None
    for line in lines:
        if line is None:
            yield from kept
            kept.clear()
            before = False
            continue
        one = _read(line)
        if one is None or not choice.takes(one.record):
            continue
        if before:
            kept.append(one)
        else:
            yield one


def _read(line: bytes) -> _Shown | None:
    """Read a line; one that says what was lost, or nothing, is told on stderr."""
    if not line.strip():
        return None
    match read(line):
        case FlowRecord() as record:
            return _Shown(line.decode(errors="replace"), record)
        case Lost(events, source):
            told = printable(f"{events} ({source})")
            click.echo(f"EVENTS LOST: {told}", err=True)
        case None:
            start = line[:40].decode(errors="replace")
            click.echo(f"warning: no flow record: {printable(start)}", err=True)
    return None
