"""``ringfence validate``: judge manifests as the API server would."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from ringfence.cli.options import (
    Exit,
    Inputs,
    judging_options,
    manifest_options,
    output_option,
    read_inputs,
)
from ringfence.errors import InputError, Problem
from ringfence.report.plain import printable

if TYPE_CHECKING:
    from ringfence.manifest.reader import Document
    from ringfence.manifest.strictness import Options
    from ringfence.manifest.validation.judged import JudgedObject

LEAST_SHARED = 250
"""Documents that are worth a process of their own: some 30 ms of judging."""


@click.command(short_help="Judge manifests as the API server would")
@manifest_options
@output_option("text", "json")
def validate(*, inputs: Inputs, output: str) -> int:
    """Say of every object what kube-apiserver 1.36 would answer, word for word.

    NetworkPolicies, Namespaces, Pods, Nodes, Services and workloads are judged,
    other kinds passed over. -o json prints a line for each object, with the
    object as it would be stored. Exit code 0: all valid, 1: some are not.
    """
    from ringfence.adapters.forks import spread  # noqa: PLC0415 - quick help

    gc.disable()  # what is read stays to the end: a third of the time is saved
    options = judging_options(inputs)
    parts = spread(
        lambda documents: _judged(documents, options, output),
        read_inputs(inputs),
        LEAST_SHARED,
    )
    if any(part.problems for part in parts):
        raise InputError(problem for part in parts for problem in part.problems)
    for part in parts:
        for line in part.lines:
            click.echo(line)
    if output == "text":
        click.echo(_summary(parts), err=True)
    return Exit.FINDING if any(part.invalid for part in parts) else Exit.OK


class _Part(NamedTuple):
    """What is printed of some documents, and the counts for the summary."""

    lines: list[str]
    objects: int
    invalid: int
    passed_over: Counter[str]
    problems: tuple[Problem, ...] = ()


def _judged(documents: Sequence[Document], options: Options, output: str) -> _Part:
    """Judge some documents; lists that cannot be judged are the part's problems."""
    from ringfence.manifest.validation.judged import judge_documents  # noqa: PLC0415 - quick help

    try:
        judged = judge_documents(documents, options)
    except InputError as error:
        return _Part([], 0, 0, Counter(), error.problems)
    told = _json_line if output == "json" else _lines
    return _Part(
        [line for each in judged.objects for line in told(each)],
        len(judged.objects),
        sum(not each.judgement.valid for each in judged.objects),
        judged.passed_over,
    )


def _json_line(judged: JudgedObject) -> Iterator[str]:
    yield json.dumps(judged.document(), separators=(",", ":"))


def _lines(judged: JudgedObject) -> Iterator[str]:
    """Yield what is wrong with an object and what is odd, a line each."""
    judgement = judged.judgement
    where = f"{judged.namespace}/" if judged.namespace else ""
    who = f"{judged.kind} {where}{judged.name}".strip()
    object_ = f"{who}: " if who else ""
    if not judgement.valid and not judgement.hints:
        yield printable(f"{judged.place}: {object_}{judgement.message}")
    if not judgement.valid:
        for problem in judgement.hints:
            rest = str(problem).removeprefix(f"{problem.place}: ")
            yield printable(f"{problem.place}: {object_}{rest}")
    for warning in judgement.warnings:
        yield printable(f"{judged.place}: {object_}warning: {warning}")


def _summary(parts: Sequence[_Part]) -> str:
    """Count the objects: valid, invalid, passed over."""
    invalid = sum(part.invalid for part in parts)
    valid = sum(part.objects for part in parts) - invalid
    words = [f"{valid} valid", f"{invalid} invalid"]
    passed_over = sum((part.passed_over for part in parts), Counter[str]())
    if passed_over:
        counts = sorted(passed_over.items())
        kinds = ", ".join(f"{number} {kind or '(no kind)'}" for kind, number in counts)
        words.append(f"passed over: {kinds}")
    return printable("; ".join(words))
