"""Tracks: which line runs where in the channel between two columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ringfence.report.drawing.placing import FRAME_PAD, Plan
from ringfence.report.drawing.routing import Net, Router
from ringfence.report.picture.picture import Line

TRACK = 9.0
MARGIN = 13.0
CLEARANCE = 6.0

Point = tuple[float, float]


@dataclass(slots=True)
class _Use:
    """What a net does in a channel: its extent, and where it leaves to either side."""

    low: float
    high: float
    left: set[float] = field(default_factory=set)
    right: set[float] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Routes:
    """Corner points of every line, and the columns' left edges, with the width."""

    points: Mapping[Line, tuple[Point, ...]]
    lefts: tuple[float, ...]
    width: float


def routes(plan: Plan, router: Router, widths: Sequence[float]) -> Routes:
    """Return the coordinates of all lines; ``widths`` are those of the columns."""
    visits = {line: router.visits(line) for line in router.lines}
    tracks, counts = _tracks(plan, router, visits)
    lefts: list[float] = []
    starts: list[float] = []
    x = 0.0
    for channel in range(plan.columns + 1):
        before, after = _pads(plan, channel)
        starts.append(x + before + MARGIN)
        inner = TRACK * (counts[channel] - 1) if counts[channel] else 0.0
        edge = channel in {0, plan.columns} and not counts[channel]
        x += before + after + (MARGIN if edge else 2 * MARGIN + inner)
        if channel < plan.columns:
            lefts.append(x)
            x += widths[channel]
    sheet = _Sheet(tracks, starts, lefts, widths)
    points = {
        line: _corners(plan, router.nets[line], line, of, sheet)
        for line, of in visits.items()
    }
    return Routes(points, tuple(lefts), x)


def _pads(plan: Plan, channel: int) -> tuple[float, float]:
    """Return the room for the borders of the frames beside a channel."""
    before = after = 0.0
    if channel > 0:
        strip = plan.strip_of(channel - 1)
        before = FRAME_PAD if strip.frames and strip.last == channel - 1 else 0.0
    if channel < plan.columns:
        strip = plan.strip_of(channel)
        after = FRAME_PAD if strip.frames and strip.first == channel else 0.0
    return before, after


def _tracks(
    plan: Plan, router: Router, visits: Mapping[Line, list[tuple[int, float, float]]]
) -> tuple[dict[tuple[int, Net], int], list[int]]:
    uses: list[dict[Net, _Use]] = [{} for _ in range(plan.columns + 1)]
    for line, of in visits.items():
        forward = plan.boxes[line.target].first > plan.boxes[line.source].last
        for number, (channel, start, end) in enumerate(of):
            net = router.nets[line]
            use = uses[channel].setdefault(net, _Use(start, start))
            use.low = min(use.low, start, end)
            use.high = max(use.high, start, end)
            first, last = number == 0, number == len(of) - 1
            (use.left if first or forward else use.right).add(start)
            (use.right if last or forward else use.left).add(end)
    tracks: dict[tuple[int, Net], int] = {}
    counts = []
    for channel, of_channel in enumerate(uses):
        numbers = _assigned(of_channel)
        tracks |= {(channel, net): number for net, number in numbers.items()}
        counts.append(max(numbers.values(), default=-1) + 1)
    return tracks, counts


def _assigned(uses: Mapping[Net, _Use]) -> dict[Net, int]:
    """Give every net a track: no two overlap, and stubs at one height do not meet."""
    order = sorted(uses, key=lambda net: (uses[net].low, uses[net].high, net))
    before: dict[Net, set[Net]] = {net: set() for net in order}
    for one in order:
        for other in order:
            if one != other and _touch(uses[one].left, uses[other].right):
                before[other].add(one)
    waiting = {net: set(of) for net, of in before.items()}
    numbers: dict[Net, int] = {}
    taken: dict[int, list[_Use]] = defaultdict(list)
    while waiting:
        free = [net for net in order if net in waiting and not waiting[net]]
        # A circle of wishes: somebody has to give in.
        net = free[0] if free else next(n for n in order if n in waiting)
        del waiting[net]
        for of in waiting.values():
            of.discard(net)
        number = max((numbers[n] + 1 for n in before[net] if n in numbers), default=0)
        while any(_overlap(uses[net], other) for other in taken[number]):
            number += 1
        numbers[net] = number
        taken[number].append(uses[net])
    return numbers


def _touch(some: set[float], others: set[float]) -> bool:
    return any(abs(one - other) < CLEARANCE for one in some for other in others)


def _overlap(one: _Use, other: _Use) -> bool:
    return one.low < other.high + CLEARANCE and other.low < one.high + CLEARANCE


class _Sheet(NamedTuple):
    """What fixes the x of everything: tracks, their starts, the columns."""

    tracks: Mapping[tuple[int, Net], int]
    starts: Sequence[float]
    lefts: Sequence[float]
    widths: Sequence[float]


def _corners(
    plan: Plan,
    net: Net,
    line: Line,
    visits: Sequence[tuple[int, float, float]],
    sheet: _Sheet,
) -> tuple[Point, ...]:
    source, target = plan.boxes[line.source], plan.boxes[line.target]
    right = sheet.lefts[source.last] + sheet.widths[source.last]
    left = sheet.lefts[target.first]
    if source.id in plan.bottoms:
        right += FRAME_PAD
    if target.id in plan.bottoms:
        left -= FRAME_PAD
    points = [(right, visits[0][1])]
    for channel, start, end in visits:
        x = sheet.starts[channel] + TRACK * sheet.tracks[channel, net]
        points += [(x, start), (x, end)]
    points.append((left, visits[-1][2]))
    return _straight(points)


def _straight(points: Sequence[Point]) -> tuple[Point, ...]:
    """Leave out points that are no corners."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        while len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == point[0]
            or kept[-2][1] == kept[-1][1] == point[1]
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)
