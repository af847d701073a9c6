"""What the Kubernetes API text says, as naive code: one function a sentence.

Read from the comments in networking/v1 types.go and meta/v1 types.go; slow, and
without any of the engine's code or structures. Each docstring tells in our words
the sentence that the function is our reading of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from ringfence.model.cluster import Cluster
from ringfence.model.flow import (
    AddressEnd,
    Direction,
    End,
    Flow,
    InternetEnd,
    IPAddress,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.labels import LabelSelector, Operator, Requirement
from ringfence.model.meta import Labels
from ringfence.model.netpol import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.verdict import Outcome
from ringfence.model.workload import METADATA_NAME, Namespace, Pod


class Answer(IntEnum):
    """Three values in order: AND is the smallest, OR the greatest."""

    NO = 0
    MAYBE = 1
    YES = 2


NO, MAYBE, YES = Answer
OUTCOMES = {NO: Outcome.DENY, MAYBE: Outcome.UNDECIDED, YES: Outcome.ALLOW}


class Place(NamedTuple):
    """An end at one address; ``pod`` only where a policy can mean it.

    ``host``: it is a node or sits in a node's network; ``node``: which one.
    """

    pod: Pod | None
    host: bool
    node: str | None
    address: IPAddress | None
    family: int
    internet: bool


class Packet(NamedTuple):
    """The first packet of a connection."""

    source: Place
    destination: Place
    protocol: Protocol
    port: int | None


def verdict(cluster: Cluster, flow: Flow) -> Outcome:
    """Return what Kubernetes says to a flow; None as port asks for every port."""
    ports: Iterable[int | None] = [flow.port]
    if flow.port is None and flow.protocol in {
        Protocol.TCP,
        Protocol.UDP,
        Protocol.SCTP,
    }:
        ports = telling_ports(cluster)
    return OUTCOMES[min(at_port(cluster, flow, port) for port in ports)]


def telling_ports(cluster: Cluster) -> list[int]:
    """List the numbers that manifests mention, and their neighbours.

    Between them no answer can change.
    """
    numbers = {0, 65535}
    for pod in cluster.pods.values():
        numbers |= {port.number for port in pod.ports or ()}
    for policy in cluster.policies.values():
        for rule in (*policy.ingress, *policy.egress):
            for entry in rule.ports or ():
                numbers |= {
                    n for n in (entry.port, entry.end_port) if isinstance(n, int)
                }
    near = {number + step for number in numbers for step in (-1, 0, 1)}
    return sorted(number for number in near if 0 <= number <= 65535)


def at_port(cluster: Cluster, flow: Flow, port: int | None) -> Answer:
    """Say what holds whatever the family of an unknown address is."""
    answers = {
        max(
            (
                passes(cluster, Packet(source, destination, flow.protocol, port))
                for family in families
                for source in places(cluster, flow.source, family)
                for destination in places(cluster, flow.destination, family)
            ),
            default=NO,
        )
        for families in hypotheses(cluster, flow)
    }
    return answers.pop() if len(answers) == 1 else MAYBE


def hypotheses(cluster: Cluster, flow: Flow) -> list[list[int]]:
    """List the families to try.

    Those of one list are tried together, the lists against each other.
    """
    ends = (flow.source, flow.destination)
    if all(addresses(cluster, end) != [] for end in ends):
        return [[4, 6]]
    if any(isinstance(end, InternetEnd) for end in ends):
        return [families_seen(cluster)]
    known = {a.version for end in ends for a in addresses(cluster, end) or []}
    return [[family] for family in sorted(known) or families_seen(cluster)]


def families_seen(cluster: Cluster) -> list[int]:
    """List the families of the cluster's own addresses, or both.

    A finished pod has no address any more.
    """
    own = [pod.addresses for pod in cluster.pods.values() if not pod.finished]
    own += [node.addresses for node in cluster.nodes.values()]
    own += [service.cluster_ips for service in cluster.services.values()]
    return sorted({a.version for some in own for a in some}) or [4, 6]


def addresses(cluster: Cluster, end: End) -> list[IPAddress] | None:
    """List an end's addresses; empty: unknown; None: somewhere outside."""
    match end:
        case InternetEnd():
            return None
        case AddressEnd(address):
            return [address]
        case NodeEnd(name, address):
            return [address] if address else list(cluster.nodes[name].addresses)
        case PodEnd(key, address):
            pod = cluster.pods[key]
            own = [address] if address else list(pod.addresses)
            bare = pod.host_network and not own
            node = cluster.nodes.get(pod.node or "")
            return list(node.addresses) if bare and node else own


def places(cluster: Cluster, end: End, family: int) -> list[Place]:
    """List an end once for each of its addresses of a family."""
    own: Sequence[IPAddress | None] = addresses(cluster, end) or (None,)
    mine = [a for a in own if a is None or a.version == family]
    match end:
        case PodEnd(key):
            pod = cluster.pods[key]
            inside = None if pod.host_network else pod
            return [
                Place(inside, pod.host_network, pod.node, a, family, False)
                for a in mine
            ]
        case NodeEnd(name):
            return [Place(None, True, name, a, family, False) for a in mine]
        case _:
            outside = isinstance(end, InternetEnd)
            return [Place(None, False, None, a, family, outside) for a in mine]


def passes(cluster: Cluster, packet: Packet) -> Answer:
    """Whether the packet passes: an exception holds, or egress AND ingress.

    What is no pod has no policies (concepts/services-networking).
    """
    if packet.source.pod is None and packet.destination.pod is None:
        return YES
    both_ends = min(
        allowed(cluster, Direction.EGRESS, packet),
        allowed(cluster, Direction.INGRESS, packet),
    )
    return max(is_itself(packet), is_own_node(packet), both_ends)


def is_itself(packet: Packet) -> Answer:
    """A pod cannot block access to itself."""
    one, other = packet.source.pod, packet.destination.pod
    return YES if one and other and one.key == other.key else NO


def is_own_node(packet: Packet) -> Answer:
    """Traffic between a pod and the node it runs on is always allowed."""
    for one, other in (packet[:2], (packet.destination, packet.source)):
        if one.pod is None or not other.host:
            continue
        if one.pod.node is None or other.node is None:
            return MAYBE
        return YES if one.pod.node == other.node else NO
    return NO


def allowed(cluster: Cluster, direction: Direction, packet: Packet) -> Answer:
    """Whether one end allows the packet.

    NetworkPolicySpec.ingress, .egress: it is allowed when no policy selects the
    pod, or when it matches at least one rule across all policies that do.
    """
    subject = packet.source if direction is Direction.EGRESS else packet.destination
    if subject.pod is None:
        return YES
    policies = isolating(cluster, direction, subject.pod)
    if not policies:
        return YES
    return max(
        (
            matches_rule(cluster, direction, rule, policy, packet)
            for policy in policies
            for rule in policy.rules(direction)
        ),
        default=NO,
    )


def isolating(cluster: Cluster, direction: Direction, pod: Pod) -> list[NetworkPolicy]:
    """List the policies that isolate a pod for a direction.

    NetworkPolicySpec.podSelector, .policyTypes: pods of the policy's namespace,
    all of them if the selector is empty; only the directions listed.
    """
    return [
        policy
        for policy in cluster.policies.values()
        if policy.key.namespace == pod.key.namespace
        and direction in policy.policy_types
        and matches_labels(policy.pod_selector, pod.labels)
    ]


def matches_rule(
    cluster: Cluster,
    direction: Direction,
    rule: Rule,
    policy: NetworkPolicy,
    packet: Packet,
) -> Answer:
    """NetworkPolicyIngressRule, ...EgressRule: both ports and peers must match."""
    other = packet.destination if direction is Direction.EGRESS else packet.source
    return min(matches_peers(cluster, rule, policy, other), matches_ports(rule, packet))


def matches_peers(
    cluster: Cluster, rule: Rule, policy: NetworkPolicy, other: Place
) -> Answer:
    """Whether any entry of from or to matches; without entries, everything does.

    NetworkPolicyIngressRule.from: a logical OR; empty or missing does not restrict.
    """
    if rule.peers is None:
        return YES
    return max(matches_peer(cluster, peer, policy, other) for peer in rule.peers)


def matches_peer(
    cluster: Cluster, peer: Peer, policy: NetworkPolicy, other: Place
) -> Answer:
    """NetworkPolicyPeer: an ipBlock excludes the other fields; else both must match."""
    if peer.ip_block is not None:
        return matches_block(peer.ip_block, other)
    if other.pod is None:
        return NO
    return min(
        matches_namespace(cluster, peer, policy, other.pod),
        matches_pod(peer, other.pod),
    )


def matches_pod(peer: Peer, pod: Pod) -> Answer:
    """NetworkPolicyPeer.podSelector: present but empty, it selects all pods."""
    if peer.pod_selector is None:
        return YES
    return YES if matches_labels(peer.pod_selector, pod.labels) else NO


def matches_namespace(
    cluster: Cluster, peer: Peer, policy: NetworkPolicy, pod: Pod
) -> Answer:
    """NetworkPolicyPeer.namespaceSelector: present but empty, all namespaces.

    Without it, the podSelector speaks of the policy's own namespace.
    """
    namespace = cluster.namespaces[pod.key.namespace]
    if peer.namespace_selector is None:
        return YES if namespace.name == policy.key.namespace else NO
    return min(
        (
            namespace_has(need, namespace)
            for need in peer.namespace_selector.requirements
        ),
        default=YES,
    )


def namespace_has(need: Requirement, namespace: Namespace) -> Answer:
    """Whether a namespace meets one term; undeclared, only its name is known."""
    if not namespace.declared and need.key != METADATA_NAME:
        return MAYBE
    return YES if meets(need, namespace.labels) else NO


def matches_labels(selector: LabelSelector, labels: Labels) -> bool:
    """LabelSelector: the requirements are ANDed; empty matches all objects."""
    return not [need for need in selector.requirements if not meets(need, labels)]


def meets(need: Requirement, labels: Labels) -> bool:
    """LabelSelectorRequirement: NotIn and DoesNotExist hold without the key."""
    if need.operator is Operator.EXISTS:
        return need.key in labels
    if need.operator is Operator.DOES_NOT_EXIST:
        return need.key not in labels
    is_in = need.key in labels and labels[need.key] in need.values
    return is_in if need.operator is Operator.IN else not is_in


def matches_block(block: IPBlock, other: Place) -> Answer:
    """IPBlock: inside the CIDR and inside none of its excepts."""
    everything = block.cidr.prefixlen == 0
    if block.cidr.version != other.family:
        return NO
    if other.internet:
        return YES if everything else NO
    if other.address is None:
        return YES if everything and not block.except_ else MAYBE
    within = [net for net in (block.cidr, *block.except_) if other.address in net]
    return YES if within == [block.cidr] else NO


def matches_ports(rule: Rule, packet: Packet) -> Answer:
    """Whether any entry of ports matches; without entries, every protocol does.

    NetworkPolicyIngressRule.ports: a logical OR; empty or missing does not restrict.
    """
    if rule.ports is None:
        return YES
    return max(matches_port(entry, packet) for entry in rule.ports)


def matches_port(entry: PolicyPort, packet: Packet) -> Answer:
    """NetworkPolicyPort: the protocol AND the port; without port, all ports.

    endPort is the last of the range, included.
    """
    if entry.protocol is not packet.protocol or packet.port is None:
        return NO
    if entry.port is None:
        return YES
    if isinstance(entry.port, str):
        return matches_name(entry.port, packet)
    last = entry.port if entry.end_port is None else entry.end_port
    return YES if packet.port in range(entry.port, last + 1) else NO


def matches_name(name: str, packet: Packet) -> Answer:
    """Whether the destination pod calls the packet's port by this name."""
    pod = packet.destination.pod
    if pod is None:
        return NO
    if pod.ports is None:
        return MAYBE
    wanted = (name, packet.protocol, packet.port)
    called = [(port.name, port.protocol, port.number) for port in pod.ports]
    return YES if wanted in called else NO
