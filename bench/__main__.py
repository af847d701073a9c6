"""Measure what is promised; exit code 1 if a promise is not kept.

Without names: all but those that have to build a kube-apiserver.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measure import Summary, Unexpected, apart, measure
from bench.promises import PROMISES, TRIALS, Promise, Trial

ROOT = Path(__file__).parents[1]
HEAD = (
    f"{'':20}{'min':>9}{'median':>9}{'max':>9}{'cpu':>9}{'peak':>9}"
    f"{'goal':>12}{'of goal':>9}"
)


def main() -> int:
    """Print one line a promise, as it is measured; then what the trials print."""
    parser = argparse.ArgumentParser(
        prog="bench",
        description=__doc__,
        epilog="\n".join(listing()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of those below")
    runs = "how often, instead of the table's; trials run once"
    parser.add_argument("--runs", type=int, help=runs)
    arguments = parser.parse_args()
    names = [each.name for each in (*PROMISES, *TRIALS)]
    unknown = set(arguments.names) - set(names)
    if unknown:
        unsaid = ", ".join(sorted(unknown))
        parser.error(f"no promise {unsaid}; there are {', '.join(names)}")
    promises = [p for p in PROMISES if not arguments.names or p.name in arguments.names]
    # Lists, not generators: a broken promise must not hide the ones after it.
    if promises:
        print(HEAD)
    kept = [keep(promise, arguments.runs) for promise in promises]
    kept += [attempt(trial) for trial in trials(arguments.names)]
    return 0 if all(kept) else 1


def listing() -> Iterator[str]:
    """Yield a line for each promise and trial: its name, goal and conditions."""
    yield "whole runs of a program, and what their median may be:"
    for promise in PROMISES:
        goal = f"{promise.bound} {promise.goal:g} {promise.unit}"
        yield f"  {promise.name:20} {goal:>9}  {promise.what}"
    yield "\ntrials, which measure more than one thing, and how long they take:"
    for trial in TRIALS:
        needs = ", root" * trial.root + ", Go" * trial.build
        conditions = f" ({needs[2:]})" if needs else ""
        yield f"  {trial.name:20} {trial.seconds:7} s  {trial.what}{conditions}"


def trials(names: Sequence[str]) -> list[Trial]:
    """Return the trials of these names; of none, those that can be run just so."""
    if names:
        return [trial for trial in TRIALS if trial.name in names]
    ready = [trial for trial in TRIALS if not trial.build]
    by_name = ", ".join(trial.name for trial in TRIALS if trial.build)
    print(f"only by name, as they build a kube-apiserver: {by_name}")
    if os.geteuid() == 0:
        return ready
    left_out = ", ".join(trial.name for trial in ready if trial.root)
    print(f"not measured, as they need root: {left_out}")
    return [trial for trial in ready if not trial.root]


def attempt(trial: Trial) -> bool:
    """Run a trial, with its own output, and tell whether its goals are kept."""
    print(f"{trial.name}: {trial.what}", flush=True)
    if trial.root and os.geteuid() != 0:
        print("  it needs root")
        return False
    started = time.monotonic()
    kept = subprocess.run(trial.command, cwd=ROOT, check=False).returncode == 0
    print(
        f"{trial.name}: {'kept' if kept else 'MISSED'}"
        f" ({time.monotonic() - started:.0f} s)"
    )
    return kept


def keep(promise: Promise, runs: int | None) -> bool:
    """Measure and print one promise; tell whether it is kept."""
    print(f"{promise.name:20}", end="", flush=True)
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        job = apart(lambda: promise.prepare(Path(folder)))
        try:
            summary = measure(
                job.command, runs or promise.runs, cwd=ROOT, codes=job.codes
            )
        except Unexpected as why:
            print(f"  {why}")
            return False
    print(f"{row(summary, promise, job.size)}\n  {promise.what}")
    return promise.share(summary.median, job.size) <= 1


def row(summary: Summary, promise: Promise, size: int) -> str:
    """Return the figures in the promise's unit; a rate is best where time is least."""
    figures = [promise.figure(seconds, size) for seconds in summary[:3]]
    times = "".join(f"{figure:9.3f}" for figure in figures)
    goal = f"{promise.bound} {promise.goal:g} {promise.unit}"
    share = promise.share(summary.median, size)
    held = f"{summary.cpu:7.3f} s{summary.peak / 1e6:6.0f} MB"
    return f"{times}{held}{goal:>12}{share:9.0%}"


sys.exit(main())
