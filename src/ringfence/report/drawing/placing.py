"""Where cards and frames stand: columns from callers to callees, rows by name.

Places depend on names and on ranks alone, so that two versions of a picture can be
compared; lines only ask for room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple, TypeAlias

from ringfence.report.drawing.ranking import ranks
from ringfence.report.drawing.textwidth import width
from ringfence.report.picture.picture import Card, Frame, Line, Picture, Pin

TITLE, SMALL = 14.0, 11.5
"""Font sizes."""

PAD = 11.0
ROW = 18.0
LANE = 8.0
"""Lines that run beside one another keep this distance."""

GRID = 6.0
PIN_GRID, EXIT_GRID, LANE_GRID = 0.0, 2.0, 4.0
"""Places on either side of a channel that are at different heights cannot meet."""

CARD_GAP, FRAME_GAP, FRAME_PAD = 16.0, 30.0, 14.0
HEADER = 32.0
TOP = 8.0
AMONG, INSIDE = "each other", "inside"
BADGES_WIDE = 28
CARD_WIDTH = (120.0, 290.0)
RANKED_FRAMES = 4
STRIP_HEIGHT = 6
COLUMN_HEIGHT = 7
RANKED_CARDS = 16
"""Cards of one rank in one column, before they take another."""

GapKey: TypeAlias = tuple[str, str, int]
"""What lies below a gap: a card, a frame, the end of a frame's column or of all."""


class Gap(NamedTuple):
    """Free height in a column, for lines to cross it."""

    key: GapKey
    top: float
    bottom: float
    frame: str


@dataclass(slots=True)
class Box:
    """A card or a frame's header: where its lines leave and enter.

    ``first`` and ``last`` are its columns; ``pins`` the texts where lines enter,
    ``exits`` how many leave.
    """

    id: str
    first: int
    last: int
    height: float
    pin_offset: float
    pins: list[Pin] = field(default_factory=list)
    exits: int = 0
    top: float = 0.0

    def height_of(self, pin: Pin) -> float:
        """Return the height at which a line enters."""
        number = self.pins.index(pin)
        return on_grid(self.top + self.pin_offset + ROW * (number + 0.5), PIN_GRID)

    def exit(self, number: int) -> float:
        """Return the height at which a line leaves."""
        below = self.height * (number + 1) / (self.exits + 1)
        return on_grid(self.top + below, EXIT_GRID)


def on_grid(height: float, offset: float) -> float:
    """Return the next height of a grid; those of two grids never are the same."""
    # Halves always go up: equal steps stay equal.
    return floor((height - offset) / GRID + 0.5) * GRID + offset


@dataclass(frozen=True, slots=True)
class Strip:
    """Frames one above the other, on columns of their own; the outside has none."""

    first: int
    last: int
    frames: tuple[Frame, ...]
    cards: Mapping[int, tuple[Card, ...]]


@dataclass(slots=True)
class Plan:
    """Everything's columns and rows; ``stack`` turns them into heights."""

    strips: list[Strip]
    boxes: dict[str, Box]
    columns: int
    gaps: list[list[Gap]] = field(default_factory=list)
    bottoms: dict[str, float] = field(default_factory=dict)
    height: float = 0.0

    def strip_of(self, column: int) -> Strip:
        """Return the strip that a column belongs to."""
        return next(s for s in self.strips if s.first <= column <= s.last)

    def stack(self, lanes: Mapping[GapKey, int]) -> None:
        """Set the heights, with room for the lines that cross each gap."""
        self.gaps = [[] for _ in range(self.columns)]
        for strip in self.strips:
            self._stack_strip(strip, lanes)
        self.height = max(
            (gap.bottom for column in self.gaps for gap in column), default=TOP
        )

    def _stack_strip(self, strip: Strip, lanes: Mapping[GapKey, int]) -> None:
        columns = range(strip.first, strip.last + 1)
        y = TOP
        for frame in strip.frames:
            key: GapKey = ("frame", frame.id, 0)
            below = y + FRAME_GAP + LANE * lanes.get(key, 0)
            for column in columns:
                self.gaps[column].append(Gap(key, y + 4, below - 4, ""))
            header = self.boxes[frame.id]
            header.top = below
            start = below + header.height
            ends = [
                self._stack_cards(strip, column, frame.id, start, lanes)
                for column in columns
            ]
            y = self.bottoms[frame.id] = max(ends)
            for column in columns:
                self._close(column, y)
        if not strip.frames:
            # Where the headers of frames begin.
            y += FRAME_GAP - CARD_GAP
            for column in columns:
                y = max(y, self._stack_cards(strip, column, "", y, lanes))
        key = ("end", "", strip.first)
        below = y + FRAME_GAP + LANE * lanes.get(key, 0)
        for column in columns:
            self.gaps[column].append(Gap(key, y + 4, below, ""))

    def _stack_cards(
        self,
        strip: Strip,
        column: int,
        frame: str,
        y: float,
        lanes: Mapping[GapKey, int],
    ) -> float:
        """Put a frame's cards of a column below one another; return where it ends."""
        for index, card in enumerate(strip.cards.get(column, ())):
            if (f"ns/{card.frame}" if card.frame else "") != frame:
                continue
            key: GapKey = ("card", card.id, 0)
            first = not index or strip.cards[column][index - 1].frame != card.frame
            crossed = lanes.get(key, 0)
            tight = first and frame and not crossed
            below = y + (4 if tight else CARD_GAP) + LANE * crossed
            self.gaps[column].append(Gap(key, y + 3, below - 3, frame))
            self.boxes[card.id].top = below
            y = below + self.boxes[card.id].height
        key = ("tail", frame, column)
        if frame:
            self.gaps[column].append(Gap(key, y + 3, y, frame))
            y += FRAME_PAD + LANE * lanes.get(key, 0)
        return y

    def _close(self, column: int, bottom: float) -> None:
        """Give the free end of a frame's column all the height there is."""
        self.gaps[column][-1] = self.gaps[column][-1]._replace(bottom=bottom - 3)


def plan(picture: Picture) -> Plan:
    """Return a plan of a picture, still without heights."""
    strips: list[Strip] = []
    column = 0
    if picture.callers:
        strips.append(Strip(0, 0, (), {0: picture.callers}))
        column = 1
    for frames in _macro(picture):
        inner = [_inner(frame, picture.lines) for frame in frames]
        columns = max(map(len, inner))
        cards = {
            column + k: tuple(c for cols in inner if k < len(cols) for c in cols[k])
            for k in range(columns)
        }
        strips.append(Strip(column, column + columns - 1, tuple(frames), cards))
        column += columns
    if picture.callees:
        strips.append(Strip(column, column, (), {column: picture.callees}))
        column += 1
    made = Plan(strips, {}, column)
    made.boxes.update(_boxes(picture, strips))
    return made


def _macro(picture: Picture) -> list[list[Frame]]:
    """Put frames into strips: few by rank, many by name, as a newspaper is set."""
    home = {c.id: f.id for f in picture.frames for c in f.cards}
    home |= {f.id: f.id for f in picture.frames}
    edges = {
        (home[line.source], home[line.target])
        for line in picture.lines
        if line.source in home and line.target in home
    }
    edges = {(a, b) for a, b in edges if a != b}
    found = ranks([f.id for f in picture.frames], edges)
    if len(picture.frames) <= RANKED_FRAMES:
        by_rank: dict[int, list[Frame]] = defaultdict(list)
        for frame in picture.frames:
            by_rank[found[frame.id]].append(frame)
        return [by_rank[rank] for rank in sorted(by_rank)]
    called = {target for _, target in edges} - {source for source, _ in edges}
    last = [frame for frame in picture.frames if frame.id in called]
    rest = [frame for frame in picture.frames if frame.id not in called]
    return [*_set(rest), *_set(last)]


def _set(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Fill strips one after the other, so that the whole is about square."""
    total = sum(map(_height, frames))
    strips = max(1, round((total / STRIP_HEIGHT) ** 0.5))
    filled: list[list[Frame]] = []
    done = 0
    for frame in frames:
        strip = min(strips - 1, (done + _height(frame) // 2) * strips // total)
        while len(filled) <= strip:
            filled.append([])
        filled[strip].append(frame)
        done += _height(frame)
    return [strip for strip in filled if strip]


def _height(frame: Frame) -> int:
    return 1 + min(len(frame.cards), COLUMN_HEIGHT)


def _inner(frame: Frame, lines: Iterable[Line]) -> list[list[Card]]:
    """Return the columns of a frame's cards: by rank, then by name."""
    ids = [card.id for card in frame.cards]
    known = set(ids)
    edges = {(s.source, s.target) for s in lines if {s.source, s.target} <= known}
    if len(ids) > RANKED_CARDS:
        # Most of its ranks would be chance: a block, about as high as wide.
        height = round((1.5 * len(ids)) ** 0.5)
        return _cut(frame.cards, height)
    found = ranks(ids, edges)
    columns: list[list[Card]] = []
    for rank in sorted(set(found.values())):
        cards = [card for card in frame.cards if found[card.id] == rank]
        columns += _cut(cards, COLUMN_HEIGHT)
    return columns


def _cut(cards: Sequence[Card], height: int) -> list[list[Card]]:
    return [list(cards[at : at + height]) for at in range(0, len(cards), height)]


def _boxes(picture: Picture, strips: Sequence[Strip]) -> dict[str, Box]:
    pins: dict[str, list[Pin]] = defaultdict(list)
    for line in picture.lines:
        if line.pin not in pins[line.target]:
            pins[line.target].append(line.pin)
    boxes: dict[str, Box] = {}
    for strip in strips:
        for column, cards in strip.cards.items():
            for card in cards:
                above = head_height(card)
                height = above + ROW * len(pins[card.id]) + PAD - 4
                boxes[card.id] = Box(
                    card.id, column, column, height, above, pins[card.id]
                )
        for frame in strip.frames:
            entries = pins[frame.id]
            height = HEADER + ROW * len(entries)
            boxes[frame.id] = Box(
                frame.id, strip.first, strip.last, height, HEADER - 4, entries
            )
    return boxes


def card_rows(card: Card) -> list[tuple[str, str]]:
    """Return the rows below a card's title: what kind each is, and its text.

    Short badges stand in one row, parted by a line's end.
    """
    rows = [("detail", text) for text in card.details]
    if card.count:
        rows.append(("detail", card.count))
    badges = [*card.badges_in, *card.badges_out]
    if card.inside:
        badges.append(f"{INSIDE}: {card.inside}")
    if card.among:
        badges.append(f"{AMONG}: {card.among}")
    line = ""
    for badge in badges:
        if line and len(line) + len(badge) > BADGES_WIDE:
            rows.append(("badge", line))
            line = ""
        line += f"\n{badge}" if line else badge
    return [*rows, ("badge", line)] if line else rows


def head_height(card: Card) -> float:
    """Return the height of a card down to its first pin."""
    return PAD + TITLE + 5 + ROW * len(card_rows(card))


def card_width(card: Card, pins: Sequence[Pin]) -> float:
    """Return the width that a card's texts ask for, within bounds."""
    texts = [width(card.title, TITLE, bold=True)]
    for _, text in card_rows(card):
        parts = text.split("\n")
        texts.append(sum(width(part, SMALL) + 18 for part in parts) - 6)
    texts += [width(ports, SMALL) + 14 for ports, *_ in pins]
    low, high = CARD_WIDTH
    return min(high, max(low, max(texts) + 2 * PAD))
