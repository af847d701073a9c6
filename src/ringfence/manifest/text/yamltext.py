"""YAML text into plain data, and where each node of it stands.

The only module that knows YAML. Reads as the API server does (sigs.k8s.io/yaml
over go.yaml.in/yaml/v2): YAML 1.1 scalars, merge keys in the order they are
written, the last of several equal keys, keys as JSON's strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from math import isfinite, isnan
from typing import Any, Final, NamedTuple, TypeAlias

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs forget it

from ringfence.manifest.text.scalars import (
    ScalarError,
    key_syntax,
    key_text,
    resolve_plain,
    resolve_tagged,
)

Path: TypeAlias = tuple[str | int, ...]
"""The way to a node: keys and indices."""

Mark: TypeAlias = tuple[int, int]
"""A line and a column of a text, both counted from 0."""

MOST_NESTED: Final = 200
"""How deep lists and maps may stand in each other: no API object is near it."""

TOO_DEEP: Final = f"nested more than {MOST_NESTED} deep"

_MERGE = "<<"
_MERGE_TAG = "tag:yaml.org,2002:merge"


class Refused(Exception):  # noqa: N818 - a signal to the reader, which makes the error
    """A text cannot be read: where, why, and what the server's decoder says."""

    def __init__(self, mark: Mark, why: str, answer: str = "") -> None:
        super().__init__(mark, why, answer)  # as it is made again in a process
        self.mark, self.why = mark, why
        self.answer = answer or f"yaml: {why}"


class Duplicate(NamedTuple):
    """A key given twice in one map.

    ``syntax`` is the key as Go writes it, ``line`` the 0-based line of the
    second value.
    """

    path: Path
    syntax: str
    line: int


class Found(NamedTuple):
    """A document's value, the keys that it gives twice, and where it begins."""

    value: object
    duplicates: tuple[Duplicate, ...]
    begin: Mark


def yaml_documents(text: str) -> list[Found]:
    """Return the documents of a YAML text.

    Aliased nodes are shared, not copied. Raises Refused where the text is no
    YAML, nests more than ``MOST_NESTED`` deep or expands aliases without bounds.
    """
    found: list[Found] = []
    merges = _MERGE in text
    builder = _Builder(merges=merges)
    with _in_words_of_go(text):
        for event in iter(CParser(text).get_event, None):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                builder.scalar(event)
            elif kind is yaml.MappingStartEvent:
                builder.start(event, {})
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                builder.end(event)
            elif kind is yaml.SequenceStartEvent:
                builder.start(event, [])
            elif kind is yaml.AliasEvent:
                builder.alias(event)
            elif kind is yaml.DocumentEndEvent:
                twice = tuple(builder.duplicates)
                found.append(Found(builder.root, twice, builder.begin))
                builder = _Builder(merges=merges)
    return found


def places(text: str, nth: int) -> dict[Path, tuple[Mark, Mark]]:
    """Return the marks of each key and its value in the text's nth document.

    A list's entry is its own key. What follows a mistake is left out.
    """
    tracer = _Tracer()
    document = -1
    with suppress(Refused), _in_words_of_go(text):
        for event in iter(CParser(text).get_event, None):
            document += type(event) is yaml.DocumentStartEvent
            if document == nth:
                tracer.take(event)
    return tracer.places


@contextmanager
def _in_words_of_go(text: str) -> Iterator[None]:
    """Turn what the parser raises about a text into Refused."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        line = before.count("\n")
        column = len(before) - before.rfind("\n") - 1
        code = error.character
        why = f"control characters are not allowed: #x{code:04x}"
        answer = "yaml: control characters are not allowed"
        raise Refused((line, column), why, answer) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error) from None


def _syntax(error: yaml.MarkedYAMLError) -> Refused:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    problem = error.problem or "unknown problem parsing YAML content"
    told = 0
    if error.problem_mark and error.problem_mark.line:
        told = error.problem_mark.line
        told += isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark:
        told = error.context_mark.line
    where = f"line {told}: " if told else ""
    context = f"{error.context}, " if error.context else ""
    return Refused((line, column), f"{context}{problem}", f"yaml: {where}{problem}")


class _Budget:
    """How much of a document may come from aliases (go-yaml v2 decode.go)."""

    __slots__ = ("aliased", "total")

    def __init__(self) -> None:
        self.total = 0
        self.aliased = 0

    def spend(self, size: int, event: Any) -> None:
        """Count an alias of this many nodes; raises Refused."""
        self.total += size
        self.aliased += size
        low, high = 400_000, 4_000_000
        scale = min(max(self.total - low, 0) / (high - low), 1.0)
        excessive = self.aliased > self.total * (0.99 - 0.89 * scale)
        if self.aliased > 100 and self.total > 1000 and excessive:  # noqa: PLR2004 - go-yaml's
            raise _at(event, "document contains excessive aliasing")


def _at(event: Any, why: str) -> Refused:
    mark = event.start_mark
    return Refused((mark.line, mark.column), why)


class _Anchored:
    """A named node; ``size`` is 0 while it is still open."""

    __slots__ = ("size", "value")

    def __init__(self, value: object, size: int) -> None:
        self.value, self.size = value, size


_plain = lru_cache(maxsize=1 << 16)(resolve_plain)


def _scalar(event: Any) -> str | float | bool | None:
    """Return what a scalar event means; raises Refused."""
    if event.tag is None:
        return _plain(event.value) if event.implicit[0] else event.value
    try:
        return resolve_tagged(event.tag, event.value)
    except ScalarError as error:
        raise _at(event, str(error)) from None


def _key(event: Any, value: object) -> str:
    """Return the JSON key that a YAML key becomes; raises Refused."""
    try:
        return key_text(value)
    except ScalarError as error:
        refusal = _at(event, str(error))
        refusal.answer = str(error)
        raise refusal from None


def _names(written: object, key: str) -> bool:
    """Whether a key was written as this value."""
    return isinstance(written, str | bool | int | float) and key_text(written) == key


def _unwritable(event: Any, value: float) -> Refused:
    """Refuse a number that JSON cannot hold."""
    word = "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    refusal = _at(event, f"{word} is no number that an object may hold")
    refusal.answer = f"json: unsupported value: {word}"
    return refusal


def _is_merge(event: Any) -> bool:
    return bool(event.value == _MERGE) and (
        event.implicit[0] or event.tag == _MERGE_TAG
    )


_NO_KEY = object()
_MERGE_KEY = object()


class _Builder:
    """One document's value, put together event by event.

    ``lines`` holds the line of every value of a map (by the map's id), and is
    kept only where a merge may need it.
    """

    def __init__(self, *, merges: bool) -> None:
        self.root: object = None
        self.begin: Mark = (0, 0)
        self.container: Any = None
        self.key: Any = _NO_KEY
        self.written: Any = None
        self.stack: list[tuple[Any, Any, _Anchored | None, int]] = []
        self.anchors: dict[str, _Anchored] = {}
        self.budget = _Budget()
        self.duplicates: list[Duplicate] = []
        self.lines: dict[int, dict[str, int]] | None = {} if merges else None

    def scalar(self, event: Any) -> None:
        value = _scalar(event)
        self.budget.total += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, 1)
        if type(self.container) is not dict or self.key is not _NO_KEY:
            self.add(value, event)
        elif self.lines is not None and _is_merge(event):
            self.key = _MERGE_KEY
        else:
            self.written = value
            self.key = value if type(value) is str else _key(event, value)

    def start(self, event: Any, container: list[Any] | dict[str, Any]) -> None:
        if len(self.stack) >= MOST_NESTED:
            raise _at(event, TOO_DEEP)
        if type(self.container) is dict and self.key is _NO_KEY:
            raise _at(event, "invalid map key: a map or a list")
        anchored = None
        if event.anchor is not None:
            anchored = self.anchors[event.anchor] = _Anchored(container, 0)
        begun = event.start_mark.line
        if not self.stack:
            self.begin = (begun, event.start_mark.column)
        self.stack.append(
            (self.container, (self.key, begun), anchored, self.budget.total)
        )
        self.container, self.key = container, _NO_KEY
        self.budget.total += 1

    def end(self, event: Any) -> None:
        value = self.container
        container, (key, begun), anchored, before = self.stack.pop()
        self.container = container
        if anchored is not None:
            anchored.size = self.budget.total - before
        if type(container) is list:
            container.append(value)
        elif type(container) is dict and key not in container and self.lines is None:
            container[key] = value
            self.key = _NO_KEY
        else:
            self.key = key
            self.add(value, event, begun)

    def alias(self, event: Any) -> None:
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            raise _at(event, f"unknown anchor '{event.anchor}' referenced")
        if not anchored.size:
            raise _at(event, f"anchor '{event.anchor}' value contains itself")
        self.budget.spend(anchored.size + 1, event)
        self.add(anchored.value, event)

    def add(self, value: Any, event: Any, line: int = -1) -> None:
        """Put a finished value where it belongs; ``line`` where it began."""
        container = self.container
        if type(container) is list:
            if type(value) is float and not isfinite(value):
                raise _unwritable(event, value)
            container.append(value)
        elif container is None:
            self.root = value
            if line < 0:
                self.begin = (event.start_mark.line, event.start_mark.column)
        elif self.key is _NO_KEY:
            self.written = value
            self.key = value if type(value) is str else _key(event, value)
        elif type(value) is float and not isfinite(value):
            raise _unwritable(event, value)
        elif self.key is _MERGE_KEY:
            self.key = _NO_KEY
            self.merge(value, event)
        else:
            key, self.key = self.key, _NO_KEY
            if key in container or self.lines is not None:
                self.put(key, value, event.start_mark.line if line < 0 else line)
            else:
                container[key] = value

    def put(self, key: str, value: Any, line: int) -> None:
        """Set a key that may be set already, and remember the line."""
        if key in self.container:
            path = (*self.path(), key)
            syntax = key_syntax(self.written if _names(self.written, key) else key)
            self.duplicates.append(Duplicate(path, syntax, line))
        if self.lines is not None:
            self.lines.setdefault(id(self.container), {})[key] = line
        self.container[key] = value

    def merge(self, value: Any, event: Any) -> None:
        """Set the keys of one map, or of several, the last one first."""
        sources = value[::-1] if type(value) is list else [value]
        for source in sources:
            if type(source) is not dict:
                why = "map merge requires map or sequence of maps as the value"
                raise _at(event, why)
            lines = (self.lines or {}).get(id(source), {})
            for key, inner in source.items():
                self.put(key, inner, lines.get(key, event.start_mark.line))

    def path(self) -> Path:
        """Return the way to the open container."""
        steps = [
            len(container) if type(container) is list else key
            for container, (key, _), _, _ in self.stack
            if container is not None
        ]
        return tuple(steps)


class _Tracer:
    """Places of one document, event by event.

    The stack holds the path of each open container and, for the next entry,
    its index, or None and the mark of the key that was read last.
    """

    def __init__(self) -> None:
        self.places: dict[Path, tuple[Mark, Mark]] = {}
        self.stack: list[tuple[Path, bool]] = []
        self.index: list[int] = []
        self.key: list[tuple[str, Mark] | None] = []

    def take(self, event: Any) -> None:
        """Note the place of a node, open or close a container."""
        kind = type(event)
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self.stack.pop()
            self.index.pop()
            self.key.pop()
        elif isinstance(event, yaml.NodeEvent):
            path = self.entered(event)
            opens = kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent
            if opens and path is not None:
                self.stack.append((path, kind is yaml.MappingStartEvent))
                self.index.append(0)
                self.key.append(None)

    def entered(self, event: Any) -> Path | None:
        """Return the path of a node that is a value, note its place."""
        here = (event.start_mark.line, event.start_mark.column)
        if not self.stack:
            self.places[()] = (here, here)
            return ()
        parent, is_map = self.stack[-1]
        if not is_map:
            path = (*parent, self.index[-1])
            self.index[-1] += 1
            self.places[path] = (here, here)
            return path
        key = self.key[-1]
        if key is None:
            self.key[-1] = (self.name(event), here)
            return None
        self.key[-1] = None
        path = (*parent, key[0])
        self.places[path] = (key[1], here)
        return path

    def name(self, event: Any) -> str:
        """Return the key that an event writes."""
        if type(event) is yaml.ScalarEvent:
            return _key(event, _scalar(event))
        return ""
