"""The diagram as SVG: one text, no fonts, scripts or references outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ringfence.report.drawing.channels import Point, routes
from ringfence.report.drawing.placing import (
    AMONG,
    FRAME_PAD,
    PAD,
    ROW,
    SMALL,
    TITLE,
    Plan,
    card_rows,
    card_width,
    plan,
)
from ringfence.report.drawing.routing import Router
from ringfence.report.drawing.svgmarks import (
    LOOKS,
    NOTE_LEFT,
    arrowhead,
    legend_marks,
    legend_rows,
    pill,
    pills,
    text_mark,
    wire_style,
)
from ringfence.report.drawing.svgpaths import length, path_data, until_met
from ringfence.report.drawing.svgstyle import STYLE, theme_style
from ringfence.report.drawing.textwidth import fitted, width, wrapped
from ringfence.report.drawing.xmltext import xml_text, xml_value
from ringfence.report.picture.picture import Card, Frame, Line, Picture

HUES = 6


def svg_document(picture: Picture, theme: str = "auto") -> str:
    """Return the picture as an SVG document; ``theme``: auto, light or dark."""
    style = f"<style>{STYLE}{theme_style(theme)}</style>"
    return "".join(Sheet(picture).lines(style))


def svg_parts(picture: Picture, theme: str) -> tuple[str, str]:
    """Return the style and the drawing apart, for a page that holds them."""
    return STYLE + theme_style(theme), "".join(Sheet(picture).lines(""))


class Sheet:
    """A picture with everything placed, ready to be written."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.plan = plan(picture)
        self.router = Router(self.plan, picture.lines)
        self.widths = _widths(picture, self.plan)
        self.routes = routes(self.plan, self.router, self.widths)
        names = sorted(set(self.router.nets.values()))
        self._hues = {net: number % HUES for number, net in enumerate(names)}

    def lines(self, style: str) -> Iterator[str]:
        """Yield the document piece by piece, with a style element or none."""
        legend = legend_rows(self.picture)
        legend_top = self.plan.height + 8
        wide = max(self.routes.width, 640.0)
        room = wide - NOTE_LEFT * 2
        notes = [
            line
            for note in self.picture.notes
            for line in wrapped(note, SMALL, room, bold=True)
        ]
        height = legend_top + ROW * (len(legend) + len(notes)) + 16
        yield (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            'preserveAspectRatio="xMinYMin" '
            f'viewBox="0 0 {wide:.0f} {height:.0f}" width="{wide:.0f}" '
            f'height="{height:.0f}" aria-labelledby="rf-title rf-desc">'
        )
        yield f'<title id="rf-title">{xml_text(self.picture.title)}</title>'
        yield f'<desc id="rf-desc">{xml_text(self._description())}</desc>'
        yield style
        yield '<rect class="paper" width="100%" height="100%"/>'
        for strip in self.plan.strips:
            for frame in strip.frames:
                yield from self._frame(frame, strip.first, strip.last)
        yield from self._wires()
        for card in self.picture.cards():
            yield from self._card(card)
        yield from legend_marks(legend_top, legend, notes, wide)
        yield "</svg>\n"

    def _description(self) -> str:
        cards = {card.id: card.title for card in self.picture.cards()}
        cards |= {f.id: f"all of {f.title}" for f in self.picture.frames}
        return "; ".join(
            f"{cards[line.source]} to {cards[line.target]}: {line.ports}"
            + ("" if line.certain else " (undecided)")
            for line in self.picture.lines
        )

    def _frame(self, frame: Frame, first: int, last: int) -> Iterator[str]:
        box = self.plan.boxes[frame.id]
        left = self.routes.lefts[first] - FRAME_PAD
        right = self.routes.lefts[last] + self.widths[last] + FRAME_PAD
        bottom = self.plan.bottoms[frame.id]
        yield (
            f'<g class="frame"><rect x="{left:.1f}" y="{box.top:.1f}" '
            f'width="{right - left:.1f}" height="{bottom - box.top:.1f}" rx="10"/>'
        )
        title = fitted(frame.title, TITLE, right - left - 24, bold=True)
        yield text_mark(left + 12, box.top + 21, title, "name")
        if frame.among:
            at = left + 24 + width(title, TITLE, bold=True)
            words = fitted(f"{AMONG}: {frame.among}", SMALL, right - at - 20)
            yield pill(at, box.top + 8, words)
        yield from self._pins(frame.id, left)
        yield "</g>"

    def _card(self, card: Card) -> Iterator[str]:
        box = self.plan.boxes[card.id]
        left, wide = self.routes.lefts[box.first], self.widths[box.first]
        right, bottom = left + wide, box.top + box.height
        kind = "card" if card.frame else "card actor"
        kind += LOOKS[card.mark]
        yield f'<g class="{kind}" data-card={xml_value(card.id)} '
        frame = f"ns/{card.frame}" if card.frame else ""
        yield f"data-frame={xml_value(frame)}>"
        yield f"<title>{xml_text(_hover(card))}</title>"
        rx = 6 if card.frame else min(18, box.height / 2)
        yield (
            f'<rect class="body" x="{left:.1f}" y="{box.top:.1f}" width="{wide:.1f}" '
            f'height="{box.height:.1f}" rx="{rx:.0f}"/>'
        )
        for walled, x in ((card.walled_in, left), (card.walled_out, right)):
            if walled:
                yield (
                    f'<path class="wall" d="M{x:.1f} {box.top + 5:.1f}'
                    f'V{bottom - 5:.1f}"/>'
                )
        room = wide - 2 * PAD
        y = box.top + PAD + TITLE - 2
        yield text_mark(
            left + PAD, y, fitted(card.title, TITLE, room, bold=True), "title"
        )
        y = box.top + PAD + TITLE + 5
        for style, text in card_rows(card):
            if style == "detail":
                yield text_mark(left + PAD, y + 12, fitted(text, SMALL, room), "detail")
            else:
                yield from pills(left + PAD, y + 1, text.split("\n"), room)
            y += ROW
        yield from self._pins(card.id, left)
        yield "</g>"

    def _pins(self, end: str, left: float) -> Iterator[str]:
        box = self.plan.boxes[end]
        room = self.widths[box.first] - 2 * PAD - 6
        for pin in box.pins:
            y = box.height_of(pin)
            ports = pin.ports
            words = fitted(ports, SMALL, room) + ("" if pin.certain else " ?")
            yield arrowhead(left - 2, y, certain=pin.certain, mark=pin.mark)
            yield (
                f'<text class="port{LOOKS[pin.mark]}" '
                f'x="{left + PAD:.1f}" y="{y + 4:.1f}">'
                f"{xml_text(words)}<title>{xml_text(ports)}</title></text>"
            )

    def _wires(self) -> Iterator[str]:
        hits: list[str] = []
        drawn: dict[object, list[tuple[Point, Point]]] = {}
        dots: list[str] = []
        order = sorted(
            self.picture.lines, key=lambda ln: (length(self.routes.points[ln]), ln)
        )
        for line in order:
            net = self.router.nets[line]
            points = self.routes.points[line]
            segments = drawn.setdefault(net, [])
            walk = points if net[1].ports else points[::-1]
            kept, met = until_met(walk, segments)
            segments += pairwise(kept)
            hue = f"h{self._hues[net]}"
            style = wire_style(hue, certain=line.certain, mark=line.mark)
            yield f'<path class="{style}" d="{path_data(kept)}"/>'
            if met:
                x, y = kept[-1]
                at = f'cx="{x:.1f}" cy="{y:.1f}"'
                dots.append(
                    f'<circle class="dot {hue}{LOOKS[line.mark]}" {at} r="2.6"/>'
                )
            hits.append(self._hit(line, points))
        yield from dots
        yield from hits

    def _hit(self, line: Line, points: Sequence[Point]) -> str:
        """Return the invisible broad line that answers to a pointer."""
        words = f"{line.source} → {line.target}: {line.ports}"
        return (
            f'<path class="hit" data-from={xml_value(line.source)} '
            f'data-to={xml_value(line.target)} d="{path_data(points)}">'
            f"<title>{xml_text(words)}</title></path>"
        )


def _widths(picture: Picture, made: Plan) -> list[float]:
    """Return the width of each column: that of its widest card."""
    widths = [0.0] * made.columns
    for card in picture.cards():
        box = made.boxes[card.id]
        widths[box.first] = max(widths[box.first], card_width(card, box.pins))
    for strip in made.strips:
        for frame in strip.frames:
            needed = width(frame.title, TITLE, bold=True) + 24
            if frame.among:
                needed += width(f"{AMONG}: {frame.among}", SMALL) + 30
            there = sum(widths[strip.first : strip.last + 1]) + 2 * FRAME_PAD
            if there < needed:
                widths[strip.last] += min(needed - there, 140)
    return widths


def _hover(card: Card) -> str:
    rows = [card.title, *(text for _, text in card_rows(card)), *card.members]
    return "\n".join(rows)
