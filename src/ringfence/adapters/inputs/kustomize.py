"""Kustomizations, built by kustomize or by kubectl, whichever is there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ringfence.adapters.process import EndedRaw, find_program, run_raw
from ringfence.errors import InputError, KernelError, Problem
from ringfence.manifest.reader import Document, read_documents

MISSING = "neither kustomize nor kubectl is installed: one of them builds -k"
TIMEOUT_S = 60.0
_MOST_LINES = 20
_HEAD = re.compile(r"^(?:error|fatal): ", re.IGNORECASE)
"""How programs begin what they complain of; a problem is told as one anyway."""


def build(directory: str, shown: str = "") -> list[Document]:
    """Return the documents of a kustomization; positions are lines of what was built.

    ``shown`` names the directory to the user. Raises InputError with the
    program's own words, KernelError where there is none or it takes too long.
    """
    shown = shown or directory
    ended = run_raw([*_program(), "--", directory], b"", timeout_s=TIMEOUT_S)
    if ended.code != 0:
        raise InputError(own_words(ended, shown, {directory: shown}))
    documents = read_documents(ended.output, f"{shown} (built)")
    if not documents:
        raise InputError([Problem(shown, "the kustomization builds no object")])
    return documents


def _program() -> Sequence[str]:
    kustomize, kubectl = find_program("kustomize"), find_program("kubectl")
    if kustomize is not None:
        return (kustomize, "build")
    if kubectl is not None:
        return (kubectl, "kustomize")
    raise KernelError(MISSING)


def own_words(ended: EndedRaw, place: str, renamed: dict[str, str]) -> list[Problem]:
    """Return what a program complained of, a problem a line, in names of the user's."""
    text = ended.complaint
    for real, shown in renamed.items():
        text = text.replace(real, shown)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = lines[:_MOST_LINES] or [f"ended with code {ended.code}"]
    return [Problem(place, _HEAD.sub("", line)) for line in lines]
