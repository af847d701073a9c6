"""``ringfence describe``: all about one policy or one pod."""

from __future__ import annotations

import click

from ringfence.analysis.matrix import By, matrix
from ringfence.analysis.overview import pod_view, policy_view
from ringfence.cli.asking import load_compiled, profile_option
from ringfence.cli.options import Exit, Inputs, cluster_options
from ringfence.engine.compiled import Compiled
from ringfence.errors import InputError, Problem
from ringfence.questions.reference import (
    POLICY_WORDS,
    ReferenceSyntaxError,
    parse_object,
)
from ringfence.questions.resolve import UnknownEndpointError, find_pod, find_policy
from ringfence.report.describe import pod_lines, policy_lines
from ringfence.report.plain import printable


@click.command(short_help="Tell all about one policy or one pod")
@click.argument("thing", metavar="netpol/NAME|pod/NAME")
@profile_option
@cluster_options
def describe(thing: str, *, profile: str, inputs: Inputs) -> int:
    """Describe a policy (whom it selects, what each rule allows) or a pod.

    A pod is told with its policies, who reaches it and what it reaches. Names
    are looked up in the namespace given with -n, or written as ns/netpol/NAME.
    """
    compiled = load_compiled(inputs, profile)
    try:
        lines = list(_lines(compiled, thing, inputs.namespace))
    except (ReferenceSyntaxError, UnknownEndpointError) as error:
        raise InputError([Problem("", str(error))]) from None
    for line in lines:
        click.echo(printable(line))
    return Exit.OK


def _lines(compiled: Compiled, thing: str, namespace: str) -> list[str]:
    kind, key = parse_object(thing, namespace)
    if kind in POLICY_WORDS:
        policy = find_policy(compiled.cluster, key)
        return list(policy_lines(compiled, policy_view(compiled, policy)))
    pod = find_pod(compiled.cluster, key)
    return list(pod_lines(pod_view(compiled, pod), matrix(compiled, By.POD)))
