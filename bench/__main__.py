"""Measure what is promised; exit code 1 if a promise is not kept.

python -m bench [--runs N] [NAME ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measure import Summary, Unexpected, measure
from bench.promises import PROMISES, Promise

ROOT = Path(__file__).parents[1]
HEAD = (
    f"{'':20}{'min':>9}{'median':>9}{'max':>9}{'cpu':>9}{'peak':>9}"
    f"{'goal':>12}{'of goal':>9}"
)


def main() -> int:
    """Print one line a promise, as it is measured."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a promise")
    parser.add_argument("--runs", type=int, help="how often, instead of the table's")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {promise.name for promise in PROMISES}
    if unknown:
        names = ", ".join(promise.name for promise in PROMISES)
        parser.error(f"no promise {', '.join(sorted(unknown))}; there are {names}")
    chosen = [p for p in PROMISES if not arguments.names or p.name in arguments.names]
    print(HEAD)
    # A list, not a generator: a broken promise must not hide the ones after it.
    kept = [keep(promise, arguments.runs) for promise in chosen]
    return 0 if all(kept) else 1


def keep(promise: Promise, runs: int | None) -> bool:
    """Measure and print one promise; tell whether it is kept."""
    print(f"{promise.name:20}", end="", flush=True)
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        job = promise.prepare(Path(folder))
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
    bound = ">=" if promise.rate else "<="
    goal = f"{bound} {promise.goal:g} {promise.unit}"
    share = promise.share(summary.median, size)
    held = f"{summary.cpu:7.3f} s{summary.peak / 1e6:6.0f} MB"
    return f"{times}{held}{goal:>12}{share:9.0%}"


sys.exit(main())
