"""The small parts of the diagram: texts, badges, arrowheads, and the legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ringfence.report.drawing.placing import ROW, SMALL, card_rows
from ringfence.report.drawing.textwidth import fitted, width
from ringfence.report.drawing.xmltext import xml_text
from ringfence.report.picture.picture import Line, Mark, Picture

NOTE_LEFT = 14.0


def text_mark(x: float, y: float, text: str, style: str) -> str:
    """Return a text that starts at a point of its base line."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{xml_text(text)}</text>'


LOOKS = {
    Mark.PLAIN: "",
    Mark.KEPT: " kept",
    Mark.ADDED: " added",
    Mark.REMOVED: " removed",
}
"""How each mark is drawn: a further class of the style sheet."""


def wire_style(hue: str, *, certain: bool, mark: Mark = Mark.PLAIN) -> str:
    """Return the classes of a line."""
    return f"wire {hue}" + ("" if certain else " unsure") + LOOKS[mark]


def arrowhead(x: float, y: float, *, certain: bool, mark: Mark = Mark.PLAIN) -> str:
    """Return an arrowhead with its tip at a point, hollow where undecided.

    What is gone ends in a cross instead.
    """
    if mark is Mark.REMOVED:
        return (
            f'<path class="cross" d="M{x - 10:.1f} {y - 4.5:.1f}L{x - 1:.1f} '
            f'{y + 4.5:.1f}M{x - 10:.1f} {y + 4.5:.1f}L{x - 1:.1f} {y - 4.5:.1f}"/>'
        )
    style = ("pin" if certain else "pin unsure") + LOOKS[mark]
    return (
        f'<path class="{style}" d="M{x - 8:.1f} {y - 4.5:.1f}'
        f'L{x:.1f} {y:.1f}L{x - 8:.1f} {y + 4.5:.1f}Z"/>'
    )


def pills(x: float, y: float, texts: Iterable[str], room: float) -> Iterator[str]:
    """Yield badges beside one another, from a left upper corner."""
    for text in texts:
        words = fitted(text, SMALL, room - 12)
        yield pill(x, y, words)
        x += width(words, SMALL) + 18


def pill(x: float, y: float, text: str) -> str:
    """Return a badge with its left upper corner at a point."""
    wide = width(text, SMALL) + 12
    return (
        f'<rect class="badge" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" '
        f'height="{ROW - 3:.0f}" rx="7"/>'
        + text_mark(x + 6, y + 11.5, text, "badge-text")
    )


_LEGEND = {
    "added": "+ passes in HEAD and did not in BASE, at the ports of its arrow",
    "removed": "\N{MINUS SIGN} passed in BASE and does not in HEAD; ends in a cross",
    "perhaps": "? undecided before or after; + perhaps more, \N{MINUS SIGN} less",
    "kept": "as it was: passes in BASE and in HEAD",
    "came": "thick: only in HEAD; broken: only in BASE",
    "wire": "may open connections to the ports at its arrow (TCP where none is named)",
    "frame": "from or to a frame: every pod in it",
    "unsure": "and ?: undecided, for a pod's address or a label is not known",
    "wall": "a policy isolates: left side, what comes in; right side, what goes out",
    "mixed": "not for all of its pods",
    "badge": "no line needed: open out reaches open in; the outside is open both ways",
}


def legend_rows(picture: Picture) -> list[tuple[str, str]]:
    """Return the signs that this picture uses, with what they mean."""
    cards = picture.cards()
    frames = {frame.id for frame in picture.frames}
    plain = [line for line in picture.lines if line.mark in {Mark.PLAIN, Mark.KEPT}]
    used = {
        **_changes(picture),
        "wire": any(line.certain and line.mark is Mark.PLAIN for line in plain),
        "frame": any({ln.source, ln.target} & frames for ln in picture.lines),
        "unsure": not all(line.certain for line in plain)
        or any(text.endswith("?") for card in cards for _, text in card_rows(card)),
        "wall": any(card.walled_in or card.walled_out for card in cards),
        "mixed": any("*" in line.ports.replace("*/", "") for line in picture.lines),
        "badge": any(card.badges_in or card.badges_out for card in cards),
    }
    return [(kind, words) for kind, words in _LEGEND.items() if used[kind]]


def _changes(picture: Picture) -> dict[str, bool]:
    """Return which signs of a difference a picture uses."""
    changed = {Mark.ADDED, Mark.REMOVED}
    sure = {line.mark for line in picture.lines if line.certain}
    among = [
        *(frame.among for frame in picture.frames),
        *(card.among for card in picture.cards()),
    ]
    return {
        "added": Mark.ADDED in sure or any(Mark.ADDED in words for words in among),
        "removed": Mark.REMOVED in sure
        or any(Mark.REMOVED in words for words in among),
        "perhaps": any(not ln.certain and ln.mark in changed for ln in picture.lines),
        "kept": any(line.mark is Mark.KEPT for line in picture.lines),
        "came": any(card.mark in changed for card in picture.cards()),
    }


_SAMPLES = {
    "wire": Line("", "", ""),
    "unsure": Line("", "", "", certain=False),
    "added": Line("", "", "", mark=Mark.ADDED),
    "removed": Line("", "", "", mark=Mark.REMOVED),
    "perhaps": Line("", "", "", certain=False, mark=Mark.ADDED),
    "kept": Line("", "", "", mark=Mark.KEPT),
}


def legend_marks(
    top: float, rows: Iterable[tuple[str, str]], notes: Sequence[str], wide: float
) -> Iterator[str]:
    """Yield the legend and the notes below the drawing."""
    yield '<g class="legend">'
    y = top
    for kind, words in rows:
        middle = y + 8
        match kind:
            case _ if line := _SAMPLES.get(kind):
                style = wire_style("h0", certain=line.certain, mark=line.mark)
                yield f'<path class="{style}" d="M14 {middle}H44"/>'
                yield arrowhead(50, middle, certain=line.certain, mark=line.mark)
            case "came":
                for x, mark in ((8, Mark.ADDED), (32, Mark.REMOVED)):
                    yield (
                        f'<g class="card{LOOKS[mark]}"><rect class="body" x="{x}" '
                        f'y="{middle - 6}" width="20" height="12" rx="3"/></g>'
                    )
            case "frame":
                yield (
                    f'<rect class="sample" x="8" y="{middle - 6}" width="24" '
                    f'height="12" rx="3"/><path class="wire h0" d="M32 {middle}H50"/>'
                )
            case "mixed":
                yield text_mark(29, y + 14, "*", "title")
            case "wall":
                yield f'<path class="wall" d="M32 {middle - 7}V{middle + 7}"/>'
            case _:
                yield pill(8, y, "open in")
        yield text_mark(74, y + 12, fitted(words, SMALL, wide - 84), "detail")
        y += ROW
    for note in notes:
        yield text_mark(NOTE_LEFT, y + 12, note, "note")
        y += ROW
    yield "</g>"
