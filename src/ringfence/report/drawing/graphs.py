"""The diagram for other programs that draw: Graphviz and Mermaid."""

from __future__ import annotations

from collections.abc import Iterator

from ringfence.report.drawing.placing import card_rows
from ringfence.report.picture.picture import Card, Frame, Line, Picture
from ringfence.report.plain import printable


def dot_lines(picture: Picture) -> Iterator[str]:
    """Yield a digraph with a cluster for each namespace (graphviz.org, dot language).

    A frame's line starts or ends at its cluster (``compound``, ``ltail``, ``lhead``).
    """
    names = _names(picture)
    yield "digraph ringfence {"
    yield '  rankdir=LR; compound=true; node [shape=box, fontname="Helvetica"];'
    yield '  edge [fontname="Helvetica", fontsize=10];'
    for card in (*picture.callers, *picture.callees):
        yield f"  {names[card.id]} [label={_dot_label(card)}, style=rounded];"
    for frame in picture.frames:
        yield f"  subgraph cluster_{names[frame.id]} {{"
        yield f"    label={_dot_text(_frame_words(frame))};"
        for card in frame.cards:
            yield f"    {names[card.id]} [label={_dot_label(card)}];"
        yield "  }"
    first = {frame.id: frame.cards[0].id for frame in picture.frames}
    for line in picture.lines:
        yield f"  {_dot_edge(line, names, first)};"
    yield "}"


def _dot_edge(line: Line, names: dict[str, str], first: dict[str, str]) -> str:
    marks = [f"label={_dot_text(_ports(line))}"]
    if line.source in first:
        marks.append(f"ltail=cluster_{names[line.source]}")
    if line.target in first:
        marks.append(f"lhead=cluster_{names[line.target]}")
    if not line.certain:
        marks.append("style=dashed")
    ends = [names[first.get(end, end)] for end in (line.source, line.target)]
    return f"{' -> '.join(ends)} [{', '.join(marks)}]"


def _dot_label(card: Card) -> str:
    return _dot_text("\n".join(_card_words(card)))


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n") + '"'


def mermaid_lines(picture: Picture) -> Iterator[str]:
    """Yield a flowchart with a subgraph for each namespace (mermaid.js.org)."""
    names = _names(picture)
    yield "flowchart LR"
    for card in (*picture.callers, *picture.callees):
        yield f"  {names[card.id]}([{_mermaid_text(_card_words(card))}])"
    for frame in picture.frames:
        yield f"  subgraph {names[frame.id]} [{_mermaid_text([_frame_words(frame)])}]"
        for card in frame.cards:
            yield f"    {names[card.id]}[{_mermaid_text(_card_words(card))}]"
        yield "  end"
    for line in picture.lines:
        arrow = "-->" if line.certain else "-.->"
        ports = _mermaid_text([_ports(line)])
        yield f"  {names[line.source]} {arrow}|{ports}| {names[line.target]}"


def _mermaid_text(lines: list[str]) -> str:
    """Quote a label; everything that could be markup is written as an entity."""
    return '"' + "<br/>".join(map(_entities, lines)) + '"'


def _entities(text: str) -> str:
    plain = " ,.:/=+-_?()"
    return "".join(c if c.isalnum() or c in plain else f"#{ord(c)};" for c in text)


def _names(picture: Picture) -> dict[str, str]:
    """Return plain names for the ids, for neither language takes every letter."""
    cards = {card.id: f"n{number}" for number, card in enumerate(picture.cards())}
    return cards | {f.id: f"f{number}" for number, f in enumerate(picture.frames)}


def _card_words(card: Card) -> list[str]:
    rows = (text.replace("\n", ", ") for _, text in card_rows(card))
    return [printable(text) for text in (card.title, *rows)]


def _frame_words(frame: Frame) -> str:
    return f"{frame.title} (each other: {frame.among})" if frame.among else frame.title


def _ports(line: Line) -> str:
    return line.ports if line.certain else f"{line.ports} ?"
