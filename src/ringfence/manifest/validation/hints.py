"""Hints of ours: where a mistake stands and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from ringfence.errors import Problem
from ringfence.manifest.reader import Item, Path
from ringfence.manifest.validation.rules.causes import Cause, field_text
from ringfence.manifest.validation.schema import Decoded, Unknown

_UNQUOTED = (bool, int, float)


def hints_for(
    item: Item, decoded: Decoded | None, causes: Sequence[Cause]
) -> tuple[Problem, ...]:
    """Return the place of each thing that is wrong, with what would be right."""
    return tuple(_hints(item, decoded, causes))


def _hints(
    item: Item, decoded: Decoded | None, causes: Iterable[Cause]
) -> Iterator[Problem]:
    depth = len(item.path)
    for path, *_ in item.document.duplicates:
        if path[:depth] == item.path:
            yield _at_key(item, path[depth:], "is given twice", "keep one of them")
    if decoded is not None:
        if decoded.fault:
            yield _type_hint(item, decoded)
        for field in decoded.unknown:
            yield _at_key(item, field.path, "unknown field", _meant(field))
    for cause in causes:
        place = str(item.position(cause.path))
        yield Problem(place, cause.message, cause.field, _cause_hint(cause))


def _at_key(item: Item, path: Path, message: str, hint: str) -> Problem:
    return Problem(str(item.key_position(path)), message, field_text(path), hint)


def _type_hint(item: Item, decoded: Decoded) -> Problem:
    """Say where the value of the wrong type stands."""
    path = decoded.fault_path
    value = _value_at(item.value, path)
    hint = ""
    if isinstance(value, _UNQUOTED) and "of type string" in decoded.fault:
        hint = "quote it to make it a string"
    elif isinstance(value, str) and " of type int" in decoded.fault:
        hint = "write it without quotes" if value.isdigit() else "must be a number"
    elif isinstance(value, dict) and " of type []" in decoded.fault:
        hint = "must be a list: begin each entry with '- '"
    place = str(item.position(path))
    return Problem(place, decoded.fault, field_text(path), hint)


def _value_at(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
    return value


def _meant(field: Unknown) -> str:
    """Return the field that was probably meant, or where it belongs."""
    written = str(field.path[-1])
    known = field.struct.fields
    by_case = {name.lower(): name for name in known}
    close = get_close_matches(written.lower(), by_case, n=1)
    if close:
        return f"did you mean {by_case[close[0]]}?"
    inside = [name for name in known if written in field.struct.inside(name)]
    if inside:
        return f"it belongs inside {inside[0]}"
    return f"known here: {', '.join(known)}" if len(known) < _FEW else ""


_FEW = 8


def _cause_hint(cause: Cause) -> str:
    """Return what was probably meant by a word that is not among the supported."""
    if cause.reason != "FieldValueNotSupported":
        return ""
    head, _, supported = cause.message.partition("supported values: ")
    written = head.split('"')[1] if '"' in head else ""
    words = {word.lower(): word for word in supported.split('"')[1::2]}
    close = get_close_matches(written.lower(), words, n=1)
    return f"did you mean {words[close[0]]}?" if close else ""
