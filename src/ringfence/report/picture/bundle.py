"""Lines that all cards of a frame share become one line of the frame."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from ringfence.analysis.matrix import Cell
from ringfence.report.picture.openness import within

Pairs = dict[tuple[str, str], Cell]
"""What lines carry, by the ids of their ends."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """The lines that remain, and what every two cards of a frame may do."""

    lines: Pairs
    among: dict[str, Cell] = field(default_factory=dict)


def bundle(pairs: Pairs, frames: Mapping[str, tuple[str, ...]]) -> Bundled:
    """Replace lines that hold for whole frames; ``frames`` lists their cards.

    What a card has with itself counts where it has more than one pod: it must be
    in ``pairs`` then, with nothing if its pods do not reach one another. A line
    that carries more than its frame's stays, whole.
    """
    members = {frame: cards for frame, cards in frames.items() if len(cards) > 1}
    lines, among = dict(pairs), {}
    for frame, cards in members.items():
        selves = [(card, card) for card in cards if (card, card) in lines]
        common = _common(lines, [*permutations(cards, 2), *selves])
        if common is not None:
            among[frame] = common
    lines = {ends: cell for ends, cell in lines.items() if ends[0] != ends[1]}
    for forward in (True, False):
        for frame, cards in members.items():
            _gather(lines, frame, cards, forward=forward)
    return Bundled(lines, among)


def _gather(lines: Pairs, frame: str, cards: tuple[str, ...], *, forward: bool) -> None:
    """Join what comes from (``forward``) or goes to every card of a frame."""
    inside = {frame, *cards}
    by_far: dict[str, list[str]] = defaultdict(list)
    for source, target in lines:
        near, far = (source, target) if forward else (target, source)
        if near in inside and near != frame and far not in inside:
            by_far[far].append(near)
    for far, nears in by_far.items():
        if len(nears) == len(cards):
            keys = [(near, far) if forward else (far, near) for near in cards]
            common = _common(lines, keys)
            if common is not None:
                lines[(frame, far) if forward else (far, frame)] = common


def _common(lines: Pairs, keys: Iterable[tuple[str, str]]) -> Cell | None:
    """Take out what all these pairs carry and return it; None where they do not."""
    keys = list(keys)
    cells = [lines.get(key) for key in keys]
    found = [cell for cell in cells if cell is not None]
    if not found or len(found) < len(cells):
        return None
    common, _ = Counter(found).most_common(1)[0]
    if not (common.allowed or common.undecided) or not all(
        _holds(cell, common) for cell in found
    ):
        return None
    for key, cell in zip(keys, found, strict=True):
        if cell == common:
            del lines[key]
    return common


def _holds(cell: Cell, common: Cell) -> bool:
    return (
        within(common.allowed, cell.allowed)
        and within(common.undecided, cell.undecided | cell.allowed)
        and cell.mixed == common.mixed
    )
