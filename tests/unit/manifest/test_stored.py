"""What a cluster stores: read leniently, in doubt allowing less."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from ringfence.manifest.stored import Stored, decode_stored
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy, Rule
from ringfence.model.workload import Namespace, Node, Pod, Service

GOOD_PEER = {"podSelector": {"matchLabels": {"app": "client"}}}
BOTH = frozenset(Direction)


def policy(spec: object, **meta: object) -> Stored:
    metadata = {"name": "p", "namespace": "n", **meta}
    return decode_stored("NetworkPolicy", {"metadata": metadata, "spec": spec})


def ingress(*rules: object) -> tuple[Rule, ...]:
    value = policy({"podSelector": {}, "ingress": rules and list(rules)}).value
    assert isinstance(value, NetworkPolicy)
    return value.ingress


def pod(**changes: Any) -> Stored:
    value: dict[str, Any] = {
        "metadata": {
            "name": "web",
            "namespace": "n",
            "uid": "u-1",
            "resourceVersion": "41",
            "labels": {"app": "web"},
        },
        "spec": {
            "nodeName": "a",
            "containers": [{"ports": [{"name": "http", "containerPort": 80}]}],
        },
        "status": {"podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}]},
    }
    for part, change in changes.items():
        value[part] = value.get(part, {}) | change
    return decode_stored("Pod", value)


@pytest.mark.parametrize(
    ("peer", "field", "message"),
    [
        ({"serviceAccountSelector": {}}, ".serviceAccountSelector", "unknown field"),
        ({}, "", "must specify a peer"),
        ({**GOOD_PEER, "ipBlock": {"cidr": "10.0.0.0/8"}}, "", "both ipBlock"),
        ({"ipBlock": {"cidr": "10.0.0.0/33"}}, ".ipBlock.cidr", "Invalid value"),
        (
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x"]}},
            ".ipBlock.except[0]",
            "Invalid value",
        ),
        ({"podSelector": {"matchLabels": {"a": "-"}}}, ".podSelector.", "Invalid"),
        ({"podSelector": "app=web"}, ".podSelector", "cannot unmarshal string"),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "a", "operator": "Gt"}]
                }
            },
            ".namespaceSelector.matchExpressions[0].operator",
            "not a valid selector operator",
        ),
        (7, "", "cannot unmarshal number"),
    ],
)
def test_a_peer_that_is_not_understood_allows_nothing_and_is_named(
    peer: object, field: str, message: str
) -> None:
    spec = {
        "podSelector": {},
        "ingress": [{"from": [GOOD_PEER, peer]}, {"from": [peer]}],
    }
    stored = policy(spec)
    assert isinstance(stored.value, NetworkPolicy)
    assert [len(rule.peers or ()) for rule in stored.value.ingress] == [1]
    first, second = stored.problems
    assert first.place == "NetworkPolicy n/p"
    assert first.field.startswith(f"spec.ingress[0].from[1]{field}")
    assert second.field.startswith(f"spec.ingress[1].from[0]{field}")
    assert message in first.message
    assert first.hint == "this peer allows nothing"


@pytest.mark.parametrize(
    "port",
    [
        {"protocol": "QUIC", "port": 443},
        {"port": True},
        {"port": 8.5},
        {"port": 0},
        {"port": 80, "endPort": 70},
        {"port": "http", "endPort": 90},
        {"endPort": 90},
        {"port": "HTTP_"},
        {"portRange": "1-2"},
    ],
)
def test_a_port_that_is_not_understood_allows_nothing(port: object) -> None:
    assert ingress({"ports": [port]}) == ()
    (rule,) = ingress({"ports": [port, {"port": 53, "protocol": "UDP"}]})
    assert [entry.port for entry in rule.ports or ()] == [53]


def test_a_rule_with_a_field_of_a_newer_api_allows_nothing_and_others_stand() -> None:
    kept = ingress({"from": [GOOD_PEER], "onlyOn": "Sunday"}, {"from": [GOOD_PEER]})
    assert len(kept) == 1


def test_rules_that_are_no_list_allow_nothing() -> None:
    stored = policy({"podSelector": {}, "egress": "all"})
    assert isinstance(stored.value, NetworkPolicy)
    assert (stored.value.policy_types, stored.value.egress) == (BOTH, ())


def test_an_egress_rule_that_is_not_understood_isolates_egress_all_the_same() -> None:
    stored = policy({"podSelector": {}, "egress": [{"to": [{"who": "me"}]}]})
    assert isinstance(stored.value, NetworkPolicy)
    assert (stored.value.policy_types, stored.value.egress) == (BOTH, ())


def test_a_pod_selector_that_is_not_understood_selects_all_and_allows_nothing() -> None:
    wrong = {"matchExpressions": [{"key": "a", "operator": "Matches"}]}
    stored = policy({"podSelector": wrong, "ingress": [{}]})
    assert isinstance(stored.value, NetworkPolicy)
    assert (stored.value.pod_selector, stored.value.ingress) == (EVERYTHING, ())
    assert stored.value.policy_types == {Direction.INGRESS}


def test_a_policy_type_of_a_newer_api_isolates_both_ways_and_its_rules_stand() -> None:
    stored = policy({"podSelector": {}, "policyTypes": ["Forward"], "ingress": [{}]})
    assert isinstance(stored.value, NetworkPolicy)
    assert (stored.value.policy_types, len(stored.value.ingress)) == (BOTH, 1)


def test_a_field_of_a_newer_spec_keeps_who_is_isolated_and_allows_nothing() -> None:
    chosen = {"matchLabels": {"app": "web"}}
    stored = policy({"podSelector": chosen, "order": 5, "ingress": [{}]})
    assert isinstance(stored.value, NetworkPolicy)
    assert str(stored.value.pod_selector) == "app=web"
    assert stored.value.ingress == ()
    assert stored.problems[0].field == "spec.order"


@pytest.mark.parametrize(
    "spec", ["all", {"podSelector": {}, "ingress": [{"from": [n]} for n in range(99)]}]
)
def test_a_policy_beyond_reading_isolates_everything(spec: object) -> None:
    stored = policy(spec)
    assert stored.value == NetworkPolicy(ObjectKey("n", "p"), EVERYTHING, BOTH)
    assert "isolates every pod of the namespace" in stored.problems[-1].hint


def test_host_bits_mean_what_the_server_took_them_for() -> None:
    block = {"cidr": "10.1.2.3/8", "except": ["10.01.0.9/16"]}
    stored = policy({"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]})
    assert stored.problems == ()
    assert isinstance(stored.value, NetworkPolicy)
    ((peer,),) = (rule.peers or () for rule in stored.value.ingress)
    assert peer.ip_block is not None
    assert peer.ip_block.cidr == ip_network("10.0.0.0/8")
    assert peer.ip_block.except_ == (ip_network("10.1.0.0/16"),)


def test_a_policy_that_is_understood_is_as_manifests_have_it() -> None:
    stored = policy({}, uid="u", resourceVersion="7", labels={"team": "a"})
    assert isinstance(stored.value, NetworkPolicy)
    assert (stored.uid, stored.version, stored.problems) == ("u", "7", ())
    assert stored.value.policy_types == {Direction.INGRESS}
    assert stored.value.labels == {"team": "a"}


def test_a_pod_keeps_what_the_model_has_no_place_for() -> None:
    stored = pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert isinstance(stored.value, Pod)
    assert (stored.key, stored.uid, stored.version) == (("n", "web"), "u-1", "41")
    assert stored.terminating
    assert not pod().terminating


def test_pods_alike_share_their_labels() -> None:
    one, other = pod().value, pod(metadata={"name": "other"}).value
    assert isinstance(one, Pod)
    assert isinstance(other, Pod)
    assert one.labels is other.labels


def test_a_pod_whose_labels_cannot_be_read_is_a_peer_of_nobody() -> None:
    stored = pod(metadata={"labels": {"app": 7}})
    assert stored.value is None
    (problem,) = stored.problems
    assert (problem.place, problem.field) == ("Pod n/web", "metadata.labels.app")


def test_a_pod_with_a_protocol_of_a_newer_api_has_no_named_ports() -> None:
    port = {"name": "http", "containerPort": 80, "protocol": "QUIC"}
    stored = pod(spec={"containers": [{"ports": [port]}]})
    assert isinstance(stored.value, Pod)
    assert (stored.value.ports, stored.value.labels) == ((), {"app": "web"})
    assert stored.problems[0].field == "spec.containers[0].ports[0].protocol"


def test_a_phase_of_a_newer_api_leaves_the_pod_where_it_is() -> None:
    stored = pod(status={"phase": "Hibernating"})
    assert isinstance(stored.value, Pod)
    assert not stored.value.finished
    assert stored.problems[0].field == "status.phase"


def test_a_node_says_its_pod_networks_in_order() -> None:
    spec = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "fd00::/64"]}
    stored = decode_stored("Node", {"metadata": {"name": "a"}, "spec": spec})
    assert isinstance(stored.value, Node)
    assert stored.key == "a"
    assert stored.pod_cidrs == (ip_network("10.1.0.0/24"), ip_network("fd00::/64"))


def test_a_pod_network_that_is_none_is_told_and_left_out() -> None:
    spec = {"podCIDRs": ["10.1.0.0/24", "ten"]}
    stored = decode_stored("Node", {"metadata": {"name": "a"}, "spec": spec})
    assert stored.pod_cidrs == (ip_network("10.1.0.0/24"),)
    assert stored.problems[0].field == "spec.podCIDRs[1]"


def test_a_namespace_says_its_mode() -> None:
    meta = {"name": "n", "annotations": {"ringfence.dev/mode": "audit", "x": "y"}}
    stored = decode_stored("Namespace", {"metadata": meta})
    assert isinstance(stored.value, Namespace)
    assert (stored.key, stored.mode) == ("n", "audit")


def test_a_namespace_whose_labels_cannot_be_read_counts_as_not_declared() -> None:
    stored = decode_stored("Namespace", {"metadata": {"name": "n", "labels": [1]}})
    assert stored.value is None
    assert stored.problems[0].field == "metadata.labels"


def test_a_service_is_read_as_manifests_are() -> None:
    spec = {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]}
    meta = {"name": "s", "namespace": "n"}
    stored = decode_stored("Service", {"metadata": meta, "spec": spec})
    assert isinstance(stored.value, Service)
    assert stored.value.ports[0].target == 80
