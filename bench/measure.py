"""Run a program a few times and say how long it took and how much memory it held."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Unexpected(Exception):  # noqa: N818 - it is an outcome of a program, not our error
    """The program ended with another exit code than it should; str is why."""


class Run(NamedTuple):
    """One run of a whole process, from fork to exit: seconds, and bytes at the peak.

    ``cpu`` is what its processes computed, user and system; what else the machine does
    moves it less than the time on the clock.
    """

    seconds: float
    cpu: float
    peak: int


class Summary(NamedTuple):
    """What several runs come to, in seconds; cpu is the median, the peak the worst."""

    least: float
    median: float
    most: float
    cpu: float
    peak: int


def measure(
    command: Sequence[str], runs: int, *, cwd: Path, codes: frozenset[int]
) -> Summary:
    """Run the command once to warm the caches of the disk, then `runs` times."""
    run_once(command, cwd=cwd, codes=codes)
    measured = [run_once(command, cwd=cwd, codes=codes) for _ in range(runs)]
    seconds = [run.seconds for run in measured]
    return Summary(
        min(seconds),
        statistics.median(seconds),
        max(seconds),
        statistics.median(run.cpu for run in measured),
        max(run.peak for run in measured),
    )


def run_once(command: Sequence[str], *, cwd: Path, codes: frozenset[int]) -> Run:
    """Run the command to its end; Unexpected unless its exit code is one of `codes`.

    A traceback is unexpected whatever the code. The peak is that of the largest process
    of the command's tree, and no less than this process's own, since the kernel counts
    what a child held before it became the program: whoever measures stays small.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if process.returncode not in codes or "Traceback (most recent call last):" in said:
        last = said[-1] if said else "it said nothing"
        raise Unexpected(f"exit code {process.returncode}: {last}")
    # Linux counts ru_maxrss in KiB: getrusage(2).
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def apart(call: Callable[[], T]) -> T:
    """Return what a call makes in a process of its own, which keeps what it held."""
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: there.send(call()))
    child.start()
    there.close()
    made: T = here.recv()
    child.join()
    return made
