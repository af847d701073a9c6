"""Where lines run: right angles, in the free channels between columns and rows.

Lines that enter at one place form a net and share their way: many callers of one
port are one trunk. A place that one caller alone uses belongs to that caller's net, a
trunk that branches. So wherever lines of a net meet, no way is read that is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ringfence.report.drawing.placing import LANE, LANE_GRID, Gap, GapKey, Plan, on_grid
from ringfence.report.picture.picture import Line, Pin

Net: TypeAlias = tuple[str, Pin]
"""The end that its lines share, at which ports (empty: all that it alone calls)."""

BEND, FOREIGN, REUSE = 30.0, 60.0, -25.0
"""What a change of height, a strange frame, and a way already taken count in pixels."""


@dataclass(frozen=True, slots=True)
class Path:
    """A line, its net, the gaps it crosses in order and in which columns."""

    line: Line
    net: Net
    crossings: tuple[tuple[int, GapKey], ...]


def nets(lines: Iterable[Line]) -> dict[Line, Net]:
    """Return the net of each line."""
    entering: dict[Net, list[Line]] = defaultdict(list)
    for line in lines:
        entering[line.target, line.pin].append(line)
    found: dict[Line, Net] = {}
    for place, together in entering.items():
        for line in together:
            alone = (line.source, line.pin._replace(ports=""))
            found[line] = place if len(together) > 1 else alone
    return found


def exits(found: Mapping[Line, Net]) -> dict[str, list[Net]]:
    """Return the nets that leave each end, in order of their lines."""
    leaving: dict[str, dict[Net, None]] = defaultdict(dict)
    for line in sorted(found):
        leaving[line.source][found[line]] = None
    return {source: list(of) for source, of in leaving.items()}


class Router:
    """Chooses the gaps that lines cross, then gives each net its lane and track."""

    def __init__(self, plan: Plan, lines: Sequence[Line]) -> None:
        self.plan = plan
        self.lines = lines
        self.nets = nets(lines)
        self._exits = exits(self.nets)
        for end, leaving in self._exits.items():
            box = plan.boxes[end]
            box.exits = len(leaving)
            box.height = max(box.height, LANE * (box.exits + 1))
        plan.stack({})
        self._onward: dict[tuple[Net, int, GapKey], tuple[tuple[int, GapKey], ...]] = {}
        by_distance = sorted(lines, key=lambda line: (self._span(line), line))
        self.paths = {line: self._path(line) for line in by_distance}
        self._lanes = self._lane_orders()
        plan.stack({key: len(of) for key, of in self._lanes.items()})

    def _span(self, line: Line) -> int:
        source, target = self.plan.boxes[line.source], self.plan.boxes[line.target]
        return abs(target.first - source.last - 1)

    def _ends(self, line: Line) -> tuple[float, float]:
        source, target = self.plan.boxes[line.source], self.plan.boxes[line.target]
        number = self._exits[line.source].index(self.nets[line])
        return source.exit(number), target.height_of(line.pin)

    def _path(self, line: Line) -> Path:
        source, target = self.plan.boxes[line.source], self.plan.boxes[line.target]
        net = self.nets[line]
        crossed = (
            list(range(source.last + 1, target.first))
            if target.first > source.last
            else list(range(source.last, target.first - 1, -1))
        )
        crossings = self._cheapest(line, net, crossed) if crossed else ()
        if net[1].ports:
            # A trunk that others have laid leads on from where it is met.
            for at, crossing in enumerate(crossings):
                if (net, *crossing) in self._onward:
                    rest = self._onward[(net, *crossing)]
                    crossings = (*crossings[: at + 1], *rest)
                    break
        for at, crossing in enumerate(crossings):
            self._onward.setdefault((net, *crossing), crossings[at + 1 :])
        return Path(line, net, crossings)

    def _cheapest(
        self, line: Line, net: Net, crossed: Sequence[int]
    ) -> tuple[tuple[int, GapKey], ...]:
        """Return the gaps of the way with the fewest and shortest detours."""
        start, goal = self._ends(line)
        home = {self._frame_of(line.source), self._frame_of(line.target), ""}
        best: list[tuple[float, float, tuple[tuple[int, GapKey], ...]]]
        best = [(0.0, start, ())]
        for column in crossed:
            following = []
            for gap in self.plan.gaps[column]:
                extra = FOREIGN if gap.frame not in home else 0.0
                if (net, column, gap.key) in self._onward:
                    extra += REUSE
                cost, y, way = min(
                    (
                        before + _climb(height, _nearest(gap, height)) + extra,
                        _nearest(gap, height),
                        (*taken, (column, gap.key)),
                    )
                    for before, height, taken in best
                )
                following.append((cost, y, way))
            best = following
        _, way = min((cost + _climb(y, goal), way) for cost, y, way in best)
        return way

    def _frame_of(self, end: str) -> str:
        if end in self.plan.bottoms:
            return end
        box = self.plan.boxes[end]
        strip = self.plan.strip_of(box.first)
        cards = strip.cards.get(box.first, ())
        return next((f"ns/{c.frame}" for c in cards if c.id == end and c.frame), "")

    def _lane_orders(self) -> dict[GapKey, list[Net]]:
        """Return the nets that cross each gap, from the upper lane to the lower.

        The same order in every gap: lines that run together do not change sides.
        """
        crossing: dict[GapKey, set[Net]] = defaultdict(set)
        heights: dict[Net, list[float]] = defaultdict(list)
        for path in self.paths.values():
            heights[path.net] += self._ends(path.line)
            for _, key in path.crossings:
                crossing[key].add(path.net)
        middle = {net: (sum(of) / len(of), net) for net, of in heights.items()}
        return {key: sorted(of, key=middle.__getitem__) for key, of in crossing.items()}

    def lane(self, column: int, key: GapKey, net: Net) -> float:
        """Return the height at which a net crosses a gap."""
        gap = next(g for g in self.plan.gaps[column] if g.key == key)
        order = self._lanes[key]
        room = gap.bottom - gap.top
        step = min(LANE, room / (len(order) + 1))
        middle = (gap.top + gap.bottom) / 2
        height = middle + step * (order.index(net) - (len(order) - 1) / 2)
        return on_grid(height, LANE_GRID)

    def visits(self, line: Line) -> list[tuple[int, float, float]]:
        """Return a line's ways along channels: channel, first and last height."""
        path = self.paths[line]
        y, goal = self._ends(line)
        source, target = self.plan.boxes[line.source], self.plan.boxes[line.target]
        forward = target.first > source.last
        channel = source.last + 1
        found = []
        for column, key in path.crossings:
            crossing = self.lane(column, key, path.net)
            found.append((channel, y, crossing))
            y, channel = crossing, column + 1 if forward else column
        return [*found, (channel, y, goal)]


def _nearest(gap: Gap, height: float) -> float:
    return min(max(height, gap.top), gap.bottom)


def _climb(one: float, other: float) -> float:
    return abs(one - other) + (BEND if abs(one - other) > 1 else 0.0)
