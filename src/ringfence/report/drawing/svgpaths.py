"""Ways as path data: where they join their net, and corners that are round."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ringfence.report.drawing.channels import Point

CORNER = 5.0


def until_met(
    points: Sequence[Point], segments: Sequence[tuple[Point, Point]]
) -> tuple[list[Point], bool]:
    """Return the part of a way before it meets what is drawn, and whether it does."""
    kept = [points[0]]
    for start, end in pairwise(points):
        found = [m for seg in segments if (m := _meeting(start, end, seg)) is not None]
        if found:
            near = min(found, key=lambda p: abs(p[0] - start[0]) + abs(p[1] - start[1]))
            if near != kept[-1]:
                kept.append(near)
            return kept, True
        kept.append(end)
    return kept, False


def _meeting(start: Point, end: Point, segment: tuple[Point, Point]) -> Point | None:
    """Return where a piece first touches a drawn one, both at right angles."""
    (x1, x2), (y1, y2) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    (u1, u2), (v1, v2) = (
        sorted((segment[0][0], segment[1][0])),
        sorted((segment[0][1], segment[1][1])),
    )
    low_x, high_x, low_y, high_y = max(x1, u1), min(x2, u2), max(y1, v1), min(y2, v2)
    if low_x > high_x or low_y > high_y:
        return None
    return min(max(start[0], low_x), high_x), min(max(start[1], low_y), high_y)


def length(points: Sequence[Point]) -> float:
    """Return the length of a way."""
    pairs = pairwise(points)
    return sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairs)


def path_data(points: Sequence[Point]) -> str:
    """Return path data with rounded corners."""
    x, y = points[0]
    parts = [f"M{x:.1f} {y:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(CORNER, length((before, corner)) / 2, length((corner, after)) / 2)
        enter, leave = _toward(corner, before, reach), _toward(corner, after, reach)
        parts.append(
            f"L{enter[0]:.1f} {enter[1]:.1f}"
            f"Q{corner[0]:.1f} {corner[1]:.1f} {leave[0]:.1f} {leave[1]:.1f}"
        )
    x, y = points[-1]
    return "".join([*parts, f"L{x:.1f} {y:.1f}"])


def _toward(corner: Point, other: Point, reach: float) -> Point:
    total = length((corner, other)) or 1.0
    part = reach / total
    return (
        corner[0] + (other[0] - corner[0]) * part,
        corner[1] + (other[1] - corner[1]) * part,
    )
