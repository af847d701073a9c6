"""What validation finds: field, reason and message, in the API server's words.

Source: apimachinery pkg/util/validation/field/errors.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from ringfence.manifest.text.gotext import json_text, quote

FieldPath: TypeAlias = tuple[str | int, ...]


class Key(str):
    """A map's key in a field path, which is written in brackets."""

    __slots__ = ()


class Word(str):
    """A text of a Go type of its own, which messages show as JSON."""

    __slots__ = ()


class Cause(NamedTuple):
    """One thing that is wrong with an object."""

    field: str
    reason: str
    message: str
    path: FieldPath

    def __str__(self) -> str:
        """Render as the API server does inside its message."""
        return f"{self.field}: {self.message}"


def field_text(path: FieldPath) -> str:
    """Render a path as ``spec.ports[0].name``."""
    text = ""
    for step in path:
        if isinstance(step, int | Key):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text or "<nil>"


class Causes:
    """The causes found so far, in order."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Cause] = []

    def invalid(self, path: FieldPath, value: object, detail: str) -> None:
        """Add that a value is not what it must be; plain data is shown as JSON."""
        self._add(path, "FieldValueInvalid", _shown("Invalid value", value), detail)

    def invalid_each(
        self, path: FieldPath, value: object, details: Iterable[str]
    ) -> None:
        """Add one cause for each thing that is wrong with a value."""
        for detail in details:
            self.invalid(path, value, detail)

    def required(self, path: FieldPath, detail: str = "") -> None:
        """Add that a value is missing."""
        self._add(path, "FieldValueRequired", "Required value", detail)

    def forbidden(self, path: FieldPath, detail: str) -> None:
        """Add that a value may not be there."""
        self._add(path, "FieldValueForbidden", "Forbidden", detail)

    def duplicate(self, path: FieldPath, value: object, detail: str = "") -> None:
        """Add that a value was there before."""
        self._add(path, "FieldValueDuplicate", _shown("Duplicate value", value), detail)

    def not_found(self, path: FieldPath, value: object, detail: str = "") -> None:
        """Add that what a value names does not exist."""
        self._add(path, "FieldValueNotFound", _shown("Not found", value), detail)

    def not_supported(
        self, path: FieldPath, value: object, supported: Iterable[str]
    ) -> None:
        """Add that a value is none of those that are supported."""
        shown = ", ".join(map(quote, supported))
        detail = f"supported values: {shown}" if shown else ""
        head = f"Unsupported value: {json_text(value)}"
        self._add(path, "FieldValueNotSupported", head, detail)

    def too_long(self, path: FieldPath, most: int) -> None:
        """Add that a value has more bytes than it may."""
        unit = "byte" if most == 1 else "bytes"
        detail = f"may not be more than {most} {unit}"
        self._add(path, "FieldValueTooLong", "Too long", detail)

    def _add(self, path: FieldPath, reason: str, head: str, detail: str) -> None:
        message = f"{head}: {detail}" if detail else head
        self.found.append(Cause(field_text(path), reason, message, path))


def _shown(head: str, value: object) -> str:
    plain = isinstance(value, str) and not isinstance(value, Word)
    return f"{head}: {quote(str(value)) if plain else json_text(value)}"
