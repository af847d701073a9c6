"""The rules of each kind: how it is named, defaulted, checked and finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ringfence.manifest.rules.causes import Causes
from ringfence.manifest.rules.names import NameRule, dns_label, dns_subdomain
from ringfence.manifest.rules.namespace import check_namespace, default_namespace
from ringfence.manifest.rules.pod import check_pod
from ringfence.manifest.rules.pod_defaults import default_pod
from ringfence.manifest.rules.pod_warnings import pod_warnings
from ringfence.manifest.rules.policy import (
    check_policy,
    default_policy,
    policy_warnings,
)

Object: TypeAlias = dict[str, Any]


def _nothing(_: Object) -> None:
    """Change nothing."""


def _silent(_: Mapping[str, Any]) -> Iterable[str]:
    return ()


def _anything(_: Causes, __: Mapping[str, Any], ___: bool) -> None:  # noqa: FBT001 - the signature of all
    """Find nothing wrong."""


@dataclass(frozen=True, slots=True)
class KindRules:
    """What the API server does with a kind, in the order of the fields.

    ``check`` takes the gate StrictIPCIDRValidation; ``finish`` writes what
    comes after validation.
    """

    name_rule: NameRule = dns_subdomain
    namespaced: bool = True
    has_generation: bool = True
    default: Callable[[Object], None] = _nothing
    check: Callable[[Causes, Mapping[str, Any], bool], None] = _anything
    warnings: Callable[[Mapping[str, Any]], Iterable[str]] = _silent
    finish: Callable[[Object], None] = _nothing


def _policy(causes: Causes, policy: Mapping[str, Any], strict: bool) -> None:  # noqa: FBT001 - the signature of all
    check_policy(causes, policy, strict_cidr=strict)


def _namespace(causes: Causes, namespace: Mapping[str, Any], _: bool) -> None:  # noqa: FBT001 - the signature of all
    check_namespace(causes, namespace)


def _pod(causes: Causes, pod: Mapping[str, Any], strict: bool) -> None:  # noqa: FBT001 - the signature of all
    check_pod(causes, pod, strict_cidr=strict)


_RULES: Mapping[str, KindRules] = {
    "NetworkPolicy": KindRules(
        default=default_policy, check=_policy, warnings=policy_warnings
    ),
    "Pod": KindRules(default=default_pod, check=_pod, warnings=pod_warnings),
    "Namespace": KindRules(
        name_rule=dns_label,
        namespaced=False,
        has_generation=False,
        default=default_namespace,
        check=_namespace,
    ),
}


def rules_of(kind: str) -> KindRules:
    """Return the rules of a kind; kinds without their own have the common ones."""
    return _RULES.get(kind, KindRules())
