"""Files, directories and standard input into documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import (
    Document,
    PartlyReadError,
    Readings,
    Texts,
    read_documents,
)

STDIN = "-"
WORTH_SHARING = 1_000_000
"""Bytes of a source that several processors read sooner than one."""

MAGIC = b"\x1f\x8b"
"""How compressed files begin (RFC 1952)."""

MOST_BYTES = 256 * 1024 * 1024
MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")
_ADDRESSES = ("http://", "https://")


def read_sources(
    paths: Sequence[str], *, recursive: bool, stdin: BinaryIO
) -> list[Document]:
    """Return the documents of these files, directories and ``-`` in order.

    Of a directory the ``*.yaml``, ``*.yml`` and ``*.json`` files are read,
    sorted by name; with ``recursive`` those below it too, hidden directories
    left out. A file named twice is read once. Sources keep the names that the
    user wrote. Raises PartlyReadError with the problems of all sources.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for path in paths:
        try:
            sources = list(_sources(path, recursive=recursive))
        except InputError as error:
            problems += error.problems
            continue
        for source in sources:
            real = source if source == STDIN else os.path.realpath(source)
            if real in seen:
                continue
            seen.add(real)
            try:
                data = _manifest(source, stdin)
                share = _share if len(data) >= WORTH_SHARING else None
                documents += read_documents(data, _shown(source), share)
            except PartlyReadError as error:
                problems += error.problems
                documents += error.documents
            except InputError as error:
                problems += error.problems
    if not documents and not problems:
        shown = ", ".join(map(_shown, paths))
        problems.append(Problem(shown, "there is no object to read"))
    if problems:
        raise PartlyReadError(problems, documents)
    return documents


def _share(work: Callable[[Texts], Readings], texts: Texts) -> list[Readings]:
    """Have every processor read a part."""
    from ringfence.adapters.forks import spread  # noqa: PLC0415 - rarely worth it

    return spread(work, texts, least=1)


def _sources(path: str, *, recursive: bool) -> Iterator[str]:
    """Yield the files that one ``-f`` means; raises InputError if there is none."""
    if path == STDIN:
        yield path
        return
    if path.startswith(_ADDRESSES):
        hint = "fetch it and give the file, or pipe it into -f -"
        raise InputError([Problem(path, "addresses of the web are not read", "", hint)])
    if not os.path.isdir(path):  # noqa: PTH112 - the name stays as the user wrote it
        yield path
        return
    found = False
    for source in _manifests(path, recursive=recursive):
        found = True
        yield source
    if not found:
        raise InputError([_no_manifests(path, recursive=recursive)])


def _manifests(directory: str, *, recursive: bool) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError([_unreadable(directory, error)]) from error
    for entry in entries:
        if entry.is_file() and entry.name.endswith(MANIFEST_SUFFIXES):
            yield entry.path
    for entry in entries:
        hidden = entry.name.startswith(".")
        if recursive and not hidden and entry.is_dir(follow_symlinks=False):
            yield from _manifests(entry.path, recursive=True)


def _no_manifests(directory: str, *, recursive: bool) -> Problem:
    hint = ""
    with suppress(InputError):  # what is below was not asked for
        if not recursive and next(_manifests(directory, recursive=True), None):
            hint = "there are some in directories below: add -R"
    kinds = ", ".join(f"*{suffix}" for suffix in MANIFEST_SUFFIXES)
    return Problem(
        _shown(directory), f"no manifest in this directory ({kinds})", "", hint
    )


def _manifest(source: str, stdin: BinaryIO) -> bytes:
    """Return the bytes of a source; raises InputError where they are compressed."""
    data = read_bytes(source, stdin)
    if data.startswith(MAGIC):
        hint = "a snapshot is read by --snapshot, anything else unpacked"
        raise InputError([Problem(_shown(source), "this is compressed", "", hint)])
    return data


def read_bytes(source: str, stdin: BinaryIO | None) -> bytes:
    """Return the bytes of a source; one over ``MOST_BYTES`` is not read to its end."""
    try:
        if source == STDIN and stdin is not None:
            data = stdin.read(MOST_BYTES + 1)
        else:
            with open(source, "rb") as stream:  # noqa: PTH123 - pipes and the user's name
                data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError([_unreadable(source, error)]) from error
    if len(data) > MOST_BYTES:
        size = f"more than {MOST_BYTES // 1024**2} MiB"
        raise InputError([Problem(_shown(source), f"{size}: too large to read")])
    return data


def _unreadable(source: str, error: OSError | ValueError) -> Problem:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = ""
    if isinstance(error, FileNotFoundError):
        near = near_path(Path(source))
        hint = f"did you mean {near}?" if near else ""
    return Problem(_shown(source), (reason or "cannot be read").lower(), "", hint)


def near_path(missing: Path) -> str:
    """Return a path like the missing one that exists, or nothing."""
    try:
        names = [entry.name for entry in missing.parent.iterdir()]
    except OSError:
        return ""
    close = get_close_matches(missing.name, names, n=1)
    return _shown(str(missing.with_name(close[0]))) if close else ""


def _shown(source: str) -> str:
    """Return the name as text that any stream takes."""
    return os.fsencode(source).decode("utf-8", "backslashreplace")
