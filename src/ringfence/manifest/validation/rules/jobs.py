"""Jobs and CronJobs.

Source: kubernetes pkg/apis/batch/v1/defaults.go and pkg/apis/batch/validation.
Labels and selector that the server makes from an object's uid are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.pod_defaults import default_pod_spec
from ringfence.manifest.validation.rules.template import check_count, check_template

Spec: TypeAlias = dict[str, Any]

_LAST_INT32 = 2**31 - 1
_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_MODES = ("NonIndexed", "Indexed")
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_MOST_CRON_NAME = 52
_CRON_FIELDS = 5


def default_job(job: Spec) -> None:
    """Fill in a Job."""
    spec = job["spec"]
    labels = spec["template"]["metadata"].get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)
    _default_spec(spec)
    if not spec["manualSelector"]:
        _name_pods(job)
    job["status"] = {}


def _name_pods(job: Spec) -> None:
    """Label the pods with the Job's name, as far as it does not take its uid."""
    meta, template = job["metadata"], job["spec"]["template"]["metadata"]
    named = dict.fromkeys(_NAME_LABELS, meta.get("name", ""))
    shared = template.get("labels") is not None and (
        meta.get("labels") == template["labels"]
    )
    template["labels"] = {**named, **template.get("labels", {})}
    if shared:
        meta["labels"] = dict(template["labels"])


def default_cron_job(job: Spec) -> None:
    """Fill in a CronJob, and the template of the Jobs that it makes."""
    spec = job["spec"]
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    default_pod_spec(spec["jobTemplate"]["spec"]["template"]["spec"])
    job["status"] = {}


def _default_spec(spec: Spec) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = "backoffLimitPerIndex" in spec
    spec.setdefault("backoffLimit", _LAST_INT32 if per_index else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    failed = "podFailurePolicy" in spec
    spec.setdefault(
        "podReplacementPolicy", "Failed" if failed else "TerminatingOrFailed"
    )
    spec.setdefault("manualSelector", False)
    default_pod_spec(spec["template"]["spec"])


def check_job(causes: Causes, job: Mapping[str, Any], *, strict_cidr: bool) -> None:
    """Check a Job's spec."""
    spec = job["spec"]
    _check_spec(causes, spec, ("spec",), strict_cidr=strict_cidr)
    if spec.get("manualSelector") and spec.get("selector") is None:
        causes.required(("spec", "selector"))
        labels = spec["template"]["metadata"].get("labels")
        detail = "`selector` does not match template `labels`"
        causes.invalid(("spec", "template", "metadata", "labels"), labels, detail)


def _check_spec(
    causes: Causes, spec: Mapping[str, Any], path: FieldPath, *, strict_cidr: bool
) -> None:
    for name in _COUNTS:
        check_count(causes, spec, name, path)
    mode = spec.get("completionMode", "NonIndexed")
    if mode not in _MODES:
        causes.not_supported((*path, "completionMode"), mode, _MODES)
    if mode == "Indexed" and spec.get("completions") is None:
        causes.required((*path, "completions"), "when completion mode is Indexed")
    if mode == "NonIndexed":
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                detail = "requires indexed completion mode"
                causes.invalid((*path, name), spec[name], detail)
    check_template(
        causes, spec["template"], (*path, "template"), strict_cidr=strict_cidr
    )
    policy = spec["template"]["spec"].get("restartPolicy", "")
    at = (*path, "template", "spec", "restartPolicy")
    if policy in {"", "Always"}:
        causes.required(at, 'valid values: "OnFailure", "Never"')
    elif policy not in {"OnFailure", "Never"}:
        causes.not_supported(at, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        causes.invalid(at, policy, detail)


def check_cron_job(
    causes: Causes, job: Mapping[str, Any], *, strict_cidr: bool
) -> None:
    """Check a CronJob's spec."""
    spec, path = job["spec"], ("spec",)
    schedule = spec.get("schedule", "")
    at = (*path, "schedule")
    if not schedule:
        causes.required(at)
    elif not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
        fields = schedule.split()
        shown = f"[{' '.join(fields)}]"
        detail = f"expected exactly 5 fields, found {len(fields)}: {shown}"
        causes.invalid(at, schedule, detail)
    check_count(causes, spec, "startingDeadlineSeconds", path)
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy not in _CONCURRENCY:
        causes.not_supported((*path, "concurrencyPolicy"), policy, _CONCURRENCY)
    inner = (*path, "jobTemplate", "spec")
    _check_spec(causes, spec["jobTemplate"]["spec"], inner, strict_cidr=strict_cidr)
    check_count(causes, spec, "successfulJobsHistoryLimit", path)
    check_count(causes, spec, "failedJobsHistoryLimit", path)
    name = job["metadata"].get("name", "")
    if len(name) > _MOST_CRON_NAME:
        causes.invalid(("metadata", "name"), name, "must be no more than 52 characters")
