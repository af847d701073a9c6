"""The drawing's geometry: nothing lies on anything else, whatever is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.analysis.matrix import By, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Pod
from ringfence.report.drawing.svg import Sheet, svg_document
from ringfence.report.drawing.textwidth import fitted, width, wrapped
from ringfence.report.picture.picture import Card, Frame, Line, Picture
from ringfence.report.picture.picturing import picture
from worlds import cluster, ingress, peer, pod, rule, tcp

PORTS = ("80", "443", "all", "53,53/UDP")


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    frames = tuple(
        Frame(
            f"ns/n{n}",
            f"n{n}",
            tuple(
                Card(f"n{n}/c{i}", f"card {i}", frame=f"n{n}", badges_in=("open in",))
                for i in range(size)
            ),
        )
        for n, size in enumerate(sizes)
    )
    callers = tuple(Card(f"from:{n}", "out") for n in range(draw(st.integers(0, 2))))
    callees = tuple(Card(f"to:{n}", "out") for n in range(draw(st.integers(0, 2))))
    inner = [card.id for frame in frames for card in frame.cards]
    inner += [frame.id for frame in frames]
    sources = st.sampled_from([*inner, *(card.id for card in callers)])
    targets = st.sampled_from([*inner, *(card.id for card in callees)])
    line = st.builds(Line, sources, targets, st.sampled_from(PORTS), st.booleans())
    lines = draw(st.sets(line, max_size=40))
    return Picture(
        "x", callers, frames, callees, tuple(sorted(filter(_is_drawn, lines)))
    )


def _is_drawn(line: Line) -> bool:
    """A frame has no line to or from a card of its own."""
    return line.source.partition("/c")[0].removeprefix("ns/") != (
        line.target.partition("/c")[0].removeprefix("ns/")
    ) or ("/c" in line.source and "/c" in line.target and line.source != line.target)


Box = tuple[float, float, float, float]
Stretch = tuple[object, float, float, float]
Segment = tuple[tuple[float, float], tuple[float, float]]


def boxes(sheet: Sheet) -> dict[str, Box]:
    found = {}
    for card in sheet.picture.cards():
        box = sheet.plan.boxes[card.id]
        left = sheet.routes.lefts[box.first]
        right = left + sheet.widths[box.first]
        found[card.id] = (left, box.top, right, box.top + box.height)
    return found


def segments(sheet: Sheet) -> Iterator[tuple[object, Segment]]:
    for line, points in sheet.routes.points.items():
        for segment in pairwise(points):
            yield sheet.router.nets[line], segment


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_cards_never_lie_on_one_another(found: Picture) -> None:
    for one, other in combinations(boxes(Sheet(found)).values(), 2):
        assert (
            one[2] <= other[0]
            or other[2] <= one[0]
            or one[3] <= other[1]
            or other[3] <= one[1]
        )


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_lines_run_at_right_angles_and_around_every_card(found: Picture) -> None:
    sheet = Sheet(found)
    cards = boxes(sheet).values()
    for _, ((x1, y1), (x2, y2)) in segments(sheet):
        assert x1 == x2 or y1 == y2
        for left, top, right, bottom in cards:
            assert (
                max(x1, x2) <= left
                or min(x1, x2) >= right
                or max(y1, y2) <= top
                or min(y1, y2) >= bottom
            )


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_lines_of_different_nets_never_lie_on_one_another(found: Picture) -> None:
    kinds: tuple[list[Stretch], list[Stretch]] = ([], [])
    for net, ((x1, y1), (x2, y2)) in segments(Sheet(found)):
        upright = x1 == x2
        ends = sorted((y1, y2) if upright else (x1, x2))
        kinds[upright].append((net, x1 if upright else y1, ends[0], ends[1]))
    for kind in kinds:
        for (net, at, low, high), (other, there, start, end) in combinations(kind, 2):
            apart = high <= start or end <= low
            assert net == other or abs(at - there) > 0.5 or apart


def test_names_from_manifests_are_text_and_never_markup() -> None:
    evil = '"><script>alert(1)</script>'
    compiled = compile_cluster(
        cluster(
            pod(f"a{evil}/b{evil}", ""),
            pod("c"),
            ingress("x", "", rule([peer("", "team=x")], [tcp(80)])),
        )
    )
    text = svg_document(picture(compiled, matrix(compiled, By.CLASS)))
    drawn = ET.fromstring(text)  # noqa: S314 - our own text
    assert "script" not in {e.tag.rpartition("}")[2] for e in drawn.iter()}
    assert 'b"><script>' in "".join(drawn.itertext())


def test_the_same_world_gives_the_same_drawing() -> None:
    things: list[Pod | NetworkPolicy] = [
        pod("a", "x=1"),
        pod("b", "x=2"),
        pod("o/c", "x=3"),
        ingress("i", "x=1"),
    ]
    texts = set()
    for order in (things, things[::-1]):
        compiled = compile_cluster(cluster(*order))
        texts.add(svg_document(picture(compiled, matrix(compiled, By.CLASS))))
    assert len(texts) == 1


def test_an_explicit_theme_has_one_page_and_auto_has_none_of_its_own() -> None:
    empty = Picture("x", (), (), (), ())
    assert "prefers-color-scheme" in svg_document(empty)
    assert ".paper{fill:none}" in svg_document(empty)
    assert "prefers-color-scheme" not in svg_document(empty, "dark")


def test_text_is_cut_where_its_room_ends() -> None:
    assert fitted("short", 12, 100) == "short"
    cut = fitted("a name that is far too long for its card", 12, 80)
    assert cut.endswith("…")
    assert width(cut, 12) <= 80


def test_a_text_fits_into_the_room_made_for_it() -> None:
    # What is left of a card's width for its badge may lack a rounding error.
    text = "in from any pod: 9001"
    assert fitted(text, 11.5, width(text, 11.5) - 1e-9) == text


def test_a_long_note_goes_on_in_the_next_line() -> None:
    lines = wrapped("a note that is far too long for one line", 12, 80, bold=True)
    assert len(lines) > 1
    assert " ".join(lines) == "a note that is far too long for one line"
    assert all(width(line, 12, bold=True) <= 80 for line in lines)
