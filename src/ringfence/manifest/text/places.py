"""Where the nodes of a document stand, looked for when somebody asks.

Telling places apart needs an event for every node of the text, which takes
longer than reading it. Most places are never told, so none is looked for before.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from ringfence.manifest.text.yamltext import Mark, Path, places
from ringfence.model.meta import Position

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BETWEEN = re.compile(r"[\s,:]*")
_ENTRIES = "items"


class _Entry(NamedTuple):
    """The text of one entry of a JSON list, and where it begins."""

    text: str
    begin: Mark


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The places in one document of a source, the ``nth`` of ``text``.

    ``first_line`` is the 0-based line of the source where the text begins,
    ``begin`` where in the text the document does. Holds the text but not the
    values, which may go while positions stay.
    """

    source: str
    text: bytes = field(default=b"", repr=False)
    nth: int = 0
    first_line: int = 0
    begin: Mark = (0, 0)
    is_json: bool = False
    _found: dict[Path, tuple[Mark, Mark]] = field(default_factory=dict, repr=False)
    _entries: list[_Entry] = field(default_factory=list, repr=False)

    def position(self, path: Path) -> Position:
        """Return where the value at this path, or its nearest ancestor, stands."""
        return Position(self.source, seek=partial(self._line_and_column, path, 1))

    def key_position(self, path: Path) -> Position:
        """Return where the key (or the list entry) at this path is written."""
        return Position(self.source, seek=partial(self._line_and_column, path, 0))

    def _line_and_column(self, path: Path, side: int) -> tuple[int, int]:
        line, column = self._marks(path)[side]
        return self.first_line + line + 1, column + 1

    def _marks(self, path: Path) -> tuple[Mark, Mark]:
        """Return the marks of the key and of the value at a path."""
        if path and path not in self._found:
            self._look(path)
        while path and path not in self._found:
            path = path[:-1]
        return self._found.get(path, (self.begin, self.begin))

    def _look(self, path: Path) -> None:
        """Find the places around a path: of one entry of a list, or of everything."""
        entry = self._entry(path)
        if entry is not None and path[:2] not in self._found:
            for inside, marks in places(_readable(entry.text), 0).items():
                key, value = (_further(entry.begin, mark) for mark in marks)
                self._found[path[:2] + inside] = key, value
        elif entry is None and () not in self._found:
            text = self.text.decode()
            text = _readable(text) if self.is_json else text
            self._found.update(places(text, self.nth))

    def _entry(self, path: Path) -> _Entry | None:
        """Return the entry of a JSON list that the path leads into."""
        if not self.is_json or path[:1] != (_ENTRIES,) or len(path) == 1:
            return None
        if not self._entries:
            self._entries.extend(_list_entries(self.text.decode(), self.nth))
        index = path[1]
        if not isinstance(index, int) or index >= len(self._entries):
            return None
        return self._entries[index]


def _readable(text: str) -> str:
    """Return JSON as the YAML parser takes it, nothing moved."""
    return _SURROGATE.sub(r"\\u003f", text)


def _further(begin: Mark, mark: Mark) -> Mark:
    """Return a mark of a text that itself begins further on."""
    line, column = mark
    return begin[0] + line, column if line else begin[1] + column


def _list_entries(text: str, nth: int) -> list[_Entry]:
    """Return the entries of ``items`` in the nth document of a JSON text."""
    read = json.JSONDecoder().raw_decode
    at = _next(text, 0)
    for _ in range(nth):
        at = _next(text, read(text, at)[1])
    at = _next(text, at + 1)
    while text[at] == '"':
        key, at = read(text, at)
        at = _next(text, at)
        if key == _ENTRIES:
            return _entries(text, at + 1)
        at = _next(text, read(text, at)[1])
    return []


def _entries(text: str, at: int) -> list[_Entry]:
    """Return the entries of the JSON list whose first entry comes at or after here."""
    read = json.JSONDecoder().raw_decode
    found: list[_Entry] = []
    line, line_start = text.count("\n", 0, at), text.rfind("\n", 0, at) + 1
    seen = at
    at = _next(text, at)
    while text[at] != "]":
        line += text.count("\n", seen, at)
        line_start = max(line_start, text.rfind("\n", seen, at) + 1)
        _, end = read(text, at)
        found.append(_Entry(text[at:end], (line, at - line_start)))
        seen, at = at, _next(text, end)
    return found


def _next(text: str, at: int) -> int:
    """Return where the next value or bracket is: nothing but signs comes before."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
