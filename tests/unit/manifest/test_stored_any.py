"""Whatever a cluster stores, reading it ends, and in doubt allows nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.stored import decode_stored
from ringfence.model.netpol import NetworkPolicy, Rule

KINDS = ("NetworkPolicy", "Pod", "Namespace", "Node", "Service")
WORDS = [
    "spec",
    "status",
    "metadata",
    "podSelector",
    "ingress",
    "egress",
    "from",
    "to",
    "ports",
    "port",
    "endPort",
    "protocol",
    "ipBlock",
    "cidr",
    "except",
    "namespaceSelector",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "policyTypes",
    "labels",
    "annotations",
    "ownerReferences",
    "kind",
    "name",
    "containers",
    "initContainers",
    "containerPort",
    "podIP",
    "podIPs",
    "ip",
    "podCIDRs",
    "podCIDR",
    "addresses",
    "address",
    "type",
    "hostNetwork",
    "phase",
    "clusterIP",
    "clusterIPs",
    "selector",
    "targetPort",
    "nodePort",
    "ringfence.dev/mode",
]
VALUES = ("TCP", "UDP", "web", "10.0.0.0/8", "10.1.0.0/16", "In", "Exists", "Ingress")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 70_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(VALUES)
    | st.text(max_size=3)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=25,
)
labels = st.dictionaries(
    st.sampled_from(["app", "a b"]),
    st.sampled_from(["web", "-"]) | anything,
    max_size=2,
)
selectors = st.fixed_dictionaries({}, optional={"matchLabels": labels}) | anything
peers = st.fixed_dictionaries(
    {},
    optional={
        "podSelector": selectors,
        "namespaceSelector": selectors,
        "ipBlock": st.fixed_dictionaries({"cidr": st.sampled_from(VALUES)}),
        "new": anything,
    },
)
ports = st.fixed_dictionaries(
    {}, optional={"port": scalars, "endPort": scalars, "protocol": scalars}
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "from": st.lists(peers | anything, max_size=3) | anything,
        "to": st.lists(peers | anything, max_size=3) | anything,
        "ports": st.lists(ports | anything, max_size=3) | anything,
        "new": anything,
    },
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "podSelector": selectors,
        "policyTypes": st.lists(st.sampled_from(VALUES), max_size=3) | anything,
        "ingress": st.lists(rules | anything, max_size=3) | anything,
        "egress": st.lists(rules | anything, max_size=3) | anything,
    },
)


def read(spec: object) -> NetworkPolicy:
    meta = {"name": "p", "namespace": "n"}
    value = decode_stored("NetworkPolicy", {"metadata": meta, "spec": spec}).value
    assert isinstance(value, NetworkPolicy)
    return value


@given(anything, anything, st.sampled_from(KINDS))
def test_an_object_of_any_shape_is_read(
    spec: object, status: object, kind: str
) -> None:
    meta: dict[str, Any] = {"name": "x", "namespace": "n", "labels": spec}
    value = {"metadata": meta, "spec": spec, "status": status}
    assert decode_stored(kind, value).key in {"x", ("n", "x")}


@given(specs)
def test_a_policy_of_any_shape_isolates_and_restricts_what_it_restricted(
    spec: dict[str, Any],
) -> None:
    policy = read(spec)
    assert policy.policy_types
    for way, peers_of in (("ingress", "from"), ("egress", "to")):
        written = spec.get(way)
        written = written if isinstance(written, list) else []
        found: tuple[Rule, ...] = getattr(policy, way)
        assert len(found) <= len(written)
        for name, told in (("peers", peers_of), ("ports", "ports")):
            free = [getattr(rule, name) is None for rule in found]
            assert sum(free) <= sum(unrestricted(rule, told) for rule in written)
            assert all(getattr(rule, name) != () for rule in found)


def unrestricted(rule: object, name: str) -> bool:
    """Whether a rule, as written, says nothing of its peers or ports; null is {}."""
    return rule is None or (isinstance(rule, dict) and not rule.get(name))


@pytest.mark.parametrize("way", ["ingress", "egress"])
@given(good=st.lists(st.booleans(), min_size=1, max_size=4))
def test_entries_that_are_not_understood_leave_as_many_as_were(
    way: str, good: list[bool]
) -> None:
    told = {"ingress": "from", "egress": "to"}[way]
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    entries = [block if fine else {"new": 1} for fine in good]
    found = getattr(read({"podSelector": {}, way: [{told: entries}]}), way)
    assert [len(rule.peers) for rule in found] == ([sum(good)] if any(good) else [])
