"""Programs run to their end, and what the scheduler is told about ourselves."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ringfence.errors import KernelError

# Where Debian keeps what an ordinary user's PATH does not have.
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class Ended(NamedTuple):
    """How a program ended and what it said."""

    code: int
    output: str
    complaint: str


class EndedRaw(NamedTuple):
    """How a program ended, what it wrote as bytes, and what it said."""

    code: int
    output: bytes
    complaint: str


def find_program(name: str) -> str | None:
    """Return a program's path, also from the administrator's directories."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=os.pathsep.join((path, *_SYSTEM_PATH)))


def run_program(command: Sequence[str], text: str, *, timeout_s: float) -> Ended:
    """Run a program with a text on its standard input.

    Raises KernelError where it cannot start or does not end in time.
    """
    ended = run_raw(command, text.encode(), timeout_s=timeout_s)
    return Ended(ended.code, ended.output.decode("utf-8", "replace"), ended.complaint)


def run_raw(command: Sequence[str], data: bytes, *, timeout_s: float) -> EndedRaw:
    """Run a program with bytes on its standard input.

    Raises KernelError where it cannot start or does not end in time.
    """
    try:
        ended = subprocess.run(  # noqa: S603 - a list of our own, no shell
            command,
            input=data,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise KernelError(f"{command[0]} did not end within {timeout_s:g} s") from error
    except OSError as error:
        raise KernelError(f"cannot run {command[0]}: {error.strerror}") from error
    complaint = ended.stderr.decode("utf-8", "replace")
    return EndedRaw(ended.returncode, ended.stdout, complaint)


def start_module(name: str, descriptor: int) -> subprocess.Popen[bytes]:
    """Start a module of this package as a program that inherits one descriptor.

    The descriptor is its only argument. Raises KernelError.
    """
    # However this package was found, the other process finds the same.
    paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))
    try:
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-m", name, str(descriptor)],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )
    except OSError as error:
        raise KernelError(f"cannot start {sys.executable}: {error.strerror}") from error


@contextmanager
def one_cpu() -> Iterator[None]:
    """Stay on the processor that the thread is on, for a block."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def raise_open_files() -> int:
    """Allow as many open files as this process may have; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
