"""Charts, rendered by helm; each object keeps the template it came from."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from ringfence.adapters.inputs.kustomize import TIMEOUT_S, own_words
from ringfence.adapters.process import find_program, run_raw
from ringfence.errors import InputError, KernelError, Problem
from ringfence.manifest.reader import Document, read_documents

MISSING = "helm is not installed: https://helm.sh/docs/intro/install/ says how"
_SOURCE = re.compile(rb"^---\n# Source: ([^\n]+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Values:
    """What a chart is rendered with: ``--values``, ``--set`` and the namespace."""

    files: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    namespace: str = "default"


def template(chart: str, values: Values, shown: str = "") -> list[Document]:
    """Return the documents of a chart, without its tests' pods.

    A position is a line of what the named template rendered. ``shown`` names the
    chart to the user. Raises InputError with helm's own words, KernelError where
    there is no helm or it takes too long.
    """
    shown = shown or chart
    program = find_program("helm")
    if program is None:
        raise KernelError(MISSING)
    command = [program, "template", "--namespace", values.namespace, "--skip-tests"]
    command += [f"--values={file}" for file in values.files]
    command += [f"--set={setting}" for setting in values.settings]
    ended = run_raw([*command, "--", "release", chart], b"", timeout_s=TIMEOUT_S)
    if ended.code != 0:
        raise InputError(own_words(ended, shown, {chart: shown}))
    documents = [
        document
        for source, text in _by_template(ended.output, shown).items()
        for document in read_documents(text, source)
    ]
    if not documents:
        raise InputError([Problem(shown, "the chart renders no object")])
    return documents


def _by_template(rendered: bytes, chart: str) -> dict[str, bytes]:
    """Return what each template rendered, in order; CRDs have no template."""
    head, *parts = _SOURCE.split(rendered)
    found: dict[str, bytes] = defaultdict(bytes)
    if head.strip():
        found[chart] = head
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        found[name.decode("utf-8", "backslashreplace")] += b"---\n" + text
    return found
