"""Judge one object as kube-apiserver 1.36 would: word for word, in its order.

The order of its phases is size, types, unknown and doubled fields, defaults,
validation; the first that finds fault hides the ones after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ringfence.errors import Problem
from ringfence.manifest.reader import Document, Item
from ringfence.manifest.strictness import FieldValidation, Options
from ringfence.manifest.text.gotext import json_text, json_type, quote
from ringfence.manifest.validation.expected import Expected, expected_type
from ringfence.manifest.validation.hints import hints_for
from ringfence.manifest.validation.rules.causes import Cause, Causes
from ringfence.manifest.validation.rules.kinds import KindRules, rules_of
from ringfence.manifest.validation.rules.meta import check_metadata
from ringfence.manifest.validation.schema import Decoded, decode, root

MOST_BYTES = 3 * 1024 * 1024
_SHOWN_BYTES = 30
_MOST_STEM = 58
_GENERATED, _SHOWN_GENERATED = "xxxxx", "?????"
_SERVER_MADE = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the API server would answer.

    ``code`` and ``reason`` are those of its answer, ``object`` is what it would
    store (None where it refuses); ``hints`` are ours.
    """

    code: int
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    object: dict[str, Any] | None = None
    hints: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the object would be stored."""
        return self.object is not None


class _Refusal(Exception):  # noqa: N818 - the answer, not an error
    """The object is refused before it is validated."""

    def __init__(
        self, message: str, code: int = 400, reason: str = "BadRequest"
    ) -> None:
        super().__init__(message)
        self.judgement = Judgement(code, reason, message)


def judge(item: Item, options: Options) -> Judgement | None:
    """Return the API server's answer to this object, None where its kind is not known.

    Source: apiserver pkg/endpoints/handlers/create.go and what it calls.
    """
    expected = expected_type(item)
    if expected is None:
        return None
    decoded = None
    try:
        kind = _read_kind(item, expected)
        decoded = _decoded(item, expected)
        judgement = _answer(item, expected, kind, decoded, options)
    except _Refusal as refusal:
        judgement = refusal.judgement
    if judgement.valid and not judgement.warnings:
        return judgement
    return replace(judgement, hints=hints_for(item, decoded, judgement.causes))


def judge_other(document: Document) -> Judgement:
    """Return the API server's answer to a document that is no object."""
    struct = (
        r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
        r'Kind string "json:\"kind,omitempty\"" }'
    )
    found = json_type(document.value)
    why = (
        "couldn't get version/kind; json parse error: json: cannot unmarshal "
        f"{found} into Go value of type {struct}"
    )
    message = _unrecognized("NetworkPolicy", why, document.text)
    place = str(document.position())
    hint = Problem(place, "must be an object, with apiVersion and kind")
    return Judgement(400, "BadRequest", message, hints=(hint,))


def _read_kind(item: Item, expected: Expected) -> tuple[str, str, str]:
    """Return group, version and kind; raises _Refusal before anything is decoded."""
    if not item.path and len(item.document.text) > MOST_BYTES:
        message = "Request entity too large: limit is 3145728"
        raise _Refusal(message, 413, "RequestEntityTooLarge")
    group, version, kind = _type_meta(item, expected)
    _refuse_unregistered(group, version, kind, expected)
    return group, version, kind


def _answer(
    item: Item,
    expected: Expected,
    found: tuple[str, str, str],
    decoded: Decoded,
    options: Options,
) -> Judgement:
    group, version, kind = found
    prefix = (
        f"{kind} in version {quote(version)} cannot be handled as a {expected.kind}"
    )
    if decoded.fault:
        raise _Refusal(f"{prefix}: {decoded.fault}")
    if kind != expected.kind:
        raise _Refusal(f"{prefix}: {expected.conversion(kind)}")
    strict = [*_duplicates(item), *(field.message for field in decoded.unknown)]
    if strict and options.field_validation is FieldValidation.STRICT:
        told = _strict_text(strict)
        raise _Refusal(f"{prefix}: strict decoding error: {told}")
    if expected.api_version != (f"{group}/{version}" if group else version):
        raise _Refusal(
            f"the API version in the data ({group}/{version}) does not match the "
            f"expected API version ({expected.api_version})"
        )
    return _validated(decoded.value, expected, options, strict)


def _type_meta(item: Item, expected: Expected) -> tuple[str, str, str]:
    """Return group, version and kind, the expected ones where they are not said."""
    for key in ("apiVersion", "kind"):
        value = item.value.get(key)
        if value is not None and not isinstance(value, str):
            found = json_type(value)
            why = (
                "couldn't get version/kind; json parse error: json: cannot unmarshal "
                f"{found} into Go struct field .{key} of type string"
            )
            raise _Refusal(_unrecognized(expected.kind, why, _body(item)))
    written = item.api_version or expected.api_version
    group, _, version = written.rpartition("/")
    if "/" in group:
        why = f"unexpected GroupVersion string: {written}"
        raise _Refusal(_unrecognized(expected.kind, why, _body(item)))
    return group, version, item.kind or expected.kind


def _unrecognized(kind: str, why: str, body: bytes) -> str:
    shown = body[:_SHOWN_BYTES]
    more = " ..." if len(body) > _SHOWN_BYTES else ""
    text = shown.decode("utf-8", "replace") if shown.startswith(b"{") else shown.hex()
    return (
        f"the object provided is unrecognized (must be of type {kind}): "
        f"{why} ({text}{more})"
    )


def _body(item: Item) -> bytes:
    return json_text(item.value).encode() if item.path else item.document.text


def _refuse_unregistered(
    group: str, version: str, kind: str, expected: Expected
) -> None:
    if not expected.registered(group, version, kind):
        where = f"{group}/{version}" if group else version
        raise _Refusal(
            f"{kind} in version {quote(version)} cannot be handled as a "
            f"{expected.kind}: no kind {quote(kind)} is registered for version "
            f'{quote(where)} in scheme "pkg/runtime/scheme.go:111"'
        )


def _decoded(item: Item, expected: Expected) -> Decoded:
    struct = root(expected.api_version, expected.kind)
    if struct is None or (item.kind and item.kind != expected.kind):
        return Decoded({}, "", (), ())
    value = item.value
    if not item.kind or not item.api_version:
        value = value | {"kind": expected.kind, "apiVersion": expected.api_version}
    return decode(struct, value)


def _duplicates(item: Item) -> list[str]:
    """Return the messages about keys given twice."""
    document, depth = item.document, len(item.path)
    found = []
    for path, syntax, line in document.duplicates:
        if path[:depth] != item.path:
            continue
        told_line = line + 1 - (document.told_line - document.first_line)
        found.append(f"line {told_line}: key {syntax} already set in map")
    return found


def _strict_text(messages: list[str]) -> str:
    """Join the messages as Go joins them: YAML's own are one error of many lines."""
    lines = [message for message in messages if message.startswith("line ")]
    if not lines:
        return ", ".join(messages)
    yaml_error = "yaml: unmarshal errors:\n  " + "\n  ".join(lines)
    return ", ".join([yaml_error, *messages[len(lines) :]])


def _validated(
    value: dict[str, Any], expected: Expected, options: Options, warnings: list[str]
) -> Judgement:
    """Default and validate a decoded object."""
    rules = rules_of(expected.kind)
    generated = _fill_metadata(value, rules, options, warnings)
    rules.default(value)
    causes = Causes()
    check_metadata(
        causes, value["metadata"], rules.name_rule, namespaced=rules.namespaced
    )
    rules.check(causes, value, strict_cidr=options.strict_cidr)
    if causes.found:
        told = tuple(dict.fromkeys(warnings))
        judgement = _invalid(value, expected, causes.found, told)
    else:
        told = tuple(dict.fromkeys((*warnings, *rules.warnings(value))))
        judgement = Judgement(201, warnings=told, object=value)
    return _hide_generated(judgement) if generated else judgement


def _fill_metadata(
    value: dict[str, Any], rules: KindRules, options: Options, warnings: list[str]
) -> bool:
    """Drop what only the server sets, name and place the object.

    Return whether the name was generated.
    """
    meta = value["metadata"]
    _drop_twin_owners(meta, warnings)
    for key in _SERVER_MADE:
        meta.pop(key, None)
    if rules.namespaced:
        meta.setdefault("namespace", options.namespace)
    else:
        meta.pop("namespace", None)
    if rules.has_generation:
        meta["generation"] = 1
    stem = meta.get("generateName")
    if meta.get("name") or not stem:
        return False
    meta["name"] = stem[:_MOST_STEM] + _GENERATED
    return True


def _drop_twin_owners(meta: dict[str, Any], warnings: list[str]) -> None:
    """Keep the first of equal owner references, and say so."""
    kept: list[dict[str, Any]] = []
    twins: list[str] = []
    for owner in meta.get("ownerReferences", ()):
        if owner in kept:
            twins.append(owner.get("uid", ""))
        else:
            kept.append(owner)
    if twins:
        meta["ownerReferences"] = kept
        told = ", ".join(sorted(set(twins)))
        warnings.append(
            ".metadata.ownerReferences contains duplicate entries; API server dedups "
            "owner references in 1.20+, and may reject such requests as early as "
            f"1.24; please fix your requests; duplicate UID(s) observed: {told}"
        )


def _invalid(
    value: dict[str, Any],
    expected: Expected,
    causes: list[Cause],
    warnings: tuple[str, ...],
) -> Judgement:
    name = value["metadata"].get("name", "")
    told = list(dict.fromkeys(map(str, causes)))
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    message = f"{expected.qualified_kind} {quote(name)} is invalid: {text}"
    return Judgement(422, "Invalid", message, tuple(causes), warnings)


def _hide_generated(judgement: Judgement) -> Judgement:
    """Show the random end of a generated name as unknown."""

    def shown(text: str) -> str:
        return text.replace(_GENERATED, _SHOWN_GENERATED)

    if judgement.object is not None:
        meta = judgement.object["metadata"]
        meta["name"] = shown(meta["name"])
    return replace(
        judgement,
        message=shown(judgement.message),
        causes=tuple(
            cause._replace(message=shown(cause.message)) for cause in judgement.causes
        ),
    )
