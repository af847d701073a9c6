"""``ringfence agent``: NetworkPolicy enforced on this node."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringfence.cli.connecting import read_duration
from ringfence.cli.install import install, uninstall
from ringfence.cli.options import Decorated, Exit, Group, output_option
from ringfence.errors import InputError, Problem

if TYPE_CHECKING:
    from ringfence.agent.config import Config

_ENVIRONMENT = "RINGFENCE_"
_LEVELS = ("debug", "info", "warning", "error")


@click.group(cls=Group, short_help="Enforce NetworkPolicy on this node")
def agent() -> None:
    """Follow a Kubernetes API and keep this node's kernel as its policies say.

    For clusters whose network plugin ignores NetworkPolicy: Flannel, bridge,
    kindnet. The options of run, verify and status can also stand in the
    environment as RINGFENCE_ and their name (RINGFENCE_NODE), and those of run by
    their name in the file of --config, which verify reads, too. The flag wins,
    then the environment.
    """


def _address(_: click.Context, __: click.Parameter, value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise click.BadParameter(f'"{value}" is no ADDRESS:PORT')
    return host.strip("[]"), int(port)


def _seconds(_: click.Context, __: click.Parameter, value: str) -> float:
    return read_duration(value) or 0.0


def _config_file(context: click.Context, _: click.Parameter, value: str) -> None:
    """Take the file's settings as defaults. Raises InputError with what is wrong.

    They are those of ``run``, whichever command reads them: a node has one file.
    """
    if not value:
        return
    from ringfence.manifest.reader import read_documents  # noqa: PLC0415 - quick help

    names = {option.name: option for option in run.params if option.expose_value}
    settings: dict[str, Any] = {}
    problems: list[Problem] = []
    try:
        data = Path(value).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError([Problem(value, reason, "--config")]) from None
    for document in read_documents(data, value):
        if not isinstance(document.value, dict):
            place = str(document.position())
            problems.append(Problem(place, "must be a map of option names to values"))
            continue
        for key, setting in document.value.items():
            name = str(key).replace("-", "_")
            place = str(document.key_position((key,)))
            if name in names:
                settings[name] = str(setting) if setting is not None else ""
                try:
                    names[name].process_value(context, settings[name])
                except click.BadParameter as error:
                    problems.append(Problem(place, error.message, str(key)))
                continue
            near = get_close_matches(name, map(str, names), n=1)
            hint = f"did you mean {near[0].replace('_', '-')}?" if near else ""
            problems.append(Problem(place, "there is no such option", str(key), hint))
    if problems:
        raise InputError(problems)
    context.default_map = settings


_CLUSTER = (
    click.option(
        "--config",
        metavar="FILE",
        default="",
        is_eager=True,
        expose_value=False,
        callback=_config_file,
        help="YAML map of these options, without the dashes: mode: audit.",
    ),
    click.option(
        "--kubeconfig",
        metavar="FILE",
        default="",
        help="Kubeconfig.  [default: the pod's service account, else as kubectl]",
    ),
    click.option(
        "--context", metavar="NAME", default="", help="Context of the kubeconfig."
    ),
    click.option(
        "--node",
        metavar="NAME",
        default="",
        help="This node's name in the API.  [default: $NODE_NAME, the host's name]",
    ),
)

_ENFORCEMENT = (
    click.option(
        "--mode",
        type=click.Choice(["enforce", "audit"]),
        default="enforce",
        show_default=True,
        help="audit: what would be denied is counted and logged, and passes. A "
        "namespace's annotation ringfence.dev/mode says otherwise for its pods.",
    ),
    click.option(
        "--unknown-pods",
        type=click.Choice(["open", "closed"]),
        default="open",
        show_default=True,
        help="closed: an address of the node's podCIDRs passes nothing until its pod "
        "is known.",
    ),
    click.option(
        "--hook",
        type=click.Choice(["forward", "postrouting"]),
        default="forward",
        show_default=True,
        help="Where packets are judged; postrouting where kube-proxy uses IPVS.",
    ),
)

_LISTEN = click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    default="127.0.0.1:9477",
    show_default=True,
    callback=_address,
    help="Where /healthz, /readyz, /metrics and /status are served.",
)

_RUNNING = (
    click.option(
        "--established",
        type=click.Choice(["recheck", "keep"]),
        default="recheck",
        show_default=True,
        help="recheck: a change that denies a connection ends it.",
    ),
    click.option(
        "--audit-interval",
        default="5m",
        show_default=True,
        metavar="TIME",
        callback=_seconds,
        help="How often the kernel is compared with what it should hold; 0: at start.",
    ),
    click.option(
        "--flow-log",
        metavar="PATH",
        default="",
        help="Write denied flows to this file, a JSON line each; - is stdout.",
    ),
    click.option(
        "--flow-socket",
        metavar="PATH",
        default="/run/ringfence/flows.sock",
        show_default=True,
        help="Where `ringfence observe` reads them; empty for none.",
    ),
    click.option(
        "--sample-allowed",
        type=click.IntRange(0, 10_000),
        default=0,
        show_default=True,
        metavar="N",
        help="Log up to N new allowed connections a second too.",
    ),
    _LISTEN,
    click.option(
        "--log-level",
        type=click.Choice(_LEVELS),
        default="info",
        show_default=True,
        help="What the agent's own log on stderr tells.",
    ),
)


def _options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    def decorate(command: Decorated) -> Decorated:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


agent.add_command(install)
agent.add_command(uninstall)

_SETTINGS = {"auto_envvar_prefix": _ENVIRONMENT.rstrip("_")}


@agent.command(
    context_settings=_SETTINGS,
    short_help="Enforce, until told to stop; the rules stay",
    epilog="SIGTERM ends it and leaves the rules; `ringfence agent cleanup` removes "
    "them.\nExit: 0 ended by a signal, 2 wrong usage, or this node cannot be enforced.",
)
@_options(_CLUSTER, _ENFORCEMENT, _RUNNING)
def run(*, log_level: str, **given: Any) -> int:
    """Enforce the cluster's NetworkPolicies on this node."""
    from ringfence.agent.journal import open_journal  # noqa: PLC0415 - quick help
    from ringfence.agent.service import serve  # noqa: PLC0415

    open_journal(log_level)
    serve(_config(given))
    return Exit.OK


@agent.command(
    context_settings=_SETTINGS,
    short_help="Compare the kernel with what it should hold",
    epilog="Exit: 0 no difference, 1 differences, 2 wrong usage or no way to tell.",
)
@_options(_CLUSTER, _ENFORCEMENT)
@output_option("text", "json")
def verify(*, output: str, **given: Any) -> int:
    """Compare this node's kernel with the cluster's policies; change nothing.

    The table is read back and compared with the desired one, and sampled flows are
    judged by the engine and by a walk through the rules that were read.
    """
    from ringfence.agent.verify import verify_node  # noqa: PLC0415 - quick help

    found = verify_node(_config(given))
    if output == "json":
        click.echo(json.dumps(found.document()))
    else:
        click.echo("\n".join(found.lines()))
    return Exit.OK if found.clean else Exit.FINDING


@agent.command(
    context_settings=_SETTINGS,
    short_help="Tell how this node's agent is",
    epilog="Exit: 0 ready, 1 not ready, 2 no agent answers.",
)
@_LISTEN
@output_option("text", "json")
def status(*, listen: tuple[str, int], output: str) -> int:
    """Ask the agent that runs on this node: ready, and if not, why."""
    from ringfence.agent.status import ask_status, lines  # noqa: PLC0415 - quick help

    document = ask_status(listen)
    if output == "json":
        click.echo(json.dumps(document))
    else:
        click.echo("\n".join(lines(document)))
    return Exit.OK if document.get("ready") else Exit.FINDING


@agent.command(short_help="Remove everything that agents left in this kernel")
def cleanup() -> int:
    """Remove this node's table: every pod is open again. No other table is touched."""
    from ringfence.agent.verify import remove_table  # noqa: PLC0415 - quick help

    removed = remove_table()
    click.echo("table inet ringfence: " + ("removed" if removed else "not there"))
    return Exit.OK


def _config(given: dict[str, Any]) -> Config:
    from ringfence.agent.config import (  # noqa: PLC0415 - quick help
        Config,
        Established,
        Mode,
        UnknownPods,
        node_name,
    )
    from ringfence.ruleset.ir import Hook  # noqa: PLC0415

    words: dict[str, Callable[[str], Any]] = {
        "mode": Mode,
        "unknown_pods": UnknownPods,
        "established": Established,
        "hook": Hook,
    }
    settings = {
        name: words[name](value) if name in words else value
        for name, value in given.items()
    }
    if "audit_interval" in settings:
        settings["audit_interval_s"] = settings.pop("audit_interval")
    settings["node"] = given["node"] or node_name(socket.gethostname())
    return Config(**settings)
