"""Snapshots: one compressed file with only the facts that verdicts need.

Gzip (RFC 1952) of a JSON document, ``ringfence/snapshot/v1``. The same cluster
gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from ringfence.adapters.inputs.files import MAGIC, MOST_BYTES, read_bytes
from ringfence.errors import InputError, Problem
from ringfence.manifest.encode import Encoded, encode_cluster
from ringfence.manifest.reader import Document
from ringfence.manifest.text.places import Places
from ringfence.model.cluster import Cluster

SCHEMA = "ringfence/snapshot/v1"
_FAMILY = "ringfence/snapshot/"
_GZIP = 16 + zlib.MAX_WBITS


def snapshot_bytes(cluster: Cluster) -> bytes:
    """Return the snapshot of a cluster."""
    document = {
        "schema": SCHEMA,
        "objects": [_entry(encoded) for encoded in encode_cluster(cluster)],
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)


def write_snapshot(path: str, data: bytes) -> None:
    """Write a snapshot; what a file held before stays until all is written.

    Not where nothing can be put into its place: of a pipe, of somebody else's file, or
    in a directory that may not be written to. Raises OSError with the name given.
    """
    try:
        _write(Path(path).resolve(), data)
    except OSError as error:
        error.filename = path  # and not the name of what was to take its place
        raise


def _write(target: Path, data: bytes) -> None:
    if target.exists() and not _is_replaceable(target):
        target.write_bytes(data)
        return
    with ExitStack() as undo:
        with NamedTemporaryFile(dir=target.parent, delete=False) as beside:
            undo.callback(Path(beside.name).unlink)
            beside.write(data)
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        Path(beside.name).chmod(mode & 0o777)
        Path(beside.name).replace(target)
        undo.pop_all()


def _is_replaceable(target: Path) -> bool:
    """Whether it is a file of ours, to be written to, and so is its directory."""
    return (
        target.is_file()
        and target.stat().st_uid == os.geteuid()
        and all(os.access(path, os.W_OK) for path in (target, target.parent))
    )


def _umask() -> int:
    """Return the mask of new files' modes, which is read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _entry(encoded: Encoded) -> dict[str, Any]:
    if not encoded.places:
        return {"object": encoded.object}
    places = [[list(path), at.line, at.column] for path, at in encoded.places]
    source = encoded.places[0][1].source
    return {"object": encoded.object, "source": source, "places": places}


def is_snapshot(path: str) -> bool:
    """Whether a file is compressed as a snapshot is; what cannot be read is none.

    A pipe is none, and is left alone: what is read of it is gone.
    """
    if not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_snapshot(path: str, stdin: BinaryIO | None = None) -> list[Document]:
    """Return the objects of a snapshot as documents that know their old places.

    ``-`` is ``stdin``, where there is one. Raises InputError where the file is none,
    is cut short, unpacks to more than ``MOST_BYTES``, or is of another version.
    """
    try:
        document = json.loads(_unpacked(path, stdin))
        objects = _objects(path, document)
        return [_document(path, index, one) for index, one in enumerate(objects)]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError([_damaged(path, "it holds no JSON")]) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError([_damaged(path, "an entry has another form")]) from error


def _unpacked(path: str, stdin: BinaryIO | None) -> bytes:
    packed = read_bytes(path, stdin)
    if not packed.startswith(MAGIC):
        raise InputError([Problem(path, "this is no snapshot of ringfence")])
    engine = zlib.decompressobj(_GZIP)
    try:
        data = engine.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise InputError([_damaged(path, str(error))]) from error
    if not engine.eof and engine.unconsumed_tail:
        size = f"more than {MOST_BYTES // 1024**2} MiB"
        raise InputError([Problem(path, f"it unpacks to {size}: too large to read")])
    if not engine.eof:
        raise InputError([_damaged(path, "it ends too early")])
    return data


def _objects(path: str, document: Any) -> list[Any]:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == SCHEMA:
        found = document["objects"]
        return found if isinstance(found, list) else [found]
    if isinstance(schema, str) and schema.startswith(_FAMILY):
        text = f"a snapshot of version {schema.removeprefix(_FAMILY)}"
        hint = "write it again with this ringfence"
        raise InputError([Problem(path, f"{text}; this ringfence reads v1", "", hint)])
    raise InputError([Problem(path, "this is no snapshot of ringfence")])


def _document(path: str, index: int, entry: Any) -> Document:
    source = str(entry.get("source", path))
    places = {
        tuple(where): ((line - 1, column - 1),) * 2
        for where, line, column in entry.get("places", ())
    }
    return Document(
        source=source,
        index=index,
        value=entry["object"],
        text=b"",
        places=Places(source, _found={(): ((0, 0), (0, 0)), **places}),
    )


def _damaged(path: str, reason: str) -> Problem:
    return Problem(path, f"the snapshot is damaged: {reason}")
