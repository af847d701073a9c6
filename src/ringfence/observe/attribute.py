"""Logged packets to flow records: whose they are, and why they met what they met."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ringfence.engine.compiled import Compiled
from ringfence.engine.explain import explain
from ringfence.engine.following.changes import Claimant
from ringfence.model.flow import (
    AddressEnd,
    Direction,
    End,
    Flow,
    IPAddress,
    NodeEnd,
    PodEnd,
    Protocol,
)
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import EndEvidence, Miss, RuleMatch
from ringfence.model.workload import Pod
from ringfence.observe.logged import Logged
from ringfence.observe.parse import Headers, parse
from ringfence.observe.record import (
    NAMESPACE_LABEL,
    POD_LABEL,
    RESERVED,
    RESERVED_LABEL,
    Deciding,
    Effect,
    FlowRecord,
    NearestMiss,
    Party,
    Verdict,
    Workload,
)
from ringfence.report.words import match_field
from ringfence.ruleset.naming import (
    Identity,
    LogKind,
    PolicySetId,
    Prefix,
    UnknownId,
    read_prefix,
)

VERDICTS = {
    LogKind.DENIED: Verdict.DROPPED,
    LogKind.STAGED: Verdict.AUDIT,
    LogKind.SAMPLED: Verdict.FORWARDED,
}
REASON = "POLICY_DENIED"
"""flow.proto, ``DropReason``."""

ICMP_WORDS = {
    ("ICMPv4", 0): "EchoReply",
    ("ICMPv4", 3): "DestinationUnreachable",
    ("ICMPv4", 5): "Redirect",
    ("ICMPv4", 8): "EchoRequest",
    ("ICMPv4", 11): "TimeExceeded",
    ("ICMPv6", 1): "DestinationUnreachable",
    ("ICMPv6", 2): "PacketTooBig",
    ("ICMPv6", 3): "TimeExceeded",
    ("ICMPv6", 128): "EchoRequest",
    ("ICMPv6", 129): "EchoReply",
}
REMEMBERED = 2_000
"""Explanations kept; the same flows are denied again and again."""

LABELS_LENGTH = 4096
"""Characters of a pod's labels that a record has at most. The API bounds their number
by the size of an object alone, and a thousand records are remembered."""

NAME_LENGTH = 253
"""The longest name of an object; an owner's is any text to the API."""

TEMPLATE_HASH = "pod-template-hash"
_SCHEDULED = re.compile(r"(.+)-\d{8,}")
"""A CronJob's Jobs end in the time they were scheduled for."""


class _Asked(NamedTuple):
    """What an explanation depends on, besides the state."""

    direction: Direction
    source: IPAddress
    destination: IPAddress
    transport: Protocol
    port: int | None


@dataclass(slots=True)
class Attribution:
    """What is known of addresses and names at one moment, on one node.

    Make a new one after the state has changed: what was explained once is
    remembered. ``index`` says what a log prefix stands for where its text was too
    long to keep (Table.index); ``apiserver`` are the API server's addresses.
    """

    compiled: Compiled
    claims: Mapping[IPAddress, tuple[Claimant, ...]]
    node: str
    index: Mapping[str, Identity]
    apiserver: Collection[IPAddress] = frozenset()
    _explained: dict[_Asked, EndEvidence | None] = field(default_factory=dict)

    def record(self, logged: Logged) -> FlowRecord | None:
        """Return a packet's record, None for one that is none of this product's."""
        prefix = read_prefix(logged.prefix)
        headers = parse(logged.payload)
        if prefix is None or headers is None:
            return None
        evidence = self._evidence(prefix.direction, headers)
        dropped = prefix.what is not LogKind.SAMPLED
        return FlowRecord(
            logged.time,
            VERDICTS[prefix.what],
            *self._parties(headers, prefix),
            headers.source.version,
            _protocol(headers),
            headers.ports,
            headers.flags,
            headers.icmp,
            prefix.direction.value.upper(),
            self.node,
            reason=REASON if dropped else "",
            summary=_summary(headers),
            reply=False,
            policies=tuple(self._policies(logged.prefix, prefix, evidence)),
            miss=_miss(evidence) if dropped else None,
        )

    def _evidence(self, direction: Direction, headers: Headers) -> EndEvidence | None:
        """Explain the deciding end's answer, None where an end is not certain.

        It is that of now: what was logged before a change may be allowed meanwhile.
        """
        port = headers.ports[1] if headers.ports else None
        ends = headers.source, headers.destination
        asked = _Asked(direction, *ends, headers.transport, port)
        if asked not in self._explained:
            if len(self._explained) >= REMEMBERED:
                self._explained.clear()
            self._explained[asked] = self._explain(asked)
        return self._explained[asked]

    def _explain(self, asked: _Asked) -> EndEvidence | None:
        if asked.port is None and asked.transport.has_ports:
            return None
        source, destination = self._end(asked.source), self._end(asked.destination)
        if source is None or destination is None:
            return None
        flow = Flow(source, destination, asked.transport, asked.port)
        found = explain(self.compiled, flow)
        return found.egress if asked.direction is Direction.EGRESS else found.ingress

    def _policies(
        self, text: str, prefix: Prefix, evidence: EndEvidence | None
    ) -> Iterable[Deciding]:
        if prefix.what is LogKind.SAMPLED:
            return _allowing(evidence.allowed_by if evidence else ())
        of = self.index.get(text)
        if isinstance(of, PolicySetId):
            return _denying(of.policies)
        if prefix.text is None:  # only a digest is left, and it stands for a chain gone
            return _denying(evidence.policies if evidence else ())
        namespace, found, names = prefix.text.partition("/")
        if not found:
            return ()  # contested or unknown: no policy says so
        return _denying(ObjectKey(namespace, name) for name in names.split("+"))

    def _end(self, address: IPAddress) -> End | None:
        claimants = self.claims.get(address, ())
        if len(claimants) > 1:
            return None
        if not claimants:
            return AddressEnd(address)
        (claimant,) = claimants
        if claimant is not None:
            return PodEnd(claimant, address)
        node = self._node_of(address)
        return NodeEnd(node, address) if node else None

    def _node_of(self, address: IPAddress) -> str:
        nodes = self.compiled.cluster.nodes.values()
        return next((node.name for node in nodes if address in node.addresses), "")

    def _parties(self, headers: Headers, prefix: Prefix) -> tuple[Party, Party]:
        """Return both ends; a guarded address that is nobody's is some unknown pod."""
        source, destination = map(self._party, (headers.source, headers.destination))
        if prefix.text == str(UnknownId(prefix.direction)):
            if prefix.direction is Direction.EGRESS and not source.pod:
                source = _unknown(headers.source)
            elif prefix.direction is Direction.INGRESS and not destination.pod:
                destination = _unknown(headers.destination)
        return source, destination

    def _party(self, address: IPAddress) -> Party:
        claimants = self.claims.get(address, ())
        if len(claimants) > 1:
            names = tuple(str(of) if of else self._node_of(address) for of in claimants)
            return _unknown(address, names)
        if claimants and claimants[0] is not None:
            return _pod_party(address, self.compiled.cluster.pods[claimants[0]])
        word = "world"
        if address in self.apiserver:
            word = "kube-apiserver"
        elif claimants:
            word = "host" if self._node_of(address) == self.node else "remote-node"
        labels = (f"{RESERVED_LABEL}{word}",)
        return Party(str(address), labels=labels, identity=RESERVED[word])


def _unknown(address: IPAddress, claimants: tuple[str, ...] = ()) -> Party:
    labels = (f"{RESERVED_LABEL}unknown",)
    return Party(str(address), labels=labels, claimants=claimants)


def _pod_party(address: IPAddress, pod: Pod) -> Party:
    namespace = f"{NAMESPACE_LABEL}{pod.key.namespace}"
    return Party(
        str(address),
        pod.key.namespace,
        pod.key.name,
        tuple(sorted((*_labels(pod), namespace))),
        tuple(_workloads(pod)),
    )


def _labels(pod: Pod) -> Iterable[str]:
    """Yield a pod's labels, as many as a record has room for."""
    left = LABELS_LENGTH
    for key, value in pod.labels.items():
        label = f"{POD_LABEL}{key}={value}"
        left -= len(label)
        if left < 0:
            break
        yield label


def _workloads(pod: Pod) -> Iterable[Workload]:
    """Return what a pod belongs to: a Deployment for its ReplicaSet's pods."""
    if pod.owner is None:
        return ()
    kind, name = pod.owner.kind[:NAME_LENGTH], pod.owner.name[:NAME_LENGTH]
    template = pod.labels.get(TEMPLATE_HASH)
    if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
        return (Workload("Deployment", name.removesuffix(f"-{template}")),)
    scheduled = _SCHEDULED.fullmatch(name)
    if kind == "Job" and scheduled:
        return (Workload("CronJob", scheduled[1]),)
    return (Workload(kind, name),)


def _denying(policies: Iterable[ObjectKey]) -> Iterable[Deciding]:
    return [Deciding(of.namespace, of.name, Effect.DENIES) for of in policies]


def _allowing(matches: Iterable[RuleMatch]) -> Iterable[Deciding]:
    return [
        Deciding(of.policy.namespace, of.policy.name, Effect.ALLOWS, match_field(of))
        for of in matches
    ]


def _miss(evidence: EndEvidence | None) -> NearestMiss | None:
    found: Miss | None = evidence.nearest_miss if evidence else None
    if found is None:
        return None
    policy = str(found.policy) if found.policy else ""
    return NearestMiss(policy, found.field, found.terms, found.fix)


def _protocol(headers: Headers) -> str:
    if headers.transport is Protocol.ICMP:
        return f"ICMPv{headers.source.version}"
    return headers.transport.value if headers.transport.has_ports else ""


def _summary(headers: Headers) -> str:
    """Say the packet in Hubble's words."""
    name = _protocol(headers)
    if headers.flags:
        return f"TCP Flags: {', '.join(headers.flags)}"
    if headers.icmp is not None:
        kind, code = headers.icmp
        return f"{name} {ICMP_WORDS.get((name, kind), f'type {kind} code {code}')}"
    return name or f"IP protocol {headers.protocol}"
