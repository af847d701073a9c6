"""Sources into documents and objects whose every node knows its place.

A source is text of YAML or JSON documents; each is read on its own, so that a
mistake in one does not hide those of the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from ringfence.errors import InputError, Problem
from ringfence.manifest.text.jsontext import json_documents
from ringfence.manifest.text.places import Places
from ringfence.manifest.text.yamltext import (
    Duplicate,
    Found,
    Path,
    Refused,
    yaml_documents,
)
from ringfence.model.meta import Position

__all__ = [
    "Document",
    "Item",
    "PartlyReadError",
    "Path",
    "Unreadable",
    "items",
    "read_documents",
]

_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_PREAMBLE = re.compile(rb"(?:[ \t]*(?:[#%][^\n]*)?\r?(?:\n|\Z))*")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Unreadable(Problem):
    """A document that is no YAML or JSON.

    ``answer`` is what the API server's decoder says, ``text`` the document.
    """

    answer: str = ""
    text: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One document of a source; ``value`` is plain JSON data, shared where aliased.

    ``text`` holds the document, ``first_line`` is the 0-based line of the source
    where the text begins, ``told_line`` the one that the API server would call
    its first, which gets the document without its separator.
    """

    source: str
    index: int
    value: object
    text: bytes = field(repr=False)
    first_line: int = 0
    told_line: int = 0
    duplicates: tuple[Duplicate, ...] = ()
    places: Places = field(default=Places(""), repr=False)

    def position(self, path: Path = ()) -> Position:
        """Return where the value at this path, or its nearest ancestor, stands."""
        return self.places.position(path)

    def key_position(self, path: Path) -> Position:
        """Return where the key (or the list entry) at this path is written."""
        return self.places.key_position(path)


class PartlyReadError(InputError):
    """Some text cannot be read; ``documents`` are those that can."""

    def __init__(
        self, problems: Iterable[Problem], documents: Iterable[Document]
    ) -> None:
        super().__init__(problems)
        self.documents = tuple(documents)


class Item(NamedTuple):
    """One object: a whole document or an entry of a ``List`` in it."""

    document: Document
    path: Path
    value: dict[str, Any]
    api_version: str
    kind: str

    def position(self, path: Path = ()) -> Position:
        """Return where the value at this path of the object stands."""
        return self.document.position(self.path + path)

    def key_position(self, path: Path) -> Position:
        """Return where the key at this path of the object is written."""
        return self.document.key_position(self.path + path)


def items(document: Document) -> list[Item]:
    """Return the objects of a document, ``List`` kinds flattened.

    Entries of a typed list (``PodList``) that do not say their kind are of the
    list's. Raises InputError where an object is no map.
    """
    found: list[Item] = []
    problems: list[Problem] = []
    _flatten(document, (), document.value, _NO_KIND, found, problems)
    if problems:
        raise InputError(problems)
    return found


def _flatten(
    document: Document,
    path: Path,
    value: object,
    inherited: tuple[str, str],
    found: list[Item],
    problems: list[Problem],
) -> None:
    """Add the objects of a value; ``inherited``: what its list says of its kind."""
    if not isinstance(value, dict):
        place = str(document.position(path))
        problems.append(Problem(place, "must be an object, with apiVersion and kind"))
        return
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and api_version):
        api_version = inherited[0]
    if not (isinstance(kind, str) and kind):
        kind = inherited[1]
    entries = value.get("items")
    if not kind.endswith("List") or not isinstance(entries, list):
        found.append(Item(document, path, value, api_version, kind))
        return
    of_entries = (api_version, kind[:-4]) if kind != "List" else _NO_KIND
    for index, entry in enumerate(entries):
        inside = (*path, "items", index)
        # Nearly all objects of a large cluster are entries that say what they are.
        if type(entry) is dict and "items" not in entry:
            version, word = entry.get("apiVersion"), entry.get("kind")
            if type(version) is str and type(word) is str and version and word:
                found.append(Item(document, inside, entry, version, word))
                continue
        _flatten(document, inside, entry, of_entries, found, problems)


_NO_KIND = ("", "")


class Reading(NamedTuple):
    """What a part of a text holds: its documents, written as JSON or as YAML."""

    found: Sequence[Found]
    is_json: bool


Readings: TypeAlias = list[Reading | Refused]
Texts: TypeAlias = Sequence[bytes]
Share: TypeAlias = Callable[[Callable[[Texts], Readings], Texts], Iterable[Readings]]
"""Has consecutive parts of a source read, in this process or another, in order."""


def read_documents(
    data: bytes, source: str, share: Share | None = None
) -> list[Document]:
    """Return the documents of a source in order, empty ones left out.

    A line that begins with ``---`` ends a document wherever it stands (YAML 1.2.2,
    9.1.2), so that the parts between may be shared out. Raises PartlyReadError
    (of Unreadable) with one problem for each document that is no YAML, holds
    characters that none may hold, nests too deep or expands aliases without bounds.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    chunks = list(_chunks(_utf8(data), source))
    texts = [chunk.text for chunk in chunks]
    parts = share(_readings, texts) if share else [_readings(texts)]
    for chunk, reading in zip(chunks, chain.from_iterable(parts), strict=True):
        if isinstance(reading, Refused):
            problems.append(chunk.problem(reading))
        else:
            documents += chunk.documents(reading, len(documents))
    if problems:
        raise PartlyReadError(problems, documents)
    return documents


def _readings(texts: Texts) -> Readings:
    readings: Readings = []
    for text in texts:
        try:
            readings.append(_reading(_decoded(text)))
        except Refused as refusal:
            readings.append(refusal)
    return readings


def _reading(text: str) -> Reading:
    """Return what a text holds; raises Refused."""
    found = json_documents(text) if text.lstrip()[:1] in {"{", "["} else None
    if found is None:
        return Reading(yaml_documents(text), is_json=False)
    return Reading(found, is_json=True)


def _utf8(data: bytes) -> bytes:
    if data.startswith(_UTF16):
        data = data.decode("utf-16", "replace").encode()
    return data.removeprefix(_BOM)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The text from one document separator to the next."""

    source: str
    text: bytes
    first_line: int
    told_line: int

    def documents(self, reading: Reading, index: int) -> Iterator[Document]:
        """Yield the documents that the text holds, numbered from ``index``."""
        for nth, (value, duplicates, begin) in enumerate(reading.found):
            if value is not None:
                yield Document(
                    source=self.source,
                    index=index,
                    value=value,
                    text=self.text,
                    first_line=self.first_line,
                    told_line=self.told_line,
                    duplicates=duplicates,
                    places=Places(
                        self.source,
                        self.text,
                        nth,
                        self.first_line,
                        begin,
                        reading.is_json,
                    ),
                )
                index += 1

    def problem(self, refusal: Refused) -> Unreadable:
        """Return the refusal with its place in the source."""
        line, column = refusal.mark
        place = Position(self.source, self.first_line + line + 1, column + 1)
        return Unreadable(
            str(place), refusal.why, answer=refusal.answer, text=self.text
        )


def _chunks(data: bytes, source: str) -> Iterator[_Chunk]:
    """Split at ``---`` lines; comments and directives before the first go with it."""
    starts: list[int] = []
    if b"---" in data:  # a regular expression takes ten times longer to say no
        starts += (found.start() for found in _SEPARATOR.finditer(data))
    if starts and _PREAMBLE.fullmatch(data, 0, starts[0]):
        starts[0] = 0
    else:
        starts.insert(0, 0)
    line = 0
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        text = data[start:end]
        yield _Chunk(source, text, line, line + (1 if start else 0))
        line += text.count(b"\n")


def _decoded(data: bytes) -> str:
    """Return the text; raises Refused at the first byte that is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode("utf-8", "replace"))
        mark = (data.count(b"\n", 0, error.start), column)
        why = f"the text is not UTF-8: byte 0x{data[error.start]:02x}"
        answer = _UTF8_ANSWERS.get(error.reason, "invalid trailing UTF-8 octet")
        raise Refused(mark, why, f"yaml: {answer}") from None


_UTF8_ANSWERS = {
    "invalid start byte": "invalid leading UTF-8 octet",
    "unexpected end of data": "incomplete UTF-8 octet sequence",
}
