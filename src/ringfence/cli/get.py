"""``ringfence get``: lists of policies, pods, isolated pods and paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import click

from ringfence.analysis.entries import Entry, entries
from ringfence.analysis.exposure import exposure
from ringfence.analysis.matrix import By, matrix
from ringfence.analysis.overview import pod_views, policy_views
from ringfence.cli.asking import load_compiled, profile_option
from ringfence.cli.options import (
    Exit,
    Inputs,
    all_namespaces_option,
    cluster_options,
    output_option,
    selector_option,
)
from ringfence.engine.compiled import Compiled
from ringfence.engine.select import selects
from ringfence.errors import InputError, Problem
from ringfence.manifest.labelquery import LabelQueryError, parse_label_query
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import Labels, ObjectKey
from ringfence.report import listing
from ringfence.report.exposuretext import exposed
from ringfence.report.listing import Listing
from ringfence.report.profilelist import profiles
from ringfence.report.table import table


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which objects are asked for: of one namespace or all, by labels."""

    namespace: str | None
    selector: LabelSelector

    def wants(self, namespace: str, labels: Labels) -> bool:
        return self.namespace in {None, namespace} and selects(self.selector, labels)


def _policies(compiled: Compiled, wanted: _Filter) -> Listing:
    return listing.policies(
        view
        for view in policy_views(compiled)
        if wanted.wants(view.policy.key.namespace, view.policy.labels or {})
    )


def _pods(compiled: Compiled, wanted: _Filter) -> Listing:
    return listing.pods(
        view
        for view in pod_views(compiled)
        if wanted.wants(view.pod.key.namespace, view.pod.labels)
    )


def _isolated(compiled: Compiled, wanted: _Filter) -> Listing:
    return listing.isolated(
        view
        for view in pod_views(compiled)
        if wanted.wants(view.pod.key.namespace, view.pod.labels)
    )


def _paths(compiled: Compiled, wanted: _Filter) -> Listing:
    chosen = {
        view.pod.key
        for view in pod_views(compiled)
        if wanted.wants(view.pod.key.namespace, view.pod.labels)
    }
    return listing.paths(matrix(compiled, By.WORKLOAD), chosen)


def _exposed(compiled: Compiled, wanted: _Filter) -> Listing:
    def wants_any(keys: Iterable[ObjectKey]) -> bool:
        pods = compiled.cluster.pods
        return any(wanted.wants(key.namespace, pods[key].labels) for key in keys)

    def leads_there(entry: Entry) -> bool:
        landed = (pod for landing in entry.landings for pod in landing.pods)
        return wants_any(landed) or wanted.wants(entry.door.key.namespace, {})

    return exposed(
        [one for one in exposure(compiled) if wants_any(one.endpoint.pods)],
        [one for one in entries(compiled) if leads_there(one)],
    )


LISTS: dict[str, Callable[[Compiled, _Filter], Listing]] = {
    "policies": _policies,
    "pods": _pods,
    "isolated": _isolated,
    "paths": _paths,
    "exposed": _exposed,
}
PROFILES = "profiles"
"""The list that is about no cluster."""

NAMES = (*LISTS, PROFILES)
_EMPTY = {"isolated": "isolated pods", "exposed": "exposed pods"}
"""What there is none of, where a list's name alone says no such thing."""

ALIASES = {
    "netpol": "policies",
    "networkpolicies": "policies",
    "policy": "policies",
    "pod": "pods",
    "po": "pods",
    "path": "paths",
    "profile": PROFILES,
}


def _completed(_: click.Context, __: click.Parameter, start: str) -> list[str]:
    return [name for name in NAMES if name.startswith(start)]


@click.command(short_help="List policies, pods, paths, what is exposed, profiles")
@click.argument("what", metavar="|".join(NAMES), shell_complete=_completed)
@selector_option
@all_namespaces_option
@profile_option
@cluster_options
@output_option("text", "json", "name")
def get(
    what: str,
    selector: str,
    *,
    all_namespaces: bool,
    profile: str,
    inputs: Inputs,
    output: str,
) -> int:
    """List objects and what follows from them.

    policies: whom each selects. pods: what isolates them. isolated: only those
    that some policy isolates. paths: who reaches whom, by workload, from or to
    the pods asked for. exposed: what is open to pods that do not exist yet and to
    addresses outside, and where Ingresses, routes of the Gateway API and Services
    let them in. Of the namespace given with -n, of all with -A. profiles: what the
    choices of --profile answer otherwise; it needs no manifests.
    """
    name = ALIASES.get(what, what)
    if name not in NAMES:
        raise click.UsageError(f"there is no list {what}; there are {', '.join(NAMES)}")
    if name == PROFILES:
        _print(profiles(), output)
        return Exit.OK
    namespace = None if all_namespaces else inputs.namespace
    wanted = _Filter(namespace, _selector(selector))
    compiled = load_compiled(inputs, profile, entries=name == "exposed")
    found = LISTS[name](compiled, wanted)
    _print(found, output)
    if output == "text" and not any(found.tables()):
        where = "any namespace" if all_namespaces else f"namespace {inputs.namespace}"
        click.echo(f"no {_EMPTY.get(name, name)} in {where}", err=True)
    return Exit.OK


def _selector(query: str) -> LabelSelector:
    try:
        return parse_label_query(query)
    except LabelQueryError as error:
        raise InputError([Problem("-l", str(error))]) from None


def _print(found: Listing, output: str) -> None:
    for line in _lines(found, output):
        click.echo(line)


def _lines(found: Listing, output: str) -> Iterator[str]:
    match output:
        case "json":
            yield json.dumps(found.document())
        case "name":
            yield from found.names()
        case _:
            for number, (header, lines) in enumerate(found.tables()):
                yield from ("",) * (number > 0)
                yield from table(header, lines)
