"""Which type a document is judged as: the one that its API path would expect.

A file has no path, so it is taken from what the document says. What says no
kind is held to be a NetworkPolicy; kinds that are not known are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ringfence.manifest.reader import Item
from ringfence.manifest.validation.schema import known_versions, root

_NETWORKING: Final = "networking.k8s.io/v1"
_POLICY: Final = "NetworkPolicy"
_HOME: Mapping[str, str] = {
    "Namespace": "v1",
    "Node": "v1",
    "Pod": "v1",
    "ReplicationController": "v1",
    "Service": "v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    _POLICY: _NETWORKING,
}
_FORMER: Mapping[str, frozenset[str]] = {
    "extensions/v1beta1": frozenset({"DaemonSet", "Deployment", "ReplicaSet", _POLICY}),
    "apps/v1beta1": frozenset({"Deployment", "StatefulSet"}),
    "apps/v1beta2": frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}),
    "batch/v1beta1": frozenset({"CronJob"}),
}
"""Versions that are served no more but still read."""

_GROUPS = frozenset({"", "apps", "batch", "networking.k8s.io", "extensions"})
_PACKAGES = {"v1": "core", "apps/v1": "apps", "batch/v1": "batch"}
_LOOKS_THE_SAME = 0.85


@dataclass(frozen=True, slots=True)
class Expected:
    """The type that an API path would expect."""

    api_version: str
    kind: str

    @property
    def qualified_kind(self) -> str:
        """The kind as ``kind.group``."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind}.{group}" if group else self.kind

    def registered(self, group: str, version: str, kind: str) -> bool:
        """Whether the API server knows this kind in this version at all."""
        where = f"{group}/{version}" if group else version
        former = kind in _FORMER.get(where, frozenset())
        return former or kind in known_versions().get(where, ())

    def conversion(self, kind: str) -> str:
        """Return what is said of another kind where this one is expected."""
        package = _PACKAGES.get(self.api_version, "networking")
        return f"converting (v1.{kind}) to ({package}.{self.kind}): unknown conversion"


def expected_type(item: Item) -> Expected | None:
    """Return the type that an object is judged as, None where it is passed over."""
    version, kind = item.api_version, item.kind
    if not kind:
        return Expected(_NETWORKING, _POLICY)
    if root(version, kind) is not None:
        return Expected(version, kind)
    group = version.rpartition("/")[0]
    if group not in _GROUPS and "/" not in group:
        return None
    meant = _meant(version, kind)
    return Expected(_HOME[meant], meant) if meant else None


def _meant(version: str, kind: str) -> str:
    """Return the kind that a wrong version or spelling stands for, or nothing."""
    if kind in _HOME:
        return _POLICY if version == _NETWORKING else kind
    if kind in known_versions().get(version, ()):
        single = kind.removesuffix("List")
        return single if root(version, single) else ""
    if version == _NETWORKING:
        return _POLICY
    close = get_close_matches(kind.lower(), _LOWER, n=1, cutoff=_LOOKS_THE_SAME)
    return _LOWER[close[0]] if close else ""


_LOWER = {kind.lower(): kind for kind in _HOME}
