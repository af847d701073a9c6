"""Descriptions of one policy or pod, in sentences with counts."""

from __future__ import annotations

from collections.abc import Iterator

from ringfence.analysis.matrix import Matrix
from ringfence.analysis.overview import PodView, PolicyView, peer_pods
from ringfence.engine.compiled import Compiled, CompiledRule, PeerSelector
from ringfence.engine.compiler import compile_rules
from ringfence.model.flow import Direction
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import IPBlock, PolicyPort
from ringfence.model.workload import Pod
from ringfence.report.matrixtext import cell_words
from ringfence.report.table import table
from ringfence.report.words import PEER_FIELD, RULE_FIELD, place

SHOWN = 5
"""How many names a sentence lists before it counts the rest."""

INDENT = 14


def _line(label: str, text: str) -> str:
    head = f"{label}:" if label else ""
    return f"{head:<{INDENT}}{text}".rstrip()


def policy_lines(compiled: Compiled, view: PolicyView) -> Iterator[str]:
    """Yield the description of a policy: whom it selects, what each rule allows."""
    policy = view.policy
    key = policy.key
    there = sum(
        pod.key.namespace == key.namespace and not pod.finished
        for pod in compiled.cluster.pods.values()
    )
    types = [str(d) for d in Direction if d in policy.policy_types]
    yield _line("Name", key.name)
    yield _line("Namespace", key.namespace)
    if policy.position.source:
        yield _line("Defined at", place(policy.position))
    yield _line("Selects", f"pods {policy.pod_selector} of namespace {key.namespace}")
    yield _line("", f"{len(view.pods)} of {there} pods{_names(view.pods, ': ')}")
    yield _line("Isolates for", ", ".join(types))
    for direction in Direction:
        yield from _direction_lines(compiled, view, direction)


def _direction_lines(
    compiled: Compiled, view: PolicyView, direction: Direction
) -> Iterator[str]:
    label = str(direction)
    rules = compile_rules(view.policy, direction)
    if direction not in view.policy.policy_types:
        ignored = f" ({len(rules)} rules written, all ignored)" if rules else ""
        yield _line(label, f"not touched by this policy{ignored}")
    elif not rules:
        yield _line(label, "nothing is allowed by this policy")
    else:
        yield _line(label, "allowed by this policy, any of:")
        for rule in rules:
            yield from _rule_lines(compiled, rule)


def _rule_lines(compiled: Compiled, rule: CompiledRule) -> Iterator[str]:
    where = f" ({place(rule.position)})" if rule.position.source else ""
    ports = ", ".join(map(_port_sentence, rule.ports or ())) or "every port"
    preposition = PEER_FIELD[rule.direction]
    yield f"  {RULE_FIELD[rule.direction]}[{rule.index}]{where}: {ports}"
    if rule.peers is None:
        yield f"    {preposition} everywhere, in the cluster and outside"
    for peer in rule.peers or ():
        yield f"    {preposition} {_peer_sentence(compiled, peer.target)}"


def _port_sentence(entry: PolicyPort) -> str:
    protocol = entry.protocol.value
    if entry.port is None:
        return f"every {protocol} port"
    if entry.end_port is not None:
        return f"{entry.port}-{entry.end_port}/{protocol}"
    return f"{entry.port}/{protocol}"


def _peer_sentence(compiled: Compiled, target: PeerSelector | IPBlock) -> str:
    if isinstance(target, IPBlock):
        holes = ", ".join(map(str, target.except_))
        return f"addresses {target.cidr}" + (f" except {holes}" if holes else "")
    pods = peer_pods(compiled, target)
    whose = (
        f"namespace {target.namespace}"
        if target.namespace_selector is None
        else f"namespaces {target.namespace_selector}"
    )
    unsure = len(compiled.members[target].possible)
    more = f", perhaps {unsure} more (labels unknown)" if unsure else ""
    count = f"{len(pods)} {'pod' if len(pods) == 1 else 'pods'}"
    return f"pods {target.pod_selector} of {whose}: {count}{more}{_names(pods, ': ')}"


def _names(keys: tuple[ObjectKey, ...] | list[ObjectKey], lead: str) -> str:
    if not keys:
        return ""
    rest = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return lead + ", ".join(map(str, keys[:SHOWN])) + rest


def pod_lines(view: PodView, paths: Matrix) -> Iterator[str]:
    """Yield the description of a pod; ``paths`` is the matrix that has it alone."""
    pod = view.pod
    yield _line("Name", pod.key.name)
    yield _line("Namespace", pod.key.namespace)
    if pod.position.source:
        yield _line("Defined at", place(pod.position))
    yield _line("Labels", ",".join(f"{k}={v}" for k, v in sorted(pod.labels.items())))
    yield _line("Addresses", ", ".join(map(str, pod.addresses)) or "unknown")
    yield _line("Ports", _pod_ports(pod))
    yield _line("Node", pod.node or "unknown")
    if pod.host_network:
        yield _line("Network", "hostNetwork: policies do not select it")
    for direction in Direction:
        policies = ", ".join(map(str, view.policies(direction)))
        by = f"isolated by {policies}" if policies else "not isolated: all is allowed"
        yield _line(str(direction), by)
    mine = next(i for i, e in enumerate(paths.endpoints) if pod.key in e.pods)
    yield from _path_lines("Reached from", paths, column=mine)
    yield from _path_lines("Reaches", paths, row=mine)


def _pod_ports(pod: Pod) -> str:
    if pod.ports is None:
        return "unknown"
    words = [
        f"{port.number}/{port.protocol.value}"
        + (f" ({port.name})" if port.name else "")
        for port in pod.ports
    ]
    return ", ".join(words) or "none declared"


def _path_lines(
    label: str, paths: Matrix, row: int | None = None, column: int | None = None
) -> Iterator[str]:
    rows = []
    for source, destination, cell in paths.cells():
        if source == row or destination == column:
            other = paths.endpoints[destination if source == row else source]
            rows.append(["  " + other.id, cell_words(cell)])
    yield f"{label}:" if rows else _line(label, "nothing")
    yield from table((), rows)
