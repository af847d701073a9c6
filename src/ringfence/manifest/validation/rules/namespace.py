"""Namespace: what the API server adds, and its finalizers.

Source: kubernetes pkg/apis/core/v1/defaults.go, pkg/apis/core/validation and
pkg/registry/core/namespace/strategy.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes
from ringfence.manifest.validation.rules.meta import check_standard_finalizer
from ringfence.manifest.validation.rules.names import label_key

_NAME_LABEL = "kubernetes.io/metadata.name"
_FINALIZER = "kubernetes"


def default_namespace(namespace: dict[str, Any]) -> None:
    """Fill in the name label, which nobody can set otherwise, finalizer and phase."""
    meta = namespace["metadata"]
    if meta.get("name"):
        labels = meta.get("labels", {})
        meta["labels"] = {**labels, _NAME_LABEL: meta["name"]}
    finalizers = namespace["spec"].get("finalizers", [])
    if _FINALIZER not in finalizers:
        namespace["spec"]["finalizers"] = [*finalizers, _FINALIZER]
    namespace["status"] = {"phase": "Active"}


def check_namespace(
    causes: Causes,
    namespace: Mapping[str, Any],
    *,
    strict_cidr: bool,  # noqa: ARG001 - as all kinds
) -> None:
    """Check a Namespace's finalizers."""
    path = ("spec", "finalizers")
    for name in namespace["spec"].get("finalizers", ()):
        causes.invalid_each(path, name, label_key(name))
        check_standard_finalizer(causes, name, path)
