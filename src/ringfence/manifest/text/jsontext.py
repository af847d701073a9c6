"""JSON text into plain data, the quick way where YAML would read the same."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ringfence.manifest.text.yamltext import MOST_NESTED, TOO_DEEP, Found, Refused

_CONTAINERS = frozenset({dict, list})
_SPACES = " \t\r\n"
_AT_ONCE = 256
"""How many maps and lists are looked into together: what they hold stays in a cache."""


def json_documents(text: str) -> list[Found] | None:
    """Return the values of a JSON stream, or None where YAML has to read it.

    YAML reads what is no JSON, what gives a key twice, which it reports with its
    line, and numbers with a fraction or exponent, which it writes as JSON does.
    Raises Refused where the text nests too deep.
    """
    plain = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)
    careful = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse
    )
    try:
        found = _values(text, plain)
        keys = sum(_keys(value) for value, *_ in found)
        # A call for every object takes longer than reading the text a second time.
        return found if keys == _most_keys(text) else _values(text, careful)
    except ValueError:
        return None
    except RecursionError:
        raise Refused((0, 0), TOO_DEEP, "exceeded max depth") from None


def _values(text: str, decoder: json.JSONDecoder) -> list[Found]:
    found: list[Found] = []
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _SPACES:
            position += 1
        if position == end:
            return found
        line = text.count("\n", 0, position)
        column = position - text.rfind("\n", 0, position) - 1
        value, position = decoder.raw_decode(text, position)
        found.append(Found(value, (), (line, column)))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _most_keys(text: str) -> int:
    """Return how many keys JSON text gives, or more where its strings look like them.

    A key's colon follows its quote, which no backslash escapes, or a space.
    """
    keys = text.count('":')
    if "\\" in text:
        keys += text.count(r'\\":') - text.count(r"\":")
    return keys + sum(text.count(f"{space}:") for space in _SPACES if space in text)


def _keys(root: object) -> int:
    """Return how many keys the maps of a value have.

    Raises Refused where lists and maps stand too deep in each other.
    """
    keys = 0
    levels: list[tuple[int, list[Any]]]
    levels = [(0, [root])] if type(root) in _CONTAINERS else []
    while levels:
        depth, level = levels.pop()
        if len(level) > _AT_ONCE:
            starts = range(0, len(level), _AT_ONCE)
            levels += [(depth, level[at : at + _AT_ONCE]) for at in starts]
            continue
        if depth == MOST_NESTED:
            raise Refused((0, 0), TOO_DEEP, "exceeded max depth")
        entries = sum([len(each) for each in level if type(each) is list])
        keys += sum(map(len, level)) - entries
        # Exact types, one loop a level: this looks at every value of the text.
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) in _CONTAINERS
        ]
        if level:
            levels.append((depth + 1, level))
    return keys
