"""The picture of a difference shows every change, and how it differs from the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

import strategies
from ringfence.analysis.change.difference import Difference, Kind, difference
from ringfence.analysis.matrix import By, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Pod
from ringfence.report.drawing.svg import svg_document
from ringfence.report.picture.diagram import CARDS, LINES
from ringfence.report.picture.diffends import Places, class_parts
from ringfence.report.picture.diffpicture import difference_picture
from ringfence.report.picture.picture import Card, Frame, Line, Mark, Picture
from worlds import block, cluster, egress, ingress, peer, pod, rule, tcp

WEB = pod("web", "app=web", "10.0.0.1")
API = pod("api", "app=api", "10.0.0.2")
DB = pod("db", "app=db", "10.0.0.3")
OPS = pod("ops/prom", "x=1", "10.0.1.1")
PODS = (WEB, API, DB, OPS)
DENY = (ingress("deny", ""), egress("deny-out", ""))


def policies(api: int, *more: NetworkPolicy) -> tuple[NetworkPolicy, ...]:
    return (
        *DENY,
        egress("web-out", "app=web", rule([peer("app=api")])),
        ingress("api", "app=api", rule([peer("app=web")], [tcp(80), tcp(api)])),
        *more,
    )


def drawn(base: Cluster, head: Cluster) -> Picture:
    sides = compile_cluster(base), compile_cluster(head)
    return difference_picture(difference(*sides), *sides)


def told(found: Picture, *marks: Mark) -> set[tuple[str, str, str]]:
    """Return the lines of some marks by the titles of their cards, frames' in full."""
    cards = {card.id: [card.title] for card in found.cards()}
    cards |= {f.id: [card.title for card in f.cards] for f in found.frames}
    return {
        (source, target, line.ports + ("" if line.certain else " ?"))
        for line in found.lines
        if line.mark in marks
        for source in cards[line.source]
        for target in cards[line.target]
    }


def test_a_port_that_moves_opens_closes_and_leaves_the_rest() -> None:
    found = drawn(cluster(*PODS, *policies(443)), cluster(*PODS, *policies(8443)))
    assert told(found, Mark.ADDED) == {("web", "api", "+8443")}
    assert told(found, Mark.REMOVED) == {("web", "api", "\N{MINUS SIGN}443")}
    assert told(found, Mark.KEPT) == {("web", "api", "80")}


def test_what_comes_and_goes_is_marked_with_its_flows() -> None:
    opened = ingress("api-in", "app=api", rule([peer("app=new")], [tcp(1)]))
    new = egress("new-out", "app=new", rule([peer("app=api")]))
    base = cluster(WEB, API, DB, *policies(443))
    head = cluster(WEB, API, pod("new", "app=new"), *policies(443, opened, new))
    found = drawn(base, head)
    marks = {card.title: card.mark for card in found.cards()}
    assert marks["+ new"] is Mark.ADDED
    assert told(found, Mark.ADDED) == {("+ new", "api", "+1")}


def test_a_pod_that_went_keeps_a_card_for_its_flows() -> None:
    to_db = ingress("db", "app=db", rule([peer("app=api")], [tcp(5432)]))
    out = egress("api-out", "app=api", rule([peer("app=db")]))
    base = cluster(*PODS, *policies(443, to_db, out))
    head = cluster(WEB, API, OPS, *policies(443, to_db, out))
    found = drawn(base, head)
    gone = next(card for card in found.cards() if card.title == "\N{MINUS SIGN} db")
    assert (gone.mark, gone.details[-1]) == (Mark.REMOVED, "only in BASE")
    minus = "\N{MINUS SIGN}5432"
    assert told(found, Mark.REMOVED) == {("api", "\N{MINUS SIGN} db", minus)}


def test_addresses_are_cut_where_a_change_cuts_them() -> None:
    def public(*holes: str) -> NetworkPolicy:
        rules = rule([block("0.0.0.0/0", *holes)], [tcp(443)])
        return ingress("public", "app=web", rules)

    head = public("198.51.100.0/24")
    found = drawn(cluster(WEB, *DENY, public()), cluster(WEB, *DENY, head))
    closed = {("198.51.100.0/24", "web", "\N{MINUS SIGN}443")}
    assert told(found, Mark.REMOVED) == closed
    assert told(found, Mark.KEPT) == {("internet (IPv4)", "web", "443")}


def test_what_is_open_to_all_is_no_kept_line_where_it_just_opened() -> None:
    found = drawn(cluster(*PODS, *DENY), cluster(*PODS))
    assert not told(found, Mark.KEPT)
    assert ("web", "prom", "+all") in lines_and_among(found)
    assert ("prom", "db", "+all") in lines_and_among(found)


def lines_and_among(found: Picture) -> set[tuple[str, str, str]]:
    def among() -> Iterator[tuple[str, str, str]]:
        for frame in found.frames:
            for one in frame.cards:
                yield from ((one.title, o.title, frame.among) for o in frame.cards)

    names = {name for card in found.cards() for name in card.title.split(", ")}
    both = {*told(found, Mark.ADDED), *among()}
    return {
        (source, target, ports)
        for sources, targets, ports in both
        for source in names & set(sources.split(", "))
        for target in names & set(targets.split(", "))
    }


def test_a_fact_that_is_missing_makes_a_change_a_question() -> None:
    unknown = pod("guest", "app=guest")
    opened = ingress("in", "app=api", rule([block("10.9.0.0/16")], [tcp(22)]))
    found = drawn(cluster(API, unknown, *DENY[:1]), cluster(API, unknown, opened))
    assert ("guest", "api", "+22 ?") in told(found, Mark.ADDED)


def test_no_difference_says_so() -> None:
    world = cluster(*PODS, *policies(443))
    found = drawn(world, world)
    assert found.notes == ("No difference: everything is answered alike.",)
    assert {line.mark for line in found.lines} == {Mark.KEPT}
    assert "No difference" in svg_document(drawn(cluster(), cluster()))


def crowd(namespaces: int, changed: int) -> tuple[Cluster, Cluster]:
    """Return worlds in which every pod has a caller, of which some have another."""
    pods: list[Pod] = []
    base: list[NetworkPolicy] = []
    head: list[NetworkPolicy] = []
    for n in range(namespaces):
        pods += [pod(f"n{n}/p{i}", f"app=a{i}") for i in range(4)]
        for i in range(4):
            name, port = f"n{n}/to-{i}", tcp(8000 + 4 * n + i)
            before = rule([peer(f"app=a{(i + 1) % 4}")], [port])
            after = rule([peer(f"app=a{(i + 2) % 4}")], [port])
            base.append(ingress(name, f"app=a{i}", before))
            head.append(ingress(name, f"app=a{i}", after if n < changed else before))
    return cluster(*pods, *base), cluster(*pods, *head)


def test_of_many_pods_only_those_that_change_are_drawn() -> None:
    found = drawn(*crowd(CARDS, 1))
    assert [frame.title for frame in found.frames] == ["n0"]
    assert {line.mark for line in found.lines} == {Mark.ADDED, Mark.REMOVED}
    assert "left out" in found.notes[-1]


def test_many_changes_are_drawn_by_namespace() -> None:
    found = drawn(*crowd(LINES // 8 + 1, LINES // 8 + 1))
    assert [frame.title for frame in found.frames] == ["namespaces"]
    assert found.notes[-1].startswith("Drawn by namespace")
    assert "+8000-8003*" in found.frames[0].cards[0].among


def test_shape_and_sign_tell_changes_apart_without_colour() -> None:
    found = drawn(cluster(*PODS, *policies(443)), cluster(*PODS, *policies(8443)))
    text = svg_document(found)
    assert 'class="cross"' in text
    assert ">+8443<" in text
    assert ">\N{MINUS SIGN}443<" in text
    assert "+ passes in HEAD and did not in BASE" in text


def test_lines_of_one_card_share_no_way_with_those_of_another_mark() -> None:
    found = drawn(cluster(*PODS, *policies(443)), cluster(*PODS, *policies(8443)))
    assert len({line.pin for line in found.lines}) == len(found.lines)
    assert Line("a", "b", "1").pin != Line("a", "b", "1", mark=Mark.KEPT).pin


Shown = set[tuple[object, object, Mark, bool]]
"""Source, destination, the sign, and whether it is decided."""


def shown(found: Picture, pods: dict[str, tuple[ObjectKey, ...]]) -> Shown:
    """Return what the lines between pods say, and what stands behind each other."""
    inside = {c.id: [p for m in c.members for p in pods[m]] for c in found.cards()}
    inside |= {f.id: [p for c in f.cards for p in inside[c.id]] for f in found.frames}
    every = {(ln.source, ln.target, ln.mark, ln.certain) for ln in found.lines}
    boxes: list[Card | Frame] = [*found.frames, *found.cards()]
    for one in boxes:
        for words in filter(None, one.among.split(", ")):
            signs = [m for m in (Mark.ADDED, Mark.REMOVED) if words.startswith(m)]
            every |= {(one.id, one.id, m, not words.endswith("?")) for m in signs}
    return {
        (source, target, mark, sure)
        for one, other, mark, sure in every
        for source in inside[one]
        for target in inside[other]
        if source != target and mark is not Mark.KEPT
    }


def meant(found: Difference) -> Shown:
    return {
        (
            source,
            target,
            Mark.ADDED if change.step.opens else Mark.REMOVED,
            change.step.kind is not Kind.UNDECIDED,
        )
        for change in found.changes
        for source in (pod for end in change.sources for pod in end.pods)
        for target in (pod for end in change.destinations for pod in end.pods)
        if source != target
    }


@pytest.mark.parametrize("by", [None, By.CLASS, By.WORKLOAD, By.POD])
def test_every_change_between_pods_is_drawn_and_nothing_else(by: By | None) -> None:
    for seed in range(20):
        random = strategies.seeded(seed)
        one, two = (strategies.make_world(random).cluster for _ in "ab")
        base, head = compile_cluster(one), compile_cluster(two)
        found = difference(base, head)
        ends = matrix(head, by or By.CLASS).endpoints
        parts = class_parts(Places(found, base, head), ends)
        pods: dict[str, tuple[ObjectKey, ...]] = defaultdict(tuple)
        pods |= {part.endpoint.id: part.endpoint.pods for part in parts}
        drawing, right = (
            shown(difference_picture(found, base, head, by), pods),
            meant(found),
        )
        assert right <= drawing, seed
        # A frame's ? may hold a card's own line that is sure.
        assert all((*more[:3], True) in right for more in drawing - right), seed


def test_namespaces_stand_for_their_pods_where_that_is_asked_for() -> None:
    base, head = (
        compile_cluster(cluster(*PODS, *policies(port))) for port in (443, 8443)
    )
    found = difference_picture(difference(base, head), base, head, By.NAMESPACE)
    assert [card.title for card in found.cards()] == ["default"]
