"""Whatever manifests come from, in the order given: one layer a source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import chain
from typing import BinaryIO

from ringfence.adapters.inputs import helm, kustomize
from ringfence.adapters.inputs.files import read_sources
from ringfence.adapters.inputs.git import Commit
from ringfence.adapters.inputs.snapshot import read_snapshot
from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import Document, PartlyReadError


class Kind(Enum):
    """Where manifests come from, by the option that says so."""

    FILES = "-f"
    KUSTOMIZE = "-k"
    HELM = "--helm"
    GIT = "--git"
    SNAPSHOT = "--snapshot"


@dataclass(frozen=True, slots=True)
class Source:
    """One source: a path, a directory, a chart, ``REF:PATH`` or a snapshot.

    ``shown`` is what the user calls it, where that differs.
    """

    kind: Kind
    place: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read; ``apart``: each ``-f`` is a layer of its own."""

    stdin: BinaryIO
    recursive: bool = False
    values: helm.Values = field(default_factory=helm.Values)
    apart: bool = False


def read_layers(sources: Sequence[Source], reading: Reading) -> list[list[Document]]:
    """Return the documents of each source; raises PartlyReadError with all problems.

    Files that need not be told apart are one layer: one named twice is read once.
    """
    return gather(partial(_read, group, reading) for group in _groups(sources, reading))


def gather(readings: Iterable[Callable[[], list[Document]]]) -> list[list[Document]]:
    """Return what each of them reads; raises PartlyReadError with all problems."""
    layers: list[list[Document]] = []
    problems: list[Problem] = []
    for read in readings:
        try:
            layers.append(read())
        except PartlyReadError as error:
            problems += error.problems
            layers.append([*error.documents])
        except InputError as error:
            problems += error.problems
    if problems:
        raise PartlyReadError(problems, chain.from_iterable(layers))
    return layers


def _groups(sources: Sequence[Source], reading: Reading) -> Iterator[list[Source]]:
    """Yield sources that are read together: all files at once, or none."""
    if not reading.apart:
        files = [source for source in sources if source.kind is Kind.FILES]
        if files:
            yield files
        sources = [source for source in sources if source.kind is not Kind.FILES]
    yield from ([source] for source in sources)


def _read(group: list[Source], reading: Reading) -> list[Document]:
    source = group[0]
    match source.kind:
        case Kind.FILES:
            paths = [one.place for one in group]
            return read_sources(paths, recursive=reading.recursive, stdin=reading.stdin)
        case Kind.KUSTOMIZE:
            return kustomize.build(source.place, source.shown)
        case Kind.HELM:
            return helm.template(source.place, reading.values, source.shown)
        case Kind.GIT:
            return _read_git(source.place, recursive=reading.recursive)
        case Kind.SNAPSHOT:
            return read_snapshot(source.place, reading.stdin)


def _read_git(place: str, *, recursive: bool) -> list[Document]:
    """Return what ``REF:PATH`` names, the path as git reads it: from the root."""
    ref, colon, path = place.partition(":")
    if not colon or not ref:
        hint = "as in main:deploy/policies"
        raise InputError([Problem(place, "must be REF:PATH", "", hint)])
    from_root = not path.startswith("./")
    return Commit(ref).documents(
        path, recursive=recursive, from_root=from_root, named=True
    )
