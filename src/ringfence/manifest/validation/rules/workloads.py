"""Workloads that keep pods running: Deployment, ReplicaSet, DaemonSet, StatefulSet, RC.

Source: kubernetes pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation and,
for ReplicationController, pkg/apis/core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ringfence.manifest.validation.rules.causes import Causes, FieldPath, Word
from ringfence.manifest.validation.rules.meta import (
    check_selector,
    check_template_metadata,
)
from ringfence.manifest.validation.rules.names import dns_label
from ringfence.manifest.validation.rules.pod_defaults import default_pod_spec
from ringfence.manifest.validation.rules.strategies import (
    check_daemon_strategy,
    check_deployment_strategy,
    check_stateful_strategy,
)
from ringfence.manifest.validation.rules.template import (
    check_count,
    check_template,
    go_selector,
    selects,
    usable_selector,
)

Spec: TypeAlias = dict[str, Any]

_PATH: FieldPath = ("spec",)
_ROLLING = "RollingUpdate"
_NO_MATCH = "`selector` does not match template `labels`"
_RETENTION = ("Retain", "Delete")


def default_deployment(workload: Spec) -> None:
    """Fill in a Deployment."""
    spec = workload["spec"]
    _default_template(spec.get("template"))
    spec.setdefault("replicas", 1)
    strategy = spec["strategy"]
    if not strategy.get("type"):
        strategy["type"] = _ROLLING
    if strategy["type"] == _ROLLING:
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    workload["status"] = {}


def default_replica_set(workload: Spec) -> None:
    """Fill in a ReplicaSet."""
    spec = workload["spec"]
    _default_template(spec.get("template"))
    spec.setdefault("replicas", 1)
    workload["status"] = {"replicas": 0}


def default_daemon_set(workload: Spec) -> None:
    """Fill in a DaemonSet."""
    spec = workload["spec"]
    _default_template(spec.get("template"))
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = _ROLLING
    if strategy["type"] == _ROLLING:
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    meta = workload["metadata"]
    generation = {"deprecated.daemonset.template.generation": "1"}
    meta["annotations"] = {**generation, **meta.get("annotations", {})}
    names = (
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberMisscheduled",
        "numberReady",
    )
    workload["status"] = dict.fromkeys(names, 0)


def default_stateful_set(workload: Spec) -> None:
    """Fill in a StatefulSet."""
    spec = workload["spec"]
    _default_template(spec.get("template"))
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = _ROLLING
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == _ROLLING and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates", ()):
        claim["spec"].setdefault("volumeMode", "Filesystem")
        claim["status"] = {"phase": "Pending"}
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("apiVersion", "v1")
    workload["status"] = {"replicas": 0, "availableReplicas": 0}


def default_controller(workload: Spec) -> None:
    """Fill in a ReplicationController: its labels and selector from its template."""
    spec = workload["spec"]
    template = spec.get("template")
    labels = (template or {}).get("metadata", {}).get("labels")
    if labels is not None:
        if not spec.get("selector"):
            spec["selector"] = labels
        if not workload["metadata"].get("labels"):
            workload["metadata"]["labels"] = labels
    spec.setdefault("replicas", 1)
    _default_template(template)
    workload["status"] = {"replicas": 0}


def _default_template(template: Spec | None) -> None:
    if template is not None:
        default_pod_spec(template["spec"])


def check_deployment(
    causes: Causes, workload: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a Deployment's spec."""
    spec = workload["spec"]
    check_count(causes, spec, "replicas", _PATH)
    good = _check_own_selector(causes, spec, "deployment")
    if good:
        _check_template(causes, spec, "ReplicaSet", strict_cidr=strict_cidr)
    else:
        _shown_selector(causes, spec, "invalid label selector")
    check_deployment_strategy(causes, spec["strategy"], (*_PATH, "strategy"))
    check_count(causes, spec, "minReadySeconds", _PATH)
    check_count(causes, spec, "revisionHistoryLimit", _PATH)
    check_count(causes, spec, "progressDeadlineSeconds", _PATH)
    deadline = spec.get("progressDeadlineSeconds", 600)
    if deadline <= spec.get("minReadySeconds", 0):
        at = (*_PATH, "progressDeadlineSeconds")
        causes.invalid(at, deadline, "must be greater than minReadySeconds")


def check_replica_set(
    causes: Causes, workload: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a ReplicaSet's spec."""
    spec = workload["spec"]
    check_count(causes, spec, "replicas", _PATH)
    check_count(causes, spec, "minReadySeconds", _PATH)
    if _check_own_selector(causes, spec, "deployment"):
        _check_template(causes, spec, "ReplicaSet", strict_cidr=strict_cidr)
    else:
        _shown_selector(causes, spec, "invalid label selector")


def check_daemon_set(
    causes: Causes, workload: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a DaemonSet's spec."""
    spec = workload["spec"]
    selector, template = spec.get("selector"), spec["template"]
    check_selector(causes, selector, (*_PATH, "selector"))
    labels = template["metadata"].get("labels", {})
    at = (*_PATH, "template")
    if usable_selector(selector) and not selects(selector, labels):
        causes.invalid((*at, "metadata", "labels"), labels or None, _NO_MATCH)
    if selector is not None and not any(selector.values()):
        detail = "empty selector is invalid for daemonset"
        causes.invalid((*_PATH, "selector"), go_selector(selector), detail)
    check_template(causes, template, at, strict_cidr=strict_cidr)
    _check_always(causes, template, at, "DaemonSet")
    check_count(causes, spec, "minReadySeconds", _PATH)
    check_daemon_strategy(causes, spec["updateStrategy"], (*_PATH, "updateStrategy"))
    check_count(causes, spec, "revisionHistoryLimit", _PATH)


def check_stateful_set(
    causes: Causes, workload: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a StatefulSet's spec."""
    spec = workload["spec"]
    policy = spec.get("podManagementPolicy")
    if policy not in {"OrderedReady", "Parallel"}:
        at = (*_PATH, "podManagementPolicy")
        causes.invalid(at, Word(policy), "must be 'OrderedReady' or 'Parallel'")
    check_stateful_strategy(causes, spec["updateStrategy"], (*_PATH, "updateStrategy"))
    for name in ("whenDeleted", "whenScaled"):
        word = spec["persistentVolumeClaimRetentionPolicy"][name]
        if word not in _RETENTION:
            at = (*_PATH, "persistentVolumeClaimRetentionPolicy", name)
            causes.not_supported(at, word, _RETENTION)
    check_count(causes, spec, "replicas", _PATH)
    check_count(causes, spec, "minReadySeconds", _PATH)
    service = spec.get("serviceName")
    if service:
        causes.invalid_each((*_PATH, "serviceName"), service, dns_label(service))
    if _check_own_selector(causes, spec, "statefulset"):
        _check_template(causes, _with_claims(spec), "", strict_cidr=strict_cidr)
        meta = spec["template"]["metadata"]
        check_template_metadata(causes, meta, (*_PATH, "template"))
    else:
        _shown_selector(causes, spec, "")
    _check_always(causes, spec["template"], (*_PATH, "template"), "StatefulSet")


def _with_claims(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec with a volume for each claim template, which pods will have."""
    claims = [
        c["metadata"].get("name", "") for c in spec.get("volumeClaimTemplates", ())
    ]
    pods = dict(spec["template"]["spec"])
    for name in ("subdomain", "hostname"):
        pods.pop(name, None)
    volumes = [v for v in pods.get("volumes", ()) if v.get("name") not in claims]
    made = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims
    ]
    if claims:
        pods["volumes"] = [*made, *volumes]
    return {**spec, "template": {**spec["template"], "spec": pods}}


def check_controller(
    causes: Causes, workload: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a ReplicationController's spec."""
    spec = workload["spec"]
    check_count(causes, spec, "minReadySeconds", _PATH)
    selector = spec.get("selector", {})
    if not selector:
        causes.required((*_PATH, "selector"))
    check_count(causes, spec, "replicas", _PATH)
    template, at = spec.get("template"), (*_PATH, "template")
    if template is None:
        causes.required(at)
        return
    labels = template["metadata"].get("labels", {})
    if not selector.items() <= labels.items():
        causes.invalid((*at, "metadata", "labels"), labels or None, _NO_MATCH)
    check_template(causes, template, at, strict_cidr=strict_cidr)
    _check_always(causes, template, at, "ReplicationController")


def _check_template(
    causes: Causes, spec: Mapping[str, Any], owner: str, *, strict_cidr: bool
) -> None:
    """Check that the selector takes the template's pods, then the template."""
    selector, template = spec.get("selector"), spec["template"]
    labels, at = template["metadata"].get("labels", {}), (*_PATH, "template")
    everything = selector is not None and not any(selector.values())
    if not everything and not selects(selector, labels):
        causes.invalid((*at, "metadata", "labels"), labels or None, _NO_MATCH)
    check_template(causes, template, at, strict_cidr=strict_cidr)
    if owner:
        _check_always(causes, template, at, owner)


def _check_always(
    causes: Causes, template: Mapping[str, Any], path: FieldPath, owner: str
) -> None:
    pods = template["spec"]
    policy = pods.get("restartPolicy", "")
    if policy != "Always":
        causes.not_supported((*path, "spec", "restartPolicy"), policy, ("Always",))
    if pods.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {owner} is not Supported"
        causes.forbidden((*path, "spec", "activeDeadlineSeconds"), detail)


def _check_own_selector(causes: Causes, spec: Mapping[str, Any], owner: str) -> bool:
    """Check the selector; return whether it can be used."""
    selector, at = spec.get("selector"), (*_PATH, "selector")
    if selector is None:
        causes.required(at)
        return True
    check_selector(causes, selector, at)
    if not any(selector.values()):
        detail = f"empty selector is invalid for {owner}"
        causes.invalid(at, go_selector(selector), detail)
    return usable_selector(selector)


def _shown_selector(causes: Causes, spec: Mapping[str, Any], detail: str) -> None:
    causes.invalid((*_PATH, "selector"), go_selector(spec["selector"]), detail)
