"""JSON text into plain data, the quick way where YAML would read the same."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ringfence.manifest.yamltext import MOST_NESTED, TOO_DEEP, Found, Refused

_CONTAINERS = frozenset({dict, list})


def json_documents(text: str) -> list[Found] | None:
    """Return the values of a JSON stream, or None where YAML has to read it.

    YAML reads what is no JSON, what gives a key twice, which it reports with its
    line, and numbers with a fraction or exponent, which it writes as JSON does.
    Raises Refused where the text nests too deep.
    """
    found: list[Found] = []
    position, end = 0, len(text)
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse
    )
    try:
        while True:
            while position < end and text[position] in " \t\r\n":
                position += 1
            if position == end:
                return found
            line = text.count("\n", 0, position)
            column = position - text.rfind("\n", 0, position) - 1
            value, position = decoder.raw_decode(text, position)
            _refuse_depth(value)
            found.append(Found(value, (), (line, column)))
    except ValueError:
        return None
    except RecursionError:
        raise Refused((0, 0), TOO_DEEP, "exceeded max depth") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _refuse_depth(root: object) -> None:
    """Raise Refused where lists and maps stand too deep in each other."""
    level: list[Any] = [root] if type(root) in _CONTAINERS else []
    for _ in range(MOST_NESTED):
        # Exact types, one loop a level: this looks at every value of the text.
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return
    raise Refused((0, 0), TOO_DEEP, "exceeded max depth")
