"""The rules of each kind: how it is named, defaulted, checked and finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ringfence.manifest.validation.rules.causes import Causes
from ringfence.manifest.validation.rules.jobs import (
    check_cron_job,
    check_job,
    default_cron_job,
    default_job,
)
from ringfence.manifest.validation.rules.names import (
    NameRule,
    dns_label,
    dns_subdomain,
)
from ringfence.manifest.validation.rules.namespace import (
    check_namespace,
    default_namespace,
)
from ringfence.manifest.validation.rules.node import check_node, default_node
from ringfence.manifest.validation.rules.pod import check_pod
from ringfence.manifest.validation.rules.pod_defaults import default_pod
from ringfence.manifest.validation.rules.pod_warnings import (
    pod_warnings,
    template_warnings,
)
from ringfence.manifest.validation.rules.policy import (
    check_policy,
    default_policy,
    policy_warnings,
)
from ringfence.manifest.validation.rules.service import check_service, default_service
from ringfence.manifest.validation.rules.workloads import (
    check_controller,
    check_daemon_set,
    check_deployment,
    check_replica_set,
    check_stateful_set,
    default_controller,
    default_daemon_set,
    default_deployment,
    default_replica_set,
    default_stateful_set,
)

Object: TypeAlias = dict[str, Any]


class Check(Protocol):
    """How a kind is checked; ``strict_cidr`` is the gate StrictIPCIDRValidation."""

    def __call__(
        self, causes: Causes, found: Mapping[str, Any], /, *, strict_cidr: bool
    ) -> None:
        """Add what is wrong to the causes."""


def _silent(_: Mapping[str, Any]) -> Iterable[str]:
    return ()


def _in_template(workload: Mapping[str, Any]) -> Iterable[str]:
    template = workload["spec"].get("template")
    return template_warnings(template, ("spec", "template")) if template else ()


def _in_job_template(workload: Mapping[str, Any]) -> Iterable[str]:
    template = workload["spec"]["jobTemplate"]["spec"]["template"]
    return template_warnings(template, ("spec", "jobTemplate", "spec", "template"))


@dataclass(frozen=True, slots=True)
class KindRules:
    """What the API server does with a kind, in the order that it does it."""

    default: Callable[[Object], None]
    check: Check
    warnings: Callable[[Mapping[str, Any]], Iterable[str]] = _silent
    name_rule: NameRule = dns_subdomain
    namespaced: bool = True
    has_generation: bool = True


_RULES: Mapping[str, KindRules] = {
    "NetworkPolicy": KindRules(
        default=default_policy, check=check_policy, warnings=policy_warnings
    ),
    "Pod": KindRules(default=default_pod, check=check_pod, warnings=pod_warnings),
    "Namespace": KindRules(
        name_rule=dns_label,
        namespaced=False,
        has_generation=False,
        default=default_namespace,
        check=check_namespace,
    ),
    "Node": KindRules(
        namespaced=False, has_generation=False, default=default_node, check=check_node
    ),
    "Service": KindRules(
        name_rule=dns_label,
        has_generation=False,
        default=default_service,
        check=check_service,
    ),
    "Deployment": KindRules(
        default=default_deployment, check=check_deployment, warnings=_in_template
    ),
    "ReplicaSet": KindRules(
        default=default_replica_set, check=check_replica_set, warnings=_in_template
    ),
    "DaemonSet": KindRules(
        default=default_daemon_set, check=check_daemon_set, warnings=_in_template
    ),
    "StatefulSet": KindRules(
        default=default_stateful_set, check=check_stateful_set, warnings=_in_template
    ),
    "ReplicationController": KindRules(
        default=default_controller, check=check_controller, warnings=_in_template
    ),
    "Job": KindRules(default=default_job, check=check_job, warnings=_in_template),
    "CronJob": KindRules(
        default=default_cron_job, check=check_cron_job, warnings=_in_job_template
    ),
}


def rules_of(kind: str) -> KindRules:
    """Return the rules of a kind."""
    return _RULES[kind]
