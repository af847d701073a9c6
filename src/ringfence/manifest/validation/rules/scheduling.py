"""Where a pod may run: node selectors, affinity, tolerations, spreading.

Source: kubernetes pkg/apis/core/validation/validation.go, validateAffinity,
ValidateTolerations and validateTopologySpreadConstraints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.meta import check_selector
from ringfence.manifest.validation.rules.names import (
    dns_label,
    dns_subdomain,
    label_key,
    label_value,
)

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("Equal", "Exists")
_COMPARISONS = ("Equal", "Exists", "Lt", "Gt")
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS = ("Honor", "Ignore")
_MOST_WEIGHT = 100
_VALUES = "must be specified when `operator` is 'In' or 'NotIn'"
_NO_VALUES = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
_ONE_VALUE = "must be specified single value when `operator` is 'Lt' or 'Gt'"
_ONE_FIELD = (
    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
)
_BAD_OPERATOR = "not a valid selector operator"


def check_tolerations(
    causes: Causes, tolerations: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    """Check a pod's tolerations."""
    for index, toleration in enumerate(tolerations):
        at = (*path, index)
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        effect = toleration.get("effect", "")
        if key:
            causes.invalid_each((*at, "key"), key, label_key(key))
        elif operator != "Exists":
            detail = (
                "operator must be Exists when `key` is empty, which means "
                '"match all values and all keys"'
            )
            causes.invalid((*at, "operator"), operator, detail)
        if "tolerationSeconds" in toleration and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.invalid((*at, "effect"), effect, detail)
        _check_toleration_value(causes, operator, toleration.get("value", ""), at)
        if effect and effect not in _EFFECTS:
            causes.not_supported((*at, "effect"), effect, _EFFECTS)


def _check_toleration_value(
    causes: Causes, operator: str, value: str, path: FieldPath
) -> None:
    at = (*path, "operator")
    match operator:
        case "" | "Equal":
            messages = label_value(value)
            if messages:
                causes.invalid(at, value, ";".join(messages))
        case "Exists":
            if value:
                detail = "value must be empty when `operator` is 'Exists'"
                causes.invalid(at, value, detail)
        case "Lt" | "Gt":
            causes.not_supported(at, operator, _COMPARISONS)
        case _:
            causes.not_supported(at, operator, _OPERATORS)


def check_affinity(causes: Causes, spec: Mapping[str, Any], path: FieldPath) -> None:
    """Check a pod's affinity to nodes, to pods and against pods."""
    affinity = spec.get("affinity", {})
    node = affinity.get("nodeAffinity")
    if node is not None:
        _check_node_affinity(causes, node, (*path, "nodeAffinity"))
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind, {})
        for index, term in enumerate(terms.get(_REQUIRED, ())):
            _check_pod_term(causes, term, (*path, kind, _REQUIRED, index))
        for index, weighted in enumerate(terms.get(_PREFERRED, ())):
            at = (*path, kind, _PREFERRED, index)
            _check_weight(causes, weighted, at)
            term = weighted.get("podAffinityTerm", {})
            _check_pod_term(causes, term, (*at, "podAffinityTerm"))


def _check_weight(causes: Causes, term: Mapping[str, Any], path: FieldPath) -> None:
    weight = term.get("weight", 0)
    if not 0 < weight <= _MOST_WEIGHT:
        causes.invalid((*path, "weight"), weight, "must be in the range 1-100")


def _check_node_affinity(
    causes: Causes, node: Mapping[str, Any], path: FieldPath
) -> None:
    required = node.get(_REQUIRED)
    if required is not None:
        at = (*path, _REQUIRED, "nodeSelectorTerms")
        terms = required.get("nodeSelectorTerms") or ()
        if not terms:
            causes.required(at, "must have at least one node selector term")
        for index, term in enumerate(terms):
            _check_node_term(causes, term, (*at, index), with_values=True)
    for index, weighted in enumerate(node.get(_PREFERRED, ())):
        at = (*path, _PREFERRED, index)
        _check_weight(causes, weighted, at)
        term = weighted.get("preference", {})
        _check_node_term(causes, term, (*at, "preference"), with_values=False)


def _check_node_term(
    causes: Causes, term: Mapping[str, Any], path: FieldPath, *, with_values: bool
) -> None:
    for index, rule in enumerate(term.get("matchExpressions", ())):
        at = (*path, "matchExpressions", index)
        _check_node_operator(causes, rule, at)
        key = rule.get("key", "")
        causes.invalid_each((*at, "key"), key, label_key(key))
        for number, value in enumerate(rule.get("values", ()) if with_values else ()):
            causes.invalid_each((*at, "values", number), value, label_value(value))
    for index, rule in enumerate(term.get("matchFields", ())):
        _check_node_field(causes, rule, (*path, "matchFields", index))


def _check_node_operator(
    causes: Causes, rule: Mapping[str, Any], path: FieldPath
) -> None:
    values, at = rule.get("values", ()), (*path, "values")
    match rule.get("operator", ""):
        case "In" | "NotIn":
            if not values:
                causes.required(at, _VALUES)
        case "Exists" | "DoesNotExist":
            if values:
                causes.forbidden(at, _NO_VALUES)
        case "Gt" | "Lt":
            if len(values) != 1:
                causes.required(at, _ONE_VALUE)
        case other:
            causes.invalid((*path, "operator"), other, _BAD_OPERATOR)


def _check_node_field(causes: Causes, rule: Mapping[str, Any], path: FieldPath) -> None:
    values, operator = rule.get("values", ()), rule.get("operator", "")
    if operator not in {"In", "NotIn"}:
        causes.invalid((*path, "operator"), operator, _BAD_OPERATOR)
    elif len(values) != 1:
        causes.required((*path, "values"), _ONE_FIELD)
    key = rule.get("key", "")
    if key != "metadata.name":
        causes.invalid((*path, "key"), key, "not a valid field selector key")
        return
    for index, value in enumerate(values):
        causes.invalid_each((*path, "values", index), value, dns_subdomain(value))


def _check_pod_term(causes: Causes, term: Mapping[str, Any], path: FieldPath) -> None:
    check_selector(causes, term.get("labelSelector"), (*path, "labelSelector"))
    selector = term.get("namespaceSelector")
    check_selector(causes, selector, (*path, "namespaceSelector"))
    for name in term.get("namespaces", ()):
        causes.invalid_each((*path, "namespace"), name, dns_label(name))
    _check_label_keys(causes, term, path)
    key = term.get("topologyKey", "")
    if not key:
        causes.required((*path, "topologyKey"), "can not be empty")
    causes.invalid_each((*path, "topologyKey"), key, label_key(key))


def _check_label_keys(causes: Causes, term: Mapping[str, Any], path: FieldPath) -> None:
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(name, ())
        if keys and term.get("labelSelector") is None:
            detail = "must not be specified when labelSelector is not set"
            causes.forbidden((*path, name), detail)
            continue
        for index, key in enumerate(keys):
            causes.invalid_each((*path, name, index), key, label_key(key))


def check_spreading(
    causes: Causes, constraints: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    """Check a pod's topology spread constraints."""
    for index, constraint in enumerate(constraints):
        at = (*path, index)
        skew = constraint.get("maxSkew", 0)
        if skew <= 0:
            causes.invalid((*at, "maxSkew"), skew, "must be greater than zero")
        key = constraint.get("topologyKey", "")
        if not key:
            causes.required((*at, "topologyKey"), "can not be empty")
        action = constraint.get("whenUnsatisfiable", "")
        if action not in _ACTIONS:
            causes.not_supported((*at, "whenUnsatisfiable"), action, _ACTIONS)
        pairs = {
            (other.get("topologyKey", ""), other.get("whenUnsatisfiable", ""))
            for other in constraints[index + 1 :]
        }
        if (key, action) in pairs:
            told = f"{{{key}, {action}}}"
            causes.duplicate((*at, "{topologyKey, whenUnsatisfiable}"), told)
        _check_domains(causes, constraint, action, at)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(name, "Honor")
            if policy not in _INCLUSIONS:
                causes.not_supported((*at, name), policy, _INCLUSIONS)
        _check_label_keys(causes, constraint, at)
        check_selector(causes, constraint.get("labelSelector"), (*at, "labelSelector"))


def _check_domains(
    causes: Causes, constraint: Mapping[str, Any], action: str, path: FieldPath
) -> None:
    least = constraint.get("minDomains")
    if least is None:
        return
    at = (*path, "minDomains")
    if least <= 0:
        causes.invalid(at, least, "must be greater than zero")
    if action != "DoNotSchedule":
        detail = (
            f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        )
        causes.invalid(at, least, detail)


def check_taints(
    causes: Causes, taints: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    """Check a node's taints."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = (*path, index)
        key, value = taint.get("key", ""), taint.get("value", "")
        effect = taint.get("effect", "")
        causes.invalid_each((*at, "key"), key, label_key(key))
        messages = label_value(value)
        if messages:
            causes.invalid((*at, "value"), value, ";".join(messages))
        if not effect:
            causes.required((*at, "effect"))
        elif effect not in _EFFECTS:
            causes.not_supported((*at, "effect"), effect, _EFFECTS)
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": None}
            detail = "taints must be unique by key and effect pair"
            causes.duplicate(at, shown, detail)
        seen.add((key, effect))
