"""The Go types of the kinds that are known, and decoding into them.

Decoding does what sigs.k8s.io/json does with ``UnmarshalStrict``: names are
case-sensitive, null is absent, the first wrong type hides everything else,
unknown and doubled fields are collected. What comes out is plain data as the
API server would write it: empty values left out, structs always there.

``data/schema.json`` is derived by ``tools/schema``: a field's text is its Go
type, ``!`` before it where the field is written even when empty, and before an
``@`` the embedded structs that it comes from.
"""

from __future__ import annotations

import base64
import binascii
import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

from ringfence.manifest.text.gotext import float_text, json_type, quote
from ringfence.manifest.validation.quantity import QuantityError, canonical_quantity
from ringfence.manifest.validation.timestamps import TimestampError, canonical_time

MOST_STRICT_ERRORS = 100
_INT_BITS = {"int32": 31, "int64": 63}


class TypeFault(Exception):  # noqa: N818 - the message is the API server's, whole
    """The value cannot be decoded; the message is the API server's."""


class Unknown(NamedTuple):
    """A field that a struct does not have: message, path, what it could have been."""

    message: str
    path: tuple[str | int, ...]
    struct: Struct


class Decoded(NamedTuple):
    """An object as stored, or the fault that hides it, and the unknown fields."""

    value: dict[str, Any]
    fault: str
    fault_path: tuple[str | int, ...]
    unknown: tuple[Unknown, ...]


def known_versions() -> Mapping[str, list[str]]:
    """Return the kinds that the API server knows, by apiVersion."""
    kinds: dict[str, list[str]] = _data()["kinds"]
    return kinds


def root(api_version: str, kind: str) -> Struct | None:
    """Return the type of a kind, None where its schema is not held."""
    name = _data()["roots"].get(f"{api_version} {kind}")
    return _struct(name) if name else None


def decode(struct: Struct, value: Mapping[str, Any]) -> Decoded:
    """Decode an object.

    The API server's YAML goes through maps that are sorted by key, so where
    something is wrong the keys are taken in their order: it decides which fault
    is the first and in which order unknown fields are told.
    """
    decoding = _Decoding(by_key=False)
    found, fault = decoding.run(struct, value)
    if fault or decoding.unknown:
        decoding = _Decoding(by_key=True)
        found, fault = decoding.run(struct, value)
    unknown = tuple(decoding.unknown.values())
    return Decoded(found, fault, decoding.fault_path, unknown)


class _Decoding:
    """The way to the value that is being decoded, and what was wrong so far."""

    __slots__ = ("by_key", "fault", "fault_path", "steps", "unknown")

    def __init__(self, *, by_key: bool) -> None:
        self.by_key = by_key
        self.steps: list[_Field | int | str] = []
        self.fault = ""
        self.fault_path: tuple[str | int, ...] = ()
        self.unknown: dict[str, Unknown] = {}

    def run(
        self, struct: Struct, value: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """Return the decoded object, or the fault that ended the decoding."""
        try:
            return struct.decode(value, self), self.fault
        except TypeFault as fault:
            self.fault_path = self.path()
            return {}, str(fault)

    def wrong(self, found: str, type_text: str) -> None:
        """Remember a value of the wrong type, unless one was met before."""
        if not self.fault:
            self.fault = self.told(found, type_text)
            self.fault_path = self.path()

    def path(self) -> tuple[str | int, ...]:
        """Return the way to the value that is being decoded."""
        return tuple(s.name if isinstance(s, _Field) else s for s in self.steps)

    def told(self, found: str, type_text: str) -> str:
        """Say what was found where another type is wanted."""
        fields = [step for step in self.steps if isinstance(step, _Field)]
        path = ".".join(field.told for field in fields)
        where = f"Go struct field {fields[-1].owner}.{path}" if fields else "Go value"
        return f"json: cannot unmarshal {found} into {where} of type {type_text}"

    def strict(self, key: str, struct: Struct) -> None:
        """Remember a field that the struct does not have."""
        steps = self.path()
        path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
        told = f"{path}.{key}".lstrip(".") if path else key
        if len(self.unknown) < MOST_STRICT_ERRORS:
            message = f"unknown field {quote(told)}"
            self.unknown.setdefault(message, Unknown(message, (*steps, key), struct))


class Type(Protocol):
    """How values of one Go type are decoded; ``text`` is its name in messages."""

    text: str

    def decode(self, value: Any, at: _Decoding) -> Any:
        """Return the value as stored; None where it is not of this type."""

    def zero(self) -> Any:
        """Return what is written where there is nothing."""


class _Field:
    """A field of a struct."""

    __slots__ = (
        "always",
        "keeps_empty",
        "name",
        "owner",
        "plain",
        "pointer",
        "told",
        "type",
    )

    def __init__(self, owner: str, name: str, text: str) -> None:
        embedded, _, text = text.rpartition("@")
        self.owner, self.name, self.told = owner, name, embedded + name
        self.always = text.startswith("!")
        text = text.removeprefix("!")
        self.pointer = text.startswith("*")
        self.type = _type(text.removeprefix("*"))
        self.plain = isinstance(self.type, _String)
        holds_many = isinstance(self.type, _List | _Map)
        self.keeps_empty = self.pointer or (self.always and not holds_many)


class Struct:
    """A Go struct."""

    def __init__(self, name: str, fields: Mapping[str, str]) -> None:
        self.text = _short(name)
        owner = name.rpartition(".")[2]
        self.fields = {key: _Field(owner, key, fields[key]) for key in fields}
        self._written = [
            field
            for field in self.fields.values()
            if not field.pointer and (field.always or isinstance(field.type, Struct))
        ]

    def decode(self, value: Any, at: _Decoding) -> Any:
        """Return the struct as stored; unknown fields are remembered and left out."""
        if type(value) is not dict and not isinstance(value, dict):
            at.wrong(json_type(value), self.text)
            return None
        found: dict[str, Any] = {}
        keys = sorted(value) if at.by_key else value
        fields, steps = self.fields, at.steps
        for key in keys:
            field = fields.get(key)
            if field is None:
                at.strict(key, self)
                continue
            inner = value[key]
            if inner is None:
                continue
            if field.plain and type(inner) is str:
                decoded: Any = inner
            else:
                steps.append(field)
                decoded = field.type.decode(inner, at)
                steps.pop()
            if decoded or (field.keeps_empty and decoded is not None):
                found[key] = decoded
        for field in self._written:
            if field.name not in found:
                found[field.name] = field.type.zero()
        return found

    def zero(self) -> Any:
        """Return the fields that are written even where there is nothing."""
        return {field.name: field.type.zero() for field in self._written}

    def inside(self, name: str) -> frozenset[str]:
        """Return the fields of what a field holds, one or a list of it."""
        kind = self.fields[name].type
        if isinstance(kind, _List):
            kind = kind.entry
        return frozenset(kind.fields) if isinstance(kind, Struct) else frozenset()

    def ordered(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return a decoded value with its fields in the order that Go writes them."""
        return {
            key: _ordered(field.type, value[key])
            for key, field in self.fields.items()
            if key in value
        }


def _ordered(kind: Type, value: Any) -> Any:
    if isinstance(kind, Struct) and isinstance(value, dict):
        return kind.ordered(value)
    if isinstance(kind, _List) and isinstance(value, list):
        return [_ordered(kind.entry, entry) for entry in value]
    return dict(sorted(value.items())) if isinstance(value, dict) else value


class _List:
    """A Go slice; a null entry is the zero value of its type."""

    def __init__(self, text: str) -> None:
        self.entry = _type(text.removeprefix("[]").removeprefix("*"))
        self.text = "[]" + _short(text.removeprefix("[]"))

    def decode(self, value: Any, at: _Decoding) -> Any:
        if not isinstance(value, list):
            at.wrong(json_type(value), self.text)
            return None
        found = []
        steps, entry = at.steps, self.entry
        for index, inner in enumerate(value):
            steps.append(index)
            decoded = None if inner is None else entry.decode(inner, at)
            found.append(entry.zero() if decoded is None else decoded)
            steps.pop()
        return found

    def zero(self) -> Any:
        return None


class _Map:
    """A Go map; a null value is the zero value of its type."""

    def __init__(self, text: str) -> None:
        key, _, entry = text.removeprefix("map[").partition("]")
        self.entry = _type(entry.removeprefix("*"))
        self.text = f"map[{_short(key)}]{_short(entry)}"

    def decode(self, value: Any, at: _Decoding) -> Any:
        if not isinstance(value, dict):
            at.wrong(json_type(value), self.text)
            return None
        found = {}
        entry = self.entry
        for key in sorted(value) if at.by_key else value:
            inner = value[key]
            if type(inner) is str and isinstance(entry, _String):
                found[key] = inner
                continue
            at.steps.append(key)
            decoded = None if inner is None else entry.decode(inner, at)
            found[key] = entry.zero() if decoded is None else decoded
            at.steps.pop()
        return found

    def zero(self) -> Any:
        return None


class _String:
    """A string, or a type made of one."""

    def __init__(self, text: str) -> None:
        self.text = text

    def decode(self, value: Any, at: _Decoding) -> Any:
        if isinstance(value, str):
            return value
        at.wrong(json_type(value), self.text)
        return None

    def zero(self) -> Any:
        return ""


class _Bool:
    text = "bool"

    def decode(self, value: Any, at: _Decoding) -> Any:
        if isinstance(value, bool):
            return value
        at.wrong(json_type(value), self.text)
        return None

    def zero(self) -> Any:
        return False


class _Int:
    def __init__(self, name: str) -> None:
        self.text = name
        self.limit = 2 ** _INT_BITS[name]

    def decode(self, value: Any, at: _Decoding) -> Any:
        if type(value) is int and -self.limit <= value < self.limit:
            return value
        at.wrong(_with_digits(value), self.text)
        return None

    def zero(self) -> Any:
        return 0


class _Float:
    text = "float64"

    def decode(self, value: Any, at: _Decoding) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        at.wrong(json_type(value), self.text)
        return None

    def zero(self) -> Any:
        return 0


class _Bytes:
    text = "[]uint8"

    def decode(self, value: Any, at: _Decoding) -> Any:
        if not isinstance(value, str):
            at.wrong(json_type(value), self.text)
            return None
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            at.fault = at.fault or "illegal base64 data at input byte 0"
        return value

    def zero(self) -> Any:
        return None


class _Custom:
    """A type with its own way to be decoded; its faults end the decoding."""

    text = ""

    def decode(self, value: Any, at: _Decoding) -> Any:
        raise NotImplementedError

    def zero(self) -> Any:
        return None


class _IntOrString(_Custom):
    """``intstr.IntOrString``: a string, or an int32."""

    text = "int32"

    def decode(self, value: Any, at: _Decoding) -> Any:
        if isinstance(value, str):
            return value
        if type(value) is int and -(2**31) <= value < 2**31:
            return value
        raise TypeFault(at.told(_with_digits(value), self.text))

    def zero(self) -> Any:
        return 0


class _Quantity(_Custom):
    """``resource.Quantity``: a number with a suffix, written canonically."""

    text = "resource.Quantity"

    def decode(self, value: Any, at: _Decoding) -> Any:  # noqa: ARG002 - the signature of all types
        text = value if isinstance(value, str) else _json_literal(value)
        try:
            return canonical_quantity(text)
        except QuantityError as error:
            raise TypeFault(str(error)) from None

    def zero(self) -> Any:
        return "0"


class _Time(_Custom):
    """``metav1.Time`` and ``metav1.MicroTime``: RFC 3339."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def decode(self, value: Any, at: _Decoding) -> Any:
        if not isinstance(value, str):
            raise TypeFault(at.told(json_type(value), "string"))
        try:
            return canonical_time(value, self.digits)
        except TimestampError as error:
            raise TypeFault(str(error)) from None


class _Raw(_Custom):
    """Data of any shape."""

    def decode(self, value: Any, at: _Decoding) -> Any:  # noqa: ARG002 - the signature of all types
        return value


_BASIC: dict[str, Type] = {
    "string": _String("string"),
    "bool": _Bool(),
    "int32": _Int("int32"),
    "int64": _Int("int64"),
    "float64": _Float(),
    "[]byte": _Bytes(),
    "intstr.IntOrString": _IntOrString(),
    "resource.Quantity": _Quantity(),
    "meta/v1.Time": _Time(0),
    "meta/v1.MicroTime": _Time(6),
    "meta/v1.FieldsV1": _Raw(),
}


def _with_digits(value: Any) -> str:
    """Return what the decoder calls a value, numbers with their digits."""
    found = json_type(value)
    return f"number {_json_literal(value)}" if found == "number" else found


def _json_literal(value: Any) -> str:
    if isinstance(value, float):
        return f"{value}" if value.is_integer() else float_text(value)
    return json.dumps(value, separators=(",", ":"))


def _short(text: str) -> str:
    """Return a type as messages name it: the package without its path."""
    star = "*" if text.startswith("*") else ""
    bare = text.removeprefix("*")
    if bare.startswith("[]"):
        return star + "[]" + _short(bare[2:])
    return star + bare.rpartition("/")[2]


@cache
def _type(text: str) -> Type:
    if text in _BASIC:
        return _BASIC[text]
    if text.startswith("[]"):
        return _List(text)
    if text.startswith("map["):
        return _Map(text)
    scalar = _data()["scalars"].get(text)
    if scalar == "string":
        return _String(_short(text))
    if scalar:
        found = _Map(scalar)
        found.text = _short(text)
        return found
    return _struct(text)


@cache
def _struct(name: str) -> Struct:
    return Struct(name, _data()["structs"][name])


@cache
def _data() -> dict[str, Any]:
    text = pkgutil.get_data("ringfence.manifest.validation", "data/schema.json")
    found: dict[str, Any] = json.loads(text or b"{}")
    return found
