"""Manifests as a git commit has them, read through ``git`` (git-cat-file(1))."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from io import BytesIO
from pathlib import PurePosixPath
from typing import NamedTuple

from ringfence.adapters.inputs.files import MANIFEST_SUFFIXES, MOST_BYTES
from ringfence.adapters.inputs.kustomize import own_words
from ringfence.adapters.process import EndedRaw, find_program, run_raw
from ringfence.errors import InputError, KernelError, Problem
from ringfence.manifest.reader import Document, PartlyReadError, read_documents

MISSING = "git is not installed, and a commit was to be read"
_TIMEOUT_S = 60.0

_FILE, _LINK = "100", "120000"
"""How the modes of files begin, and the mode of a symbolic link."""

_BLOB, _OUTSIDE = "blob", "symlink"
_NO_OBJECT = frozenset({_OUTSIDE, "dangling", "loop", "notdir"})


class _Blob(NamedTuple):
    """A file of a commit; ``path`` is relative to what was asked for.

    Of a symbolic link ``link`` is its path as git has it, else nothing.
    """

    path: str
    name: str
    size: int
    link: bytes = b""


class Commit:
    """One commit of the repository that a directory belongs to."""

    def __init__(self, ref: str, directory: str = ".") -> None:
        """Find the commit; raises InputError with near names, KernelError."""
        program = find_program("git")
        if program is None:
            raise KernelError(MISSING)
        self.ref = ref
        self._git = (program, "-C", directory)
        found = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if ref.startswith("-") or found.code != 0:
            raise InputError(self._no_ref(ref))
        self._hash = found.output.decode().strip()

    def documents(
        self, path: str, *, recursive: bool, from_root: bool, named: bool
    ) -> list[Document]:
        """Return the documents of a file or a directory of the commit.

        ``from_root``: the path starts at the repository's root, else at the
        directory. ``named`` puts ``REF:`` before the names of sources. Raises
        InputError with every problem.
        """
        documents: list[Document] = []
        problems: list[Problem] = []
        for blob, data in self._contents(path, recursive=recursive, root=from_root):
            source = f"{self.ref}:{blob.path}" if named else blob.path
            try:
                documents += read_documents(data, source)
            except PartlyReadError as error:
                problems += error.problems
                documents += error.documents
        if problems:
            raise PartlyReadError(problems, documents)
        return documents

    def export(self, directory: str) -> None:
        """Write the whole tree into an empty directory; raises InputError.

        Links that lead out of it are left out: nothing there is of the commit.
        """
        if sum(blob.size for blob in self._blobs("", root=True)) > MOST_BYTES:
            raise InputError([Problem(self.ref, "the commit is too large to unpack")])
        # From below the top git would archive no more than what is there.
        top = self._run("rev-parse", "--show-cdup").output.decode().strip()
        ended = self._run("-C", top or ".", "archive", "--format=tar", self._hash)
        if ended.code != 0:
            raise InputError([Problem(self.ref, ended.complaint.strip())])
        with tarfile.open(fileobj=BytesIO(ended.output)) as archive:
            inside = [one for one in archive.getmembers() if _stays_inside(one)]
            # Since Python 3.11.4 there is a second guard; without one 3.12 warns.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(directory, inside)  # noqa: S202 - looked at above

    def prefix(self) -> str:
        """Return the directory's path inside the repository, empty at the root."""
        return self._run("rev-parse", "--show-prefix").output.decode().strip()

    def _contents(
        self, path: str, *, recursive: bool, root: bool
    ) -> Iterator[tuple[_Blob, bytes]]:
        blobs = self._chosen(path, root=root, recursive=recursive)
        blobs = self._followed(path, blobs, root=root)
        if sum(blob.size for blob in blobs) > MOST_BYTES:
            raise InputError([Problem(self._shown(path), "too large to read")])
        names = "".join(f"{blob.name}\n" for blob in blobs)
        output = self._run("cat-file", "--batch", data=names.encode()).output
        start = 0
        for blob in blobs:
            start = output.index(b"\n", start) + 1
            yield blob, output[start : start + blob.size]
            start += blob.size + 1

    def _blobs(self, path: str, *, root: bool) -> list[_Blob]:
        full = ["--full-tree"] if root else []
        listed = self._run(
            "ls-tree", "-r", "-z", "-l", *full, self._hash, "--", path or "."
        )
        found: list[_Blob] = []
        for line in listed.output.split(b"\0")[:-1]:
            head, _, name = line.partition(b"\t")
            mode, _, blob, size = head.decode().split()
            link = name if mode == _LINK and b"\n" not in name else b""
            if mode.startswith(_FILE) or link:
                shown = name.decode("utf-8", "backslashreplace")
                found.append(_Blob(shown, blob, int(size), link))
        return found

    def _followed(
        self, path: str, blobs: Sequence[_Blob], *, root: bool
    ) -> list[_Blob]:
        """Return the files, links as what they lead to; ``-f`` follows them, too.

        One that leads to no file is passed over as there. Raises InputError for
        those that lead out of the commit, and where no file is left.
        """
        links = [blob for blob in blobs if blob.link]
        start = f"{self._hash}:{'' if root else './'}".encode()
        names = b"".join(start + blob.link + b"\n" for blob in links)
        ends = iter(self._ends(names) if links else ())
        found: list[_Blob] = []
        problems: list[Problem] = []
        for blob in blobs:
            name, kind, size = (
                next(ends) if blob.link else (blob.name, _BLOB, blob.size)
            )
            if kind == _BLOB:
                found.append(_Blob(blob.path, name, size))
            elif kind == _OUTSIDE:
                text = f"the link leads out of the commit, to {name}"
                problems.append(Problem(self._shown(blob.path), text))
        if not found and not problems:
            problems.append(Problem(self._shown(path), "the link leads to no file"))
        if problems:
            raise InputError(problems)
        return found

    def _ends(self, names: bytes) -> Iterator[tuple[str, str, int]]:
        """Yield where links lead: the object, its type and size (git-cat-file(1)).

        Instead of a type, why it is none, and instead of the object the path to it.
        """
        asked = ("cat-file", "--batch-check", "--follow-symlinks")
        output = self._run(*asked, data=names).output
        while output:
            line, _, output = output.partition(b"\n")
            first, *rest = line.decode().split(" ")
            if first in _NO_OBJECT:
                size = int(rest[0])
                way = output[:size].decode("utf-8", "backslashreplace")
                output = output[size + 1 :]
                yield way, first, 0
            else:
                yield first, rest[0], int(rest[1])

    def _chosen(self, path: str, *, root: bool, recursive: bool) -> list[_Blob]:
        """Return the file itself, or a directory's manifests as ``-f`` reads them."""
        blobs = self._blobs(path, root=root)
        wanted = posixpath.normpath(path or ".")
        if len(blobs) == 1 and posixpath.normpath(blobs[0].path) == wanted:
            return blobs
        if not blobs:
            near = self._near(wanted, root=root)
            hint = f"did you mean {near}?" if near else ""
            text = "the commit has no such path"
            raise InputError([Problem(self._shown(path), text, "", hint)])
        found = _manifests(wanted, blobs, recursive=recursive)
        if not found:
            text = "no manifest in this directory of the commit"
            below = not recursive and _manifests(wanted, blobs, recursive=True)
            hint = "there are some in directories below: add -R" if below else ""
            raise InputError([Problem(self._shown(path), text, "", hint)])
        return found

    def _near(self, missing: str, *, root: bool) -> str:
        """Return a path of the commit like the missing one, or nothing."""
        parent, name = posixpath.split(missing)
        depth = len(parent) + 1 if parent else 0
        beside = self._blobs(parent, root=root)
        names = {blob.path[depth:].partition("/")[0] for blob in beside}
        close = get_close_matches(name, sorted(names), n=1)
        return posixpath.join(parent, close[0]) if close else ""

    def _shown(self, path: str) -> str:
        return f"{self.ref}:{path}"

    def _no_ref(self, ref: str) -> list[Problem]:
        inside = self._run("rev-parse", "--git-dir")
        if "not a git repository" in inside.complaint:
            text = "this is no git repository, so there is no such commit"
            return [Problem(ref, text)]
        if inside.code != 0:
            return own_words(inside, ref, {})
        listed = self._run("for-each-ref", "--format=%(refname:short)")
        known = ["HEAD", *listed.output.decode("utf-8", "replace").split()]
        near = get_close_matches(ref, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else ""
        text = "the repository has no such branch, tag or commit"
        return [Problem(ref, text, "", hint)]

    def _run(self, *words: str, data: bytes = b"") -> EndedRaw:
        return run_raw([*self._git, *words], data, timeout_s=_TIMEOUT_S)


def _manifests(
    directory: str, blobs: Sequence[_Blob], *, recursive: bool
) -> list[_Blob]:
    """Return the files that ``-f`` on the directory would read."""
    return [
        blob
        for blob in blobs
        if blob.path.endswith(MANIFEST_SUFFIXES)
        and _within(posixpath.relpath(blob.path, directory), recursive=recursive)
    ]


def _within(relative: str, *, recursive: bool) -> bool:
    """Whether ``-f`` on the directory would read a file at this path below it."""
    *folders, _ = relative.split("/")
    hidden = any(folder.startswith(".") for folder in folders)
    return not folders or (recursive and not hidden)


def _stays_inside(member: tarfile.TarInfo) -> bool:
    """Whether an entry of an archive, and where a link leads, is below the top."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return False
    if not member.issym():
        return member.isfile() or member.isdir()
    target = PurePosixPath(member.linkname)
    up = [part for part in target.parts if part == ".."]
    # Only a way that first goes up, and no further than the top, is what it looks like.
    climbs_first = target.parts[: len(up)] == tuple(up)
    return not target.is_absolute() and climbs_first and len(up) < len(path.parts)
