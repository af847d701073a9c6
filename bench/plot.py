"""Measure how ``matrix`` grows with the cluster and draw it: docs/scale.svg.

python -m bench.plot [--runs N]        (prints the figures that it draws)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from math import log10
from pathlib import Path
from typing import NamedTuple

from bench.bare import large, write_json
from bench.measure import apart, run_once
from bench.promises import RINGFENCE

ROOT = Path(__file__).parents[1]
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 40, 48, 56
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .grid { stroke: #ddd } .axis { stroke: #222 }
  .line { fill: none; stroke-width: 2 }
  .plain { stroke: #1b6ca8 } .cut { stroke: #b3541e }
  polyline.cut { stroke-dasharray: 7 4 }
  circle { fill: #fff; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    svg { background: #14171a } text { fill: #ddd } circle { fill: #14171a }
    .grid { stroke: #333 } .axis { stroke: #ddd }
  }
"""


class Line(NamedTuple):
    """What is measured at every size: its name, how it is grouped, and whether cut."""

    name: str
    words: str
    by: str
    cut: bool


LINES = (
    Line("plain", "five workloads a namespace, --by class", "class", cut=False),
    Line("cut", "ipBlocks part every pod, --by namespace", "namespace", cut=True),
)


class Point(NamedTuple):
    """The least of some runs at one size: seconds of computing, bytes at the peak."""

    pods: int
    cpu: float
    peak: int


def main() -> None:
    """Measure both kinds of cluster at every size, print and draw them."""
    parser = argparse.ArgumentParser(prog="bench.plot", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of which the best counts")
    runs = parser.parse_args().runs
    found = {line: list(points(line, runs)) for line in LINES}
    (ROOT / "docs" / "scale.svg").write_text(drawn(found))


def points(line: Line, runs: int) -> Iterator[Point]:
    """Yield the point of each size, printed as it is measured."""
    for pods in SIZES:
        with tempfile.TemporaryDirectory(prefix="ringfence-plot-") as folder:
            place = Path(folder) / "list.json"
            size = large(pods, cut=line.cut)
            manifest = apart(partial(write_json, place, size))
            command = (
                RINGFENCE,
                "matrix",
                "--by",
                line.by,
                "-o",
                "json",
                "-f",
                str(manifest),
            )
            measured = [
                run_once(command, cwd=ROOT, codes=frozenset({0})) for _ in range(runs)
            ]
        point = Point(
            pods, min(run.cpu for run in measured), max(run.peak for run in measured)
        )
        print(
            f"{line.name:10}{pods:8}{point.cpu:9.2f} s{point.peak / 1e6:8.0f} MB",
            flush=True,
        )
        yield point


def across(pods: float) -> float:
    """Return where a number of pods stands on the picture, from the left."""
    share = (log10(pods) - 3) / 2
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def down(seconds: float) -> float:
    """Return where a time stands on the picture, from the top: 0.1 s to 100 s."""
    share = (log10(seconds) + 1) / 3
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def drawn(found: dict[Line, list[Point]]) -> str:
    """Return the picture, both axes logarithmic."""
    parts = list(grid())
    for line, measured in found.items():
        parts += curve(line, measured)
    body = "\n".join(parts)
    title = "ringfence matrix: computing time by the number of pods"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img"><title>{title}</title><style>{STYLE}</style>\n'
        f'<text x="{LEFT}" y="24">Whole process, JSON in and out: CPU time</text>\n'
        f"{body}\n</svg>\n"
    )


def grid() -> Iterator[str]:
    """Yield the axes with their words."""
    low, high = HEIGHT - BOTTOM, WIDTH - RIGHT
    for pods in SIZES:
        x = across(pods)
        yield f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{low}"/>'
        yield f'<text x="{x}" y="{low + 20}" text-anchor="middle">{pods:,}</text>'
    for seconds in (0.1, 1, 10, 100):
        y = down(seconds)
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{high}" y2="{y}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{seconds:g} s</text>'
    yield f'<line class="axis" x1="{LEFT}" y1="{low}" x2="{high}" y2="{low}"/>'
    yield f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{low}"/>'
    middle = (LEFT + high) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">pods</text>'


def curve(line: Line, measured: Sequence[Point]) -> Iterator[str]:
    """Yield a line, its points and its name at the end."""
    places = [(across(point.pods), down(point.cpu)) for point in measured]
    yield _path(line.name, places)
    for x, y in places:
        yield f'<circle class="{line.name}" cx="{x}" cy="{y}" r="4"/>'
    # The upper line's name stands above its end, the lower one's clear of it, below.
    x = places[-1][0]
    y = places[-1][1] - 14 if line.cut else places[-3][1] + 30
    yield f'<text x="{x - 8}" y="{y}" text-anchor="end">{line.words}</text>'


def _path(name: str, places: Sequence[tuple[float, float]]) -> str:
    spots = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline class="line {name}" points="{spots}"/>'


if __name__ == "__main__":
    main()
