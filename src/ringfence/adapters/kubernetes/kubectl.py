"""Manifests into a cluster, by the program that its administrator trusts with it."""

from __future__ import annotations

from collections.abc import Sequence

from ringfence.adapters.inputs.kustomize import own_words
from ringfence.adapters.process import find_program, run_raw
from ringfence.errors import InputError, KernelError

MISSING = "kubectl is not installed: without --apply the manifests are only printed"
_TIMEOUT_S = 120.0


def server_side_apply(text: str, flags: Sequence[str]) -> str:
    """Apply manifests with ``kubectl apply --server-side``; returns what it printed.

    ``flags`` choose the cluster. Raises InputError with kubectl's own words,
    KernelError where it is missing or takes longer than two minutes.
    """
    program = find_program("kubectl")
    if program is None:
        raise KernelError(MISSING)
    command = [program, "apply", "--server-side", "--field-manager=ringfence"]
    ended = run_raw([*command, *flags, "-f", "-"], text.encode(), timeout_s=_TIMEOUT_S)
    printed = ended.output.decode("utf-8", "replace")
    if ended.code != 0:
        raise InputError(own_words(ended, "kubectl apply", {}))
    return printed
