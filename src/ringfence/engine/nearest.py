"""The nearest miss: the rule that fails in the fewest terms, and what fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from ringfence.engine.compiled import (
    Compiled,
    CompiledRule,
    PeerSelector,
    PolicySet,
    Profile,
    Target,
)
from ringfence.engine.compiler import isolating
from ringfence.engine.match import block_covers, named_port, ports_match, target_matches
from ringfence.engine.select import requirement_holds, selects
from ringfence.engine.stations import Service, Station
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import Operator, Requirement
from ringfence.model.meta import Labels, Position
from ringfence.model.netpol import IPBlock, PolicyPort
from ringfence.model.verdict import Miss
from ringfence.model.workload import METADATA_NAME, Pod

_OPPOSITE = {
    Direction.INGRESS: Direction.EGRESS,
    Direction.EGRESS: Direction.INGRESS,
}
PEER_FIELD = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
RULE_FIELD = {Direction.INGRESS: "ingress", Direction.EGRESS: "egress"}

LABEL_COST = 1
PORT_COST = 1
BLOCK_COST = 2
"""A label or a port is a smaller change than an address range."""
FIXED_COST = 3
"""The API server keeps this label as it is: only the peer can change."""
NOT_A_POD_COST = 6
"""A peer that selects pods is far from an end that is none."""

_SOME_VALUE = "*"
"""A label's value that no selector can name."""


class Term(NamedTuple):
    """A term that fails: what it costs to mend, what is wrong, what would be right.

    ``fix`` is empty where nothing done about this term alone would do.
    ``relabelled`` is what the fix makes of the labels of the other end's pod, or
    of its namespace: which of them ``kind`` says.
    """

    cost: int
    text: str
    fix: str
    kind: str = ""
    relabelled: Labels | None = None


class _Side(NamedTuple):
    """The failing terms of a rule's peers or ports, and the entry they stand in."""

    terms: tuple[Term, ...]
    field: str
    position: Position

    @property
    def cost(self) -> int:
        return sum(term.cost for term in self.terms)


def nearest_miss(
    compiled: Compiled,
    policy_set: PolicySet,
    other: Station,
    destination: Station,
    service: Service,
) -> Miss:
    """Return how the flow came closest to one of the rules that deny it.

    Ties go to the first policy by name and its first rule. Without any rule the
    miss names no policy and the fix is a rule to add.
    """
    found = [
        (rule, _failing(compiled, rule, other, destination, service))
        for rule in policy_set.rules
    ]
    if not found:
        return _no_rule(policy_set, other, service)
    rule, failing = min(found, key=lambda one: sum(side.cost for side in one[1]))
    terms = [term for side in failing for term in side.terms]
    return Miss(
        rule.policy,
        rule.direction,
        failing[0].field,
        tuple(term.text for term in terms),
        _single_fix(compiled, rule, other, terms)
        or _new_rule(rule.direction, other, service),
        failing[0].position,
    )


def _single_fix(
    compiled: Compiled, rule: CompiledRule, other: Station, terms: list[Term]
) -> str:
    """Return the fix of the only term that fails, empty where it would not do."""
    term, *more = terms
    if more or not _harmless(compiled, rule, other.pod, term):
        return ""
    return term.fix


def _harmless(
    compiled: Compiled, rule: CompiledRule, pod: Pod | None, term: Term
) -> bool:
    """Whether the fix leaves alone what the pod's own policies say to the flow.

    Other labels may be selected by other policies. Those of a namespace may be
    what the pod's own policies ask of the end that it shares the namespace with.
    """
    if pod is None or term.relabelled is None:
        return True
    way = _OPPOSITE[rule.direction]
    policy_set = compiled.policy_set(way, pod.key)
    before = policy_set.policies if policy_set else ()
    if term.kind == "namespace":
        return not before or pod.key.namespace != rule.policy.namespace
    after = isolating(
        (
            policy
            for policy in compiled.cluster.policies.values()
            if policy.key.namespace == pod.key.namespace
            and selects(policy.pod_selector, term.relabelled)
        ),
        way,
    )
    return set(before) <= set(after) if before else not after


def _failing(
    compiled: Compiled,
    rule: CompiledRule,
    other: Station,
    destination: Station,
    service: Service,
) -> list[_Side]:
    """Return what fails of a rule: its peers, its ports, or both."""
    base = f"{RULE_FIELD[rule.direction]}[{rule.index}]"
    sides = (
        _peer_side(compiled, rule, base, other),
        _port_side(rule, base, destination, service),
    )
    return [side for side in sides if side.terms]


def _peer_side(
    compiled: Compiled, rule: CompiledRule, base: str, other: Station
) -> _Side:
    if rule.peers is None or any(
        target_matches(compiled, peer.target, other) for peer in rule.peers
    ):
        return _Side((), base, rule.position)
    sides = [
        _Side(
            tuple(_target_terms(compiled, peer.target, other)),
            f"{base}.{PEER_FIELD[rule.direction]}[{index}]",
            peer.position,
        )
        for index, peer in enumerate(rule.peers)
    ]
    return min(sides, key=lambda side: side.cost)


def _target_terms(compiled: Compiled, target: Target, other: Station) -> Iterable[Term]:
    if isinstance(target, IPBlock):
        if other.pod is not None and not compiled.profile.blocks_match_pods:
            return [_no_pod_by_block(compiled.profile, target, other)]
        return [_block_term(target, other)]
    pod = other.pod
    if pod is None:
        what = end_words(other)
        return [
            Term(
                NOT_A_POD_COST,
                f"the peer selects pods, {what} is none that a selector can mean",
                f"allow {what} by an ipBlock",
            )
        ]
    terms = list(_namespace_terms(compiled, target, pod.key.namespace))
    needs = target.pod_selector.requirements
    terms += _label_terms(needs, pod.labels, f"pod {pod.key}", "pod")
    return terms


def _namespace_terms(
    compiled: Compiled, target: PeerSelector, namespace: str
) -> Iterable[Term]:
    if target.namespace_selector is None:
        if target.namespace != namespace:
            yield Term(
                LABEL_COST,
                f"a podSelector alone means pods of namespace {target.namespace}, "
                f"this pod is in {namespace}",
                "add a namespaceSelector for "
                f"kubernetes.io/metadata.name={namespace} to the peer",
            )
        return
    found = compiled.cluster.namespaces[namespace]
    known: list[Requirement] = []
    for term in target.namespace_selector.requirements:
        if found.declared or term.key in found.labels:
            known.append(term)
            continue
        yield Term(
            LABEL_COST,
            f"namespace label {term} wanted, no manifest declares {namespace}",
            f"declare namespace {namespace} with its labels",
        )
    yield from _label_terms(known, found.labels, f"namespace {namespace}", "namespace")


def _label_terms(
    needs: Iterable[Requirement], labels: Labels, what: str, kind: str
) -> list[Term]:
    needs = tuple(needs)
    return [
        _label_term(need, needs, labels, what, kind)
        for need in needs
        if not requirement_holds(need, labels)
    ]


def _label_term(
    need: Requirement,
    needs: Iterable[Requirement],
    labels: Labels,
    what: str,
    kind: str,
) -> Term:
    text = _label_text(need, labels, kind)
    if kind == "namespace" and need.key == METADATA_NAME:
        return Term(FIXED_COST, text, f"add a peer that selects {what}")
    together = [other for other in needs if other.key == need.key]
    for label in _labels_for(need):
        if all(requirement_holds(other, label) for other in together):
            rest = {key: labels[key] for key in labels if key != need.key}
            fix = _label_fix(need, label, what)
            return Term(LABEL_COST, text, fix, kind, {**rest, **label})
    return Term(LABEL_COST, text, "")


def _labels_for(need: Requirement) -> Iterator[Labels]:
    """Yield what a label can be to meet a need: the label, or none."""
    match need.operator:
        case Operator.IN:
            yield from ({need.key: value} for value in sorted(need.values))
        case Operator.EXISTS:
            yield {need.key: _SOME_VALUE}
        case Operator.NOT_IN | Operator.DOES_NOT_EXIST:
            yield {}


def _label_text(term: Requirement, labels: Labels, kind: str) -> str:
    value = labels.get(term.key)
    wanted = " or ".join(f'"{one}"' for one in sorted(term.values))
    match term.operator:
        case Operator.IN if value is None:
            return (
                f"{kind} label {term} wanted, {kind} has no {_close_key(term, labels)}"
            )
        case Operator.IN:
            note = _close_value(term, value or "")
            return (
                f'{kind} label {term.key} wanted {wanted}, {kind} has "{value}"{note}'
            )
        case Operator.NOT_IN:
            return f'{kind} label {term.key} must not be {wanted}, {kind} has "{value}"'
        case Operator.EXISTS:
            return (
                f"{kind} label {term} wanted, {kind} has no {_close_key(term, labels)}"
            )
        case Operator.DOES_NOT_EXIST:
            return f'{kind} must not have label {term.key}, it is "{value}"'


def _close_key(term: Requirement, labels: Labels) -> str:
    close = get_close_matches(term.key, labels, n=1, cutoff=0.7)
    return f"{term.key} (but {close[0]}={labels[close[0]]})" if close else term.key


def _close_value(term: Requirement, value: str) -> str:
    if value.lower() in {one.lower() for one in term.values}:
        return " (case)"
    return " (a typo?)" if get_close_matches(value, term.values, 1, 0.8) else ""


def _label_fix(need: Requirement, label: Labels, what: str) -> str:
    if not label:
        return f"remove label {need.key} from {what}"
    if need.operator is Operator.EXISTS:
        return f"label {what} with {need.key}"
    return f"label {what} {need.key}={label[need.key]}"


def _no_pod_by_block(profile: Profile, block: IPBlock, other: Station) -> Term:
    return Term(
        NOT_A_POD_COST,
        f"with profile {profile.value} ipBlock {block.cidr} never matches a pod",
        f"add a peer that selects {end_words(other)}",
    )


def _block_term(block: IPBlock, other: Station) -> Term:
    what = end_words(other)
    address = other.address
    holes = [str(hole) for hole in block.except_ if address and address in hole]
    if holes and address in block.cidr:
        within = f"except {' and '.join(holes)}"
        return Term(
            BLOCK_COST,
            f"{what} lies in {within} of ipBlock {block.cidr}",
            f"take {what} out of {within}",
        )
    if block_covers(block, other) is None:
        return Term(
            BLOCK_COST, f"the address of {what} is unknown", "state its address"
        )
    return Term(
        BLOCK_COST,
        f"{what} is not in ipBlock {block.cidr}",
        f"add an ipBlock that holds {what}",
    )


def _port_side(
    rule: CompiledRule,
    base: str,
    destination: Station,
    service: Service,
) -> _Side:
    if ports_match(rule.ports, destination, service) or rule.ports is None:
        return _Side((), base, rule.position)
    protocol, number = service
    listed = ", ".join(_port_words(entry, destination) for entry in rule.ports)
    if number is None:
        text = f"{protocol.value} has no ports, the rule allows only {listed}"
        fix = f"leave out {base}.ports"
    else:
        wanted = _service_words(service)
        start = "" if number else " from 0"
        text = f"{wanted}{start} wanted, the rule has {listed}"
        fix = f"add {wanted} to {base}.ports"
    term = Term(PORT_COST, text, fix)
    return _Side((term,), f"{base}.ports", rule.ports[0].position)


def _service_words(service: Service) -> str:
    """Name what a rule has to list for a port; empty for protocols without ports.

    Port 0, which every port begins with, has no number in a policy.
    """
    protocol, number = service
    if number is None:
        return ""
    return f"port {number}/{protocol.value}" if number else _every_port(protocol)


def _every_port(protocol: Protocol) -> str:
    return f"every {protocol.value} port"


def _port_words(entry: PolicyPort, destination: Station) -> str:
    protocol = entry.protocol.value
    if entry.port is None:
        return _every_port(entry.protocol)
    if entry.end_port is not None:
        return f"{entry.port}-{entry.end_port}/{protocol}"
    if isinstance(entry.port, int):
        return f"{entry.port}/{protocol}"
    numbers = named_port(entry.port, entry.protocol, destination)
    meaning = ", ".join(map(str, sorted(numbers or ()))) or "no port of the destination"
    return f"{entry.port}/{protocol} ({meaning})"


def _no_rule(policy_set: PolicySet, other: Station, service: Service) -> Miss:
    direction = policy_set.direction
    return Miss(
        None,
        direction,
        RULE_FIELD[direction],
        (f"no policy here has any {RULE_FIELD[direction]} rule",),
        _new_rule(direction, other, service),
    )


def _new_rule(direction: Direction, other: Station, service: Service) -> str:
    """Return the rule that would allow the flow, where no single term would."""
    word, peer = RULE_FIELD[direction], PEER_FIELD[direction]
    parts = (f"add an {word} rule {peer} {_peer_words(other)}", _service_words(service))
    return ", ".join(filter(None, parts))


def _peer_words(other: Station) -> str:
    if other.pod is None:
        return end_words(other)
    labels = ",".join(f"{k}={v}" for k, v in sorted(other.pod.labels.items()))
    return f"pods {labels or '<any>'} of namespace {other.pod.key.namespace}"


def end_words(station: Station) -> str:
    """Name an end for a person: pod, node or address."""
    if station.pod is not None:
        address = f" ({station.address})" if station.address else ""
        return f"pod {station.pod.key}{address}"
    if station.on_a_node:
        name = station.node or "of a hostNetwork pod"
        return f"node {name}" + (f" ({station.address})" if station.address else "")
    return "internet" if station.internet else str(station.address)
