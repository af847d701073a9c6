"""Lines of flow records from a file, standard input or an agent's socket.

Each source yields lines without their ends, and None once: after what was there
when it was asked.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeAlias

from ringfence.errors import InputError, Problem

Lines: TypeAlias = Iterator[bytes | None]

_LOOK_S = 0.2


def file_lines(path: str, *, follow: bool) -> Lines:
    """Yield a file's lines; ``follow``: then those that come, also after a rotation.

    Raises InputError where it cannot be read.
    """
    stream = _opened(path)
    try:
        yield from _whole(stream)
        yield None
        while follow:
            yield from _whole(stream)
            fresh = _rotated(path, stream)
            if fresh is not None:
                yield from _whole(stream)
                stream.close()
                stream = fresh
            time.sleep(_LOOK_S)
    finally:
        stream.close()


def stdin_lines() -> Lines:
    """Yield standard input's lines as they come."""
    for line in sys.stdin.buffer:
        yield line.rstrip(b"\n")
    yield None


def socket_lines(path: str, *, follow: bool) -> Lines:
    """Yield the lines that an agent remembers; ``follow``: then those that come.

    Raises InputError where no agent serves the path.
    """
    if not follow:
        yield from _remembered(path)
        yield None
        return
    with _connected(path) as live, live.makefile("rb") as stream:
        # Asked for after the first connection, so nothing falls between the two.
        remembered = list(_remembered(path))
        yield from remembered
        yield None
        last = remembered[-1] if remembered else None
        for line in stream:
            text = line.rstrip(b"\n")
            if last is None:
                yield text
            elif text == last:
                last = None


def _remembered(path: str) -> Iterator[bytes]:
    with _connected(path) as connection:
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            for line in stream:
                yield line.rstrip(b"\n")


def _connected(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        made.connect(path)
    except OSError as error:
        made.close()
        reason = error.strerror or str(error)
        hint = "is an agent running here, with this --flow-socket?"
        raise InputError([Problem(path, reason, hint=hint)]) from error
    return made


def _opened(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError([Problem(path, error.strerror or str(error))]) from error


def _whole(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that have their end; the beginning of one is left for later."""
    while line := stream.readline():
        if not line.endswith(b"\n"):
            stream.seek(-len(line), os.SEEK_CUR)
            return
        yield line.rstrip(b"\n")


def _rotated(path: str, stream: IO[bytes]) -> IO[bytes] | None:
    """Return the file that has taken the stream's place, None while there is none."""
    try:
        # Looked at once it is open: it may be moved away at any moment.
        fresh = _opened(path)
    except InputError:
        return None
    here, there = os.fstat(stream.fileno()), os.fstat(fresh.fileno())
    if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
        return fresh
    fresh.close()
    if there.st_size < stream.tell():
        stream.seek(0)
    return None
