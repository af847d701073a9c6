"""Templates of pods, and the selectors that take the pods made from them.

Source: kubernetes pkg/apis/core/validation/validation.go,
ValidatePodTemplateSpec, and apimachinery pkg/apis/meta/v1/helpers.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath
from ringfence.manifest.validation.rules.meta import check_template_metadata
from ringfence.manifest.validation.rules.names import label_key, label_value
from ringfence.manifest.validation.rules.pod import check_pod_spec
from ringfence.manifest.validation.rules.probes import NOT_NEGATIVE


def check_template(
    causes: Causes, template: Mapping[str, Any], path: FieldPath, *, strict_cidr: bool
) -> None:
    """Check a template of pods."""
    check_template_metadata(causes, template["metadata"], path)
    spec, at = template["spec"], (*path, "spec")
    check_pod_spec(causes, spec, at, strict_cidr=strict_cidr, in_pod=False)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.forbidden((*at, "ephemeralContainers"), detail)


def go_selector(selector: Mapping[str, Any]) -> dict[str, Any]:
    """Return a selector with its fields in the order that Go writes them."""
    shown: dict[str, Any] = {}
    if selector.get("matchLabels"):
        shown["matchLabels"] = dict(sorted(selector["matchLabels"].items()))
    if selector.get("matchExpressions"):
        order = ("key", "operator", "values")
        shown["matchExpressions"] = [
            {name: each[name] for name in order if name in each}
            for each in selector["matchExpressions"]
        ]
    return shown


def usable_selector(selector: Mapping[str, Any] | None) -> bool:
    """Whether a selector can be turned into requirements on labels."""
    for key, value in (selector or {}).get("matchLabels", {}).items():
        if label_key(key) or label_value(value):
            return False
    for each in (selector or {}).get("matchExpressions", ()):
        values = each.get("values") or ()
        wanted = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
        needs = wanted.get(each.get("operator", ""))
        if needs is None or needs != bool(values) or label_key(each.get("key", "")):
            return False
        if any(map(label_value, values)):
            return False
    return True


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a usable selector takes these labels; none takes nothing."""
    if selector is None:
        return False
    for each in selector.get("matchExpressions", ()):
        key, values = each["key"], each.get("values") or ()
        taken = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[each["operator"]]
        if not taken:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def check_count(
    causes: Causes, spec: Mapping[str, Any], name: str, path: FieldPath
) -> None:
    """Check that a number is not negative."""
    value = spec.get(name) or 0
    if value < 0:
        causes.invalid((*path, name), value, NOT_NEGATIVE)
