"""The small parts of the diagram: texts, badges, arrowheads, and the legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

from ringfence.report.picture import Picture
from ringfence.report.placing import ROW, SMALL, card_rows
from ringfence.report.textwidth import fitted, width


def text_mark(x: float, y: float, text: str, style: str) -> str:
    """Return a text that starts at a point of its base line."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def arrowhead(x: float, y: float, *, certain: bool) -> str:
    """Return an arrowhead with its tip at a point, hollow where undecided."""
    style = "pin" if certain else "pin unsure"
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
    used = {
        "wire": any(line.certain for line in picture.lines),
        "frame": any({ln.source, ln.target} & frames for ln in picture.lines),
        "unsure": not all(line.certain for line in picture.lines)
        or any(text.endswith("?") for card in cards for _, text in card_rows(card)),
        "wall": any(card.walled_in or card.walled_out for card in cards),
        "mixed": any("*" in line.ports.replace("*/", "") for line in picture.lines),
        "badge": any(card.badges_in or card.badges_out for card in cards),
    }
    return [(kind, words) for kind, words in _LEGEND.items() if used[kind]]


def legend_marks(
    top: float, rows: Iterable[tuple[str, str]], notes: Sequence[str], wide: float
) -> Iterator[str]:
    """Yield the legend and the notes below the drawing."""
    yield '<g class="legend">'
    y = top
    for kind, words in rows:
        middle = y + 8
        match kind:
            case "wire" | "unsure":
                style = "wire h0" if kind == "wire" else "wire h0 unsure"
                yield f'<path class="{style}" d="M14 {middle}H44"/>'
                yield arrowhead(50, middle, certain=kind == "wire")
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
        yield text_mark(14, y + 12, fitted(note, SMALL, wide - 28), "note")
        y += ROW
    yield "</g>"
