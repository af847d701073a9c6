"""What is different about an end itself: it came, it went, its labels are others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from ringfence.analysis.change.counterparts import Joint, Side
from ringfence.analysis.change.ends import Names
from ringfence.model.cluster import Cluster
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import Labels, ObjectKey
from ringfence.model.netpol import NetworkPolicy, Peer
from ringfence.model.workload import Pod


class Fact(Enum):
    """What an end can differ in between two clusters."""

    CAME = "came"
    WENT = "went"
    LABELS = "labels"
    NAMESPACE_LABELS = "namespaceLabels"
    PORTS = "ports"
    HOST_NETWORK = "hostNetwork"
    NODE = "node"
    ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True)
class Because:
    """A difference that is no policy's: whose it is, and both values in words."""

    fact: Fact
    subject: str
    before: str = ""
    after: str = ""


class Facts:
    """What is different about the ends of two clusters.

    Labels count only where some selector of either cluster looks at their keys.
    """

    def __init__(self, base: Side, head: Side, names: Names) -> None:
        self._base = base
        self._head = head
        self._names = names
        policies = [
            policy
            for side in (base, head)
            for policy in side.compiled.cluster.policies.values()
        ]
        self._pod_keys = _keys(s for p in policies for s in _pod_selectors(p))
        self._namespace_keys = _keys(
            peer.namespace_selector
            for policy in policies
            for peer in _peers(policy)
            if peer.namespace_selector is not None
        )

    def chief(self, joint: Joint) -> tuple[Because, ...]:
        """Return what anybody would name first: came, went, other labels."""
        if joint.base is None or joint.head is None:
            fact = Fact.CAME if joint.base is None else Fact.WENT
            return tuple(Because(fact, subject) for subject in self._subjects(joint))
        if joint.networks:
            return ()
        before, after = self._both(joint)
        words = _label_words(before.labels, after.labels, self._pod_keys)
        ends = self._names.named([joint]) if words[0] != words[1] else ()
        found = [Because(Fact.LABELS, end.id, *words) for end in ends]
        name = after.key.namespace
        words = _label_words(
            self._namespace(self._base, name),
            self._namespace(self._head, name),
            self._namespace_keys,
        )
        found.append(Because(Fact.NAMESPACE_LABELS, f"ns/{name}", *words))
        return tuple(fact for fact in found if fact.before != fact.after)

    def minor(self, joint: Joint) -> tuple[Because, ...]:
        """Return what else is different about a pod that both clusters have."""
        if joint.base is None or joint.head is None or joint.networks:
            return ()
        before, after = self._both(joint)
        found = (
            (Fact.PORTS, _ports(before), _ports(after)),
            (Fact.HOST_NETWORK, str(before.host_network), str(after.host_network)),
            (Fact.NODE, before.node or "unknown", after.node or "unknown"),
            (Fact.ADDRESSES, _addresses(before), _addresses(after)),
        )
        subject = str(after.key)
        return tuple(Because(f, subject, b, a) for f, b, a in found if b != a)

    def _both(self, joint: Joint) -> tuple[Pod, Pod]:
        """Return a pod of the joint as either cluster has it."""
        pods: list[Pod] = []
        for side, number in ((self._base, joint.base), (self._head, joint.head)):
            cluster = side.compiled.cluster
            same = next((key for key in joint.pods if key in cluster.pods), None)
            if same is None and number is not None:
                same = side.reachability.classes[number].pods[0]
            pods.append(cluster.pods[same or joint.pods[0]])
        return pods[0], pods[1]

    def _subjects(self, joint: Joint) -> Iterator[str]:
        """Yield who came or went: whole namespaces and address families as such."""
        if joint.networks:
            yield f"IPv{joint.networks[0].version}"
            return
        lacking = self._base if joint.base is None else self._head
        namespace = joint.pods[0].namespace
        if namespace not in self._populated(lacking):
            yield f"ns/{namespace}"
        else:
            yield from (end.id for end in self._names.named([joint]))

    def _populated(self, side: Side) -> AbstractSet[str]:
        """Return the namespaces that have pods in one of the clusters."""
        return self._with_pods[0 if side is self._base else 1]

    @cached_property
    def _with_pods(self) -> tuple[AbstractSet[str], AbstractSet[str]]:
        base, head = (
            {key.namespace for key in _live(side.compiled.cluster)}
            for side in (self._base, self._head)
        )
        return base, head

    @staticmethod
    def _namespace(side: Side, name: str) -> Labels:
        namespace = side.compiled.cluster.namespaces[name]
        return namespace.labels if namespace.declared else {"": "undeclared"}


def _live(cluster: Cluster) -> Iterator[ObjectKey]:
    return (key for key, pod in cluster.pods.items() if not pod.finished)


def _peers(policy: NetworkPolicy) -> Iterator[Peer]:
    for rule in (*policy.ingress, *policy.egress):
        yield from rule.peers or ()


def _pod_selectors(policy: NetworkPolicy) -> Iterator[LabelSelector]:
    yield policy.pod_selector
    for peer in _peers(policy):
        if peer.pod_selector is not None:
            yield peer.pod_selector


def _keys(selectors: Iterable[LabelSelector]) -> frozenset[str]:
    # The empty key stands for a namespace that no manifest declares.
    named = {need.key for selector in selectors for need in selector.requirements}
    return frozenset(named | {""})


def _label_words(
    before: Labels, after: Labels, keys: frozenset[str]
) -> tuple[str, str]:
    """Return the labels that differ, as either side has them."""
    differ = sorted(key for key in keys if before.get(key) != after.get(key))
    return _words(before, differ), _words(after, differ)


def _words(labels: Mapping[str, str], keys: list[str]) -> str:
    shown = (f"{k}={labels[k]}" if k else labels[k] for k in keys if k in labels)
    return ",".join(shown)


def _ports(pod: Pod) -> str:
    if pod.ports is None:
        return "unknown"
    words = (f"{p.number}/{p.protocol.value} {p.name or ''}" for p in pod.ports)
    return ", ".join(word.strip() for word in words) or "none"


def _addresses(pod: Pod) -> str:
    return ",".join(map(str, pod.addresses)) or "unknown"
