"""NetworkPolicies as a cluster stores them: what is not understood allows nothing.

A server older, newer or more lenient than the rules that are known here may hold a
policy that they refuse. It isolates all the same, and each of its peers, ports and
rules stands or falls alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from ringfence.errors import Problem, RingfenceBug
from ringfence.manifest.decoding.fields import Field, field_text
from ringfence.manifest.decoding.policy import decode_policy
from ringfence.manifest.reader import Document, Item, Path
from ringfence.manifest.validation.rules.causes import Causes
from ringfence.manifest.validation.rules.policy import check_policy, default_policy
from ringfence.manifest.validation.schema import decode, root
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey, Position
from ringfence.model.netpol import NetworkPolicy, Rule

API_VERSION: Final = "networking.k8s.io/v1"
_KIND: Final = "NetworkPolicy"
_MOST_READINGS = 8
_LISTS = {"ingress": "from", "egress": "to"}
_ONE_OWN = (("spec", "ingress"), ("spec", "egress"), ("spec", "policyTypes"))
_TYPES = [direction.value for direction in Direction]
_FIELD, _RULE, _ENTRY = 2, 3, 5


@dataclass(frozen=True, slots=True, eq=False)
class StoredDocument(Document):
    """An object that a cluster holds: there is a name to tell, but no line."""

    def position(self, path: Path = ()) -> Position:  # noqa: ARG002 - as of a text
        """Return the object itself, whatever the path."""
        return Position(self.source)

    def key_position(self, path: Path) -> Position:
        """Return the object itself, whatever the path."""
        return self.position(path)


Finding: TypeAlias = tuple[Path, str]
"""Where in the policy something is not understood, and what is wrong with it."""


@dataclass(slots=True)
class _Reading:
    """What of a policy is not understood so far: the part's path to what was found.

    A part is a peer or port (``spec.ingress[0].from[1]``), a rule, a field of the
    spec (known or not) or the whole ``spec``.
    """

    parts: dict[Path, Finding] = field(default_factory=dict)

    def note(self, findings: Iterable[Finding]) -> bool:
        """Note the parts that these findings are in; True if one is new."""
        before = len(self.parts)
        for path, message in findings:
            self.parts.setdefault(_part(path), (path, message))
        return len(self.parts) > before


def decode_stored_policy(
    value: Mapping[str, Any], key: ObjectKey, source: str
) -> tuple[NetworkPolicy, tuple[Problem, ...]]:
    """Return the policy that an object means, and what of it is not understood.

    ``value`` is its JSON, ``source`` names it in problems. A part that is not
    understood allows nothing, the rest stands. Where that is ``podSelector``, every
    pod of the namespace is isolated and none allowed anything; where it is
    ``policyTypes``, both directions are. CIDRs mean what the servers that accepted
    them take them for (parse_block).
    """
    spec = value.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    reading = _Reading()
    if spec is not value.get("spec") and value.get("spec") is not None:
        reading.note([(("spec",), "must be an object")])
    meta = {"name": key.name, "namespace": key.namespace, "labels": _labels(value)}
    for _ in range(_MOST_READINGS):
        understood = {"metadata": meta, "spec": _blanked(spec, reading)}
        policy, findings = _read(understood, key, source)
        if not reading.note(findings):
            break
    else:
        reading.note([(("spec",), "too much of it is not understood")])
        policy, _ = _read({"metadata": meta, "spec": {}}, key, source)
    problems = tuple(_problems(reading, source))
    return _without(policy, reading), problems


def _labels(value: Mapping[str, Any]) -> dict[str, str]:
    """Return the policy's own labels, which no verdict depends on."""
    meta = value.get("metadata")
    labels = meta.get("labels") if isinstance(meta, dict) else None
    labels = labels if isinstance(labels, dict) else {}
    return {key: text for key, text in labels.items() if isinstance(text, str)}


def _read(
    policy: dict[str, Any], key: ObjectKey, source: str
) -> tuple[NetworkPolicy, list[Finding]]:
    """Read a policy as validation does; what it finds leaves the value unusable."""
    struct = root(API_VERSION, _KIND)
    if struct is None:
        raise RingfenceBug(f"there is no schema of {_KIND}")
    decoded = decode(struct, policy)
    findings: list[Finding] = [(odd.path, "unknown field") for odd in decoded.unknown]
    causes = Causes()
    if decoded.fault:
        findings.append((decoded.fault_path, decoded.fault))
    else:
        default_policy(decoded.value)
        check_policy(causes, decoded.value, strict_cidr=False)
    findings += [(cause.path, cause.message) for cause in causes.found]
    if findings:
        return NetworkPolicy(key, EVERYTHING, frozenset()), findings
    document = StoredDocument(source, 0, decoded.value, b"")
    item = Item(document, (), decoded.value, API_VERSION, _KIND)
    problems: list[Problem] = []
    found = decode_policy(Field(item, problems, decoded.value), key)
    if problems:
        raise RingfenceBug(f"{source} was judged valid: {problems[0]}")
    return found, []


def _part(path: Path) -> Path:
    """Return the part of a policy that a path leads into."""
    match path:
        case ("spec", str(way), int(), str(inside), int(), *_) if inside in (
            "ports",
            _LISTS.get(way),
        ):
            return path[:_ENTRY]
        case ("spec", str(way), int(), *_) if way in _LISTS:
            return path[:_RULE]
        case ("spec", _, *_):
            return path[:_FIELD]
        case _:
            return ("spec",)


def _blanked(spec: Mapping[str, Any], reading: _Reading) -> dict[str, Any]:
    """Return the spec with what is understood, everything at its place.

    What is blanked here is left out of the policy by ``_without``.
    """
    if ("spec",) in reading.parts:
        spec = {}
    types = spec.get("policyTypes")
    if ("spec", "policyTypes") in reading.parts:
        types = _TYPES
    elif not types and spec.get("egress"):
        # The server's default goes by the rules that are written.
        types = _TYPES
    known = {
        name: part for name, part in spec.items() if ("spec", name) not in reading.parts
    }
    blanked: dict[str, Any] = {**known, "policyTypes": types}
    for way, peers in _LISTS.items():
        rules = blanked.get(way)
        if isinstance(rules, list):
            blanked[way] = [
                _blanked_rule(rule, ("spec", way, index), peers, reading)
                for index, rule in enumerate(rules)
            ]
    return blanked


def _blanked_rule(rule: object, path: Path, peers: str, reading: _Reading) -> object:
    if path in reading.parts:
        return {}
    if not isinstance(rule, dict):
        return rule
    blanks: dict[str, dict[str, Any]] = {peers: {"podSelector": {}}, "ports": {}}
    blanked = dict(rule)
    for name, blank in blanks.items():
        entries = rule.get(name)
        if isinstance(entries, list):
            blanked[name] = [
                blank if (*path, name, index) in reading.parts else entry
                for index, entry in enumerate(entries)
            ]
    return blanked


def _without(policy: NetworkPolicy, reading: _Reading) -> NetworkPolicy:
    """Take the parts that are not understood out of the policy."""
    if not reading.parts:
        return policy
    if ("spec",) in reading.parts:
        return NetworkPolicy(policy.key, EVERYTHING, frozenset(Direction))
    if any(len(part) == _FIELD and part not in _ONE_OWN for part in reading.parts):
        # A podSelector that is not understood was blanked: it selects every pod. A
        # field that is not known may narrow any of the rules.
        return replace(policy, ingress=(), egress=())
    return replace(
        policy,
        ingress=_rules_without(policy.ingress, "ingress", reading),
        egress=_rules_without(policy.egress, "egress", reading),
    )


def _rules_without(
    rules: tuple[Rule, ...], way: str, reading: _Reading
) -> tuple[Rule, ...]:
    kept = (
        _rule_without(rule, ("spec", way, index), reading)
        for index, rule in enumerate(rules)
        if ("spec", way, index) not in reading.parts
    )
    return tuple(rule for rule in kept if rule is not None)


def _rule_without(rule: Rule, path: Path, reading: _Reading) -> Rule | None:
    """Return the rule of what is left, None where nothing is: empty would be all."""
    peers, ports = rule.peers, rule.ports
    if peers is not None:
        inside = (*path, _LISTS[str(path[1])])
        peers = tuple(
            p for n, p in enumerate(peers) if (*inside, n) not in reading.parts
        )
    if ports is not None:
        inside = (*path, "ports")
        ports = tuple(
            p for n, p in enumerate(ports) if (*inside, n) not in reading.parts
        )
    if peers == () or ports == ():
        return None
    return replace(rule, peers=peers, ports=ports)


def _problems(reading: _Reading, source: str) -> Iterator[Problem]:
    for part, (path, message) in reading.parts.items():
        yield Problem(source, message, field_text(path), _consequence(part))


def _consequence(part: Path) -> str:
    match part:
        case ("spec", _, _, inside, _):
            return f"this {'port' if inside == 'ports' else 'peer'} allows nothing"
        case ("spec", _, _):
            return "this rule allows nothing"
        case _:
            return _CONSEQUENCES.get(part, "no rule of the policy allows anything")


_EVERYTHING = "it isolates every pod of the namespace and allows them nothing"
_CONSEQUENCES: Mapping[Path, str] = {
    ("spec",): _EVERYTHING,
    ("spec", "podSelector"): _EVERYTHING,
    ("spec", "policyTypes"): "the policy isolates in both directions",
    ("spec", "ingress"): "none of these rules allows anything",
    ("spec", "egress"): "none of these rules allows anything",
}
