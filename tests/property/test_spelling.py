"""Ways of writing that mean the same are read as the same cluster.

``matchLabels`` and ``In`` with one value; lists absent, null and empty; defaults
written and left out; objects, requirements and types in any order.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import strategies
from manifests import write_manifests
from ringfence.manifest.decoding.decode import decode_documents
from ringfence.manifest.reader import read_documents
from ringfence.manifest.strictness import Options
from ringfence.model.cluster import Cluster


def read(manifests: bytes) -> Cluster:
    return decode_documents(read_documents(manifests, "world"), Options()).cluster


def without_places(value: Any) -> Any:
    """Return a value to compare: everything but where it was written."""
    if is_dataclass(value):
        names = [f.name for f in fields(value) if f.name not in {"position", "owner"}]
        return {name: without_places(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: without_places(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(map(without_places, value))
    return value


def essence(cluster: Cluster) -> Any:
    bare = {key: replace(p, labels={}) for key, p in cluster.policies.items()}
    return without_places(replace(cluster, policies=bare))


@given(st.integers(0, 2**32 - 1))
def test_every_spelling_of_a_cluster_is_read_as_that_cluster(seed: int) -> None:
    random = strategies.seeded(seed)
    cluster = strategies.make_world(random).cluster
    used = {key.namespace for key in (*cluster.pods, *cluster.policies)}
    used |= {key.namespace for key in cluster.services}
    seen = {n: ns for n, ns in cluster.namespaces.items() if n in used or ns.declared}
    cluster = replace(cluster, namespaces=seen)
    assert essence(read(write_manifests(cluster, random))) == essence(cluster)
