"""Clusters of any size as values, generated: the same one on every machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import LabelSelector, Operator, Requirement, label_selector
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import METADATA_NAME, ContainerPort, Namespace, Node, Pod

APPS = ("web", "cart", "orders", "dns", "billing", "search", "mail", "auth")
TIERS = ("edge", "backend", "data")
STAGES = ("prod", "prod", "test")
PODS_A_NODE = 100
PODS_A_REPLICA_SET = 5
FIRST_POD = int(IPv4Address("10.0.0.1"))
FIRST_NODE = int(IPv4Address("192.168.0.1"))
BOTH = frozenset(Direction)
INGRESS = frozenset({Direction.INGRESS})
EVERYTHING = LabelSelector()


def make_cluster(
    pods: int, policies: int, namespaces: int, *, unique: bool = False
) -> Cluster:
    """Return a cluster; ``unique``: each pod has a label that no other pod has."""
    spaces = [_namespace(number) for number in range(namespaces)]
    all_pods = [make_pod(n, namespaces, unique=unique) for n in range(pods)]
    rules = [make_policy(number, namespaces) for number in range(policies)]
    nodes = [_node(number) for number in range(pods // PODS_A_NODE + 1)]
    return Cluster(
        namespaces={space.name: space for space in spaces},
        pods={pod.key: pod for pod in all_pods},
        nodes={node.name: node for node in nodes},
        policies={policy.key: policy for policy in rules},
    )


def _namespace(number: int) -> Namespace:
    name = f"team-{number}"
    stage = STAGES[number % len(STAGES)]
    labels = {METADATA_NAME: name, "stage": stage, "unit": f"u{number % 50}"}
    return Namespace(name, labels)


def _node(number: int) -> Node:
    return Node(f"node-{number}", {}, (IPv4Address(FIRST_NODE + number),))


def make_pod(number: int, namespaces: int, *, unique: bool = False) -> Pod:
    """Return a pod of a namespace's app, in a ReplicaSet of five."""
    within = number // namespaces
    replica_set = within // PODS_A_REPLICA_SET
    app = APPS[replica_set % len(APPS)]
    labels = {
        "app": app,
        "tier": TIERS[replica_set % len(TIERS)],
        "pod-template-hash": f"h{replica_set}",
    }
    if unique:
        labels["pod-index"] = str(number)
    return Pod(
        ObjectKey(f"team-{number % namespaces}", f"{app}-{number}"),
        labels,
        (IPv4Address(FIRST_POD + number),),
        (ContainerPort(8080, name="http"),),
        f"node-{number // PODS_A_NODE}",
        phase="Running",
    )


def make_policy(number: int, namespaces: int) -> NetworkPolicy:
    """Return a policy: of five, one denies and four allow, each in another way."""
    form = number // namespaces % 5
    key = ObjectKey(f"team-{number % namespaces}", f"p{number}")
    app = APPS[number % len(APPS)]
    near = Peer(labelled("tier", TIERS[number % 3]))
    if form == 0:
        return NetworkPolicy(key, EVERYTHING, INGRESS)
    if form == 1:
        rules = (Rule((near,), (PolicyPort(port="http"),)),)
        return NetworkPolicy(key, labelled("app", app), INGRESS, rules)
    if form == 2:  # noqa: PLR2004 - of five
        unit = labelled("unit", f"u{number % 50}")
        far = Peer(labelled("app", app), unit)
        rules = (Rule((far, near), (PolicyPort(port=9000, end_port=9100),)),)
        return NetworkPolicy(key, labelled("tier", "data"), INGRESS, rules)
    if form == 3:  # noqa: PLR2004 - of five
        dns = Rule((Peer(labelled("app", "dns"), EVERYTHING),), (_DNS,))
        return NetworkPolicy(key, EVERYTHING, BOTH, (Rule((near,)),), (dns,))
    outside = IPBlock(IPv4Network("0.0.0.0/0"), (IPv4Network("10.0.0.0/8"),))
    stage = Peer(namespace_selector=labelled("stage", STAGES[number % 3]))
    rules = (Rule((Peer(ip_block=outside), stage)),)
    return NetworkPolicy(key, labelled("app", app), INGRESS, rules)


_DNS = PolicyPort(Protocol.UDP, 53)


def labelled(key: str, value: str) -> LabelSelector:
    """Return the selector of one label."""
    return label_selector([Requirement(key, Operator.IN, frozenset({value}))])
