"""JSON text into plain data, with the keys that it gives twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringfence.manifest.yamltext import (
    MOST_NESTED,
    TOO_DEEP,
    Duplicate,
    Found,
    Path,
    Refused,
)


def json_documents(text: str) -> list[Found] | None:
    """Return the values of a JSON stream, or None where the text is no JSON."""
    found: list[Found] = []
    position, end = 0, len(text)
    decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)
    try:
        while True:
            while position < end and text[position] in " \t\r\n":
                position += 1
            if position == end:
                return found
            value, position = decoder.raw_decode(text, position)
            duplicates = tuple(_json_duplicates(value))
            found.append(Found(value, duplicates))
    except ValueError:
        return None
    except RecursionError:
        raise Refused((0, 0), TOO_DEEP, "exceeded max depth") from None


class _Doubled(dict[str, Any]):
    """A JSON object that named some of its keys twice."""

    __slots__ = ("twice",)

    def __init__(self, pairs: dict[str, Any]) -> None:
        super().__init__(pairs)
        self.twice: list[str] = []


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = _Doubled(found)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            doubled.twice.append(key)
        seen.add(key)
    return doubled


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _json_duplicates(root: object) -> Iterator[Duplicate]:
    """Yield the doubled keys; raises _Refused where the value is too deep."""
    pending: list[tuple[Path, Any]] = [((), root)]
    while pending:
        path, value = pending.pop()
        if len(path) > MOST_NESTED:
            raise Refused((0, 0), TOO_DEEP, "exceeded max depth")
        if isinstance(value, _Doubled):
            for key in value.twice:
                yield Duplicate((*path, key), key, -1)
        children: Iterator[tuple[str | int, Any]]
        if isinstance(value, dict):
            children = iter(value.items())
        elif isinstance(value, list):
            children = iter(enumerate(value))
        else:
            continue
        pending += [
            ((*path, step), child)
            for step, child in children
            if isinstance(child, dict | list)
        ]
