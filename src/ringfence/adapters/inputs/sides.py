"""One side of a comparison: a file, a directory, a snapshot, or a commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ringfence.adapters.inputs.files import STDIN, near_path
from ringfence.adapters.inputs.git import Commit
from ringfence.adapters.inputs.snapshot import is_snapshot
from ringfence.adapters.inputs.sources import (
    Kind,
    Reading,
    Source,
    gather,
    read_layers,
)
from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import Document

LIVE = "live"
"""The side that is the cluster of ``--live``."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What is read inside a commit or a directory, and what both sides share."""

    sources: tuple[Source, ...] = ()
    shared: tuple[str, ...] = ()


def read_side(side: str, inside: Inside, reading: Reading) -> list[list[Document]]:
    """Return the layers that a side stands for, the shared ones first.

    An existing path or ``-`` is read as such; ``REF:PATH`` and ``REF`` are git's.
    Raises InputError, KernelError.
    """
    shared = [_of_path(path) for path in inside.shared]
    path = Path(side)
    if path.is_dir() and inside.sources:
        own = [_moved(source, path, side) for source in inside.sources]
        return read_layers([*shared, *own], reading)
    if path.exists() or side == STDIN:
        if inside.sources:
            text = "-f, -k and --helm name what is read inside a commit or a directory"
            hint = "--with adds manifests to both sides"
            raise InputError([Problem(side, text, "", hint)])
        return read_layers([*shared, _of_path(side)], reading)
    layers = read_layers(shared, reading)
    ref, colon, inner = side.partition(":")
    if colon:
        commit = Commit(ref)
        from_root = not inner.startswith("./")
        found = commit.documents(
            inner, recursive=reading.recursive, from_root=from_root, named=False
        )
        return [*layers, found]
    return layers + _of_commit(_commit(side), inside.sources, reading)


def _commit(side: str) -> Commit:
    """Return the commit; raises InputError, which says that it is no file either."""
    try:
        return Commit(side)
    except InputError as error:
        first, *rest = error.problems
        near = near_path(Path(side))
        hint = first.hint or (f"did you mean {near}?" if near else "")
        if side == LIVE:
            hint = "with --live it is the cluster"
        text = f"no such file or directory, and {first.message}"
        raise InputError([replace(first, message=text, hint=hint), *rest]) from None


def _of_path(path: str) -> Source:
    return Source(Kind.SNAPSHOT if is_snapshot(path) else Kind.FILES, path)


def _moved(source: Source, root: Path, shown: str) -> Source:
    """Return a source as it is inside a directory that the user calls otherwise."""
    if source.kind in {Kind.GIT, Kind.SNAPSHOT}:
        text = f"{source.kind.value} is not read inside a directory or a commit"
        raise InputError([Problem(shown, text, "", "--with adds to both sides")])
    return replace(source, place=str(root / source.place), shown=source.place)


def _of_commit(
    commit: Commit, sources: Sequence[Source], reading: Reading
) -> list[list[Document]]:
    if not sources:
        hint = "-f PATH, -k DIR or --helm CHART; or write REF:PATH"
        text = "say what is to be read of this commit"
        raise InputError([Problem(commit.ref, text, "", hint)])
    with TemporaryDirectory(prefix="ringfence-") as directory:
        root = Path(directory) / commit.prefix()
        if any(source.kind is not Kind.FILES for source in sources):
            commit.export(directory)
        return gather(
            partial(_inside_commit, commit, source, root, reading) for source in sources
        )


def _inside_commit(
    commit: Commit, source: Source, root: Path, reading: Reading
) -> list[Document]:
    """Return what a source is in a commit, which stands at ``root`` for programs."""
    if source.kind is Kind.FILES:
        return commit.documents(
            source.place, recursive=reading.recursive, from_root=False, named=False
        )
    moved = _moved(source, root, commit.ref)
    (found,) = read_layers([moved], _values_inside(reading, root))
    return found


def _values_inside(reading: Reading, root: Path) -> Reading:
    """Return a reading whose files of values are those of the commit."""
    files = tuple(str(root / file) for file in reading.values.files)
    return replace(reading, values=replace(reading.values, files=files))
