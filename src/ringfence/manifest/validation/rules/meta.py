"""Object metadata and label selectors.

Source: apimachinery pkg/api/validation/objectmeta.go and
pkg/apis/meta/v1/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringfence.manifest.validation.rules.causes import Causes, FieldPath, Word
from ringfence.manifest.validation.rules.names import (
    NameRule,
    as_prefix,
    dns_label,
    label_key,
    label_value,
)

MOST_ANNOTATION_BYTES = 256 * 1024
_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_WITH_VALUES = frozenset({"In", "NotIn"})
_WITHOUT_VALUES = frozenset({"Exists", "DoesNotExist"})
_SELECTOR_VALUES = "must be specified when `operator` is 'In' or 'NotIn'"
_NO_SELECTOR_VALUES = (
    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
)


def check_metadata(
    causes: Causes, meta: Mapping[str, Any], rule: NameRule, *, namespaced: bool
) -> None:
    """Check an object's metadata, its namespace filled in already."""
    path: FieldPath = ("metadata",)
    stem, name = meta.get("generateName", ""), meta.get("name", "")
    if stem:
        causes.invalid_each((*path, "generateName"), stem, rule(as_prefix(stem)))
    if not name:
        causes.required((*path, "name"), "name or generateName is required")
    else:
        causes.invalid_each((*path, "name"), name, rule(name))
    if namespaced:
        namespace = meta.get("namespace", "")
        causes.invalid_each((*path, "namespace"), namespace, dns_label(namespace))
    check_labels(causes, meta.get("labels", {}), (*path, "labels"))
    check_annotations(causes, meta.get("annotations", {}), (*path, "annotations"))
    _check_owners(causes, meta.get("ownerReferences", ()), (*path, "ownerReferences"))
    _check_finalizers(causes, meta.get("finalizers", ()), (*path, "finalizers"))


def check_template_metadata(
    causes: Causes, meta: Mapping[str, Any], path: FieldPath
) -> None:
    """Check the metadata of a pod template, of which no more is looked at."""
    check_labels(causes, meta.get("labels", {}), (*path, "labels"))
    check_annotations(causes, meta.get("annotations", {}), (*path, "annotations"))


def check_labels(causes: Causes, labels: Mapping[str, str], path: FieldPath) -> None:
    """Check keys and values; every cause stands at the map itself."""
    for key in sorted(labels):
        causes.invalid_each(path, key, label_key(key))
        causes.invalid_each(path, labels[key], label_value(labels[key]))


def check_annotations(
    causes: Causes, annotations: Mapping[str, str], path: FieldPath
) -> None:
    """Check keys, in which case does not matter, and the size of all."""
    for key in sorted(annotations):
        causes.invalid_each(path, key, label_key(key.lower()))
    size = sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items())
    if size > MOST_ANNOTATION_BYTES:
        causes.too_long(path, MOST_ANNOTATION_BYTES)


def _check_owners(
    causes: Causes, owners: Sequence[Mapping[str, Any]], path: FieldPath
) -> None:
    controller = ""
    for owner in owners:
        _check_owner(causes, owner, path)
        if not owner.get("controller"):
            continue
        name = f"{owner.get('kind', '')}/{owner.get('name', '')}"
        if controller:
            shown = [
                {key: each[key] for key in _OWNER if key in each} for each in owners
            ]
            detail = (
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controller} and {name}'
            )
            causes.invalid(path, shown, detail)
        else:
            controller = name


_OWNER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


def _check_owner(causes: Causes, owner: Mapping[str, Any], path: FieldPath) -> None:
    api_version = owner.get("apiVersion", "")
    group, _, version = api_version.rpartition("/")
    if not version or "/" in group:
        detail = "version must not be empty"
        causes.invalid((*path, "apiVersion"), api_version, detail)
    for key in ("kind", "name", "uid"):
        if not owner.get(key):
            causes.invalid((*path, key), "", "must not be empty")
    if (api_version, owner.get("kind")) == ("v1", "Event"):
        shown = {key: owner[key] for key in _OWNER if key in owner}
        detail = "/v1, Kind=Event is disallowed from being an owner"
        causes.invalid(path, shown, detail)


_STANDARD_FINALIZERS = frozenset({"kubernetes", _ORPHAN, _FOREGROUND})


def check_standard_finalizer(causes: Causes, name: str, path: FieldPath) -> None:
    """Check that a finalizer without a domain is one of Kubernetes' own."""
    if "/" not in name and name not in _STANDARD_FINALIZERS:
        detail = "name is neither a standard finalizer name nor is it fully qualified"
        causes.invalid(path, name, detail)


def _check_finalizers(
    causes: Causes, finalizers: Sequence[str], path: FieldPath
) -> None:
    for name in finalizers:
        causes.invalid_each(path, name, label_key(name))
    if _FOREGROUND in finalizers and _ORPHAN in finalizers:
        detail = f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set"
        causes.invalid(path, list(finalizers), detail)
    for index, name in enumerate(finalizers):
        check_standard_finalizer(causes, name, (*path, index))


def check_selector(
    causes: Causes, selector: Mapping[str, Any] | None, path: FieldPath
) -> None:
    """Check a label selector; None is none."""
    if not selector:
        return
    check_labels(causes, selector.get("matchLabels", {}), (*path, "matchLabels"))
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        _check_expression(causes, expression, (*path, "matchExpressions", index))


def _check_expression(
    causes: Causes, expression: Mapping[str, Any], path: FieldPath
) -> None:
    operator = expression.get("operator", "")
    values = expression.get("values") or ()
    if operator in _WITH_VALUES:
        if not values:
            causes.required((*path, "values"), _SELECTOR_VALUES)
    elif operator in _WITHOUT_VALUES:
        if values:
            causes.forbidden((*path, "values"), _NO_SELECTOR_VALUES)
    else:
        detail = "not a valid selector operator"
        causes.invalid((*path, "operator"), Word(operator), detail)
    key = expression.get("key", "")
    causes.invalid_each((*path, "key"), key, label_key(key))
    for index, value in enumerate(values):
        causes.invalid_each((*path, "values", index), value, label_value(value))
