"""What a diagram shows is exactly what the matrix holds."""

from __future__ import annotations

from ringfence.analysis.matrix import By, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.report.picture.picture import Card, Picture
from ringfence.report.picture.picturing import picture
from worlds import block, cluster, egress, ingress, peer, pod, rule, tcp

SHOP = cluster(
    pod("web-1", "app=web", "10.0.0.1"),
    pod("web-2", "app=web", "10.0.0.2"),
    pod("api", "app=api", "10.0.0.3"),
    pod("db", "app=db", "10.0.0.4"),
    pod("ops/one", "x=1", "10.0.1.1"),
    pod("ops/two", "x=2", "10.0.1.2"),
    ingress("deny", ""),
    egress("deny-out", ""),
    ingress("to-api", "app=api", rule([peer("app=web")], [tcp(80)])),
    egress("web-out", "app=web", rule([peer("app=api")], [tcp(80)])),
    ingress("public", "app=web", rule([block("0.0.0.0/0")], [tcp(443)])),
    ingress("scrape", "", rule([peer("", "team=ops")], [tcp(9090)])),
)


def drawn(world: Cluster, by: By = By.CLASS) -> Picture:
    compiled = compile_cluster(world)
    return picture(compiled, matrix(compiled, by))


def card(found: Picture, title: str) -> Card:
    return next(card for card in found.cards() if card.title == title)


def lines(found: Picture) -> set[tuple[str, str, str]]:
    names = {card.id: card.title for card in found.cards()}
    names |= {frame.id: frame.id for frame in found.frames}
    return {(names[ln.source], names[ln.target], ln.ports) for ln in found.lines}


def test_a_line_runs_where_rules_meet_and_badges_do_not() -> None:
    assert ("web-1, web-2", "api", "80") in lines(drawn(SHOP))


def test_pods_that_no_line_tells_apart_share_a_card() -> None:
    found = card(drawn(SHOP), "one, two")
    assert found.count == "\N{MULTIPLICATION SIGN} 2 pods"
    assert found.badges_in == ("open in",)
    assert found.badges_out == ("open out",)


def test_isolated_pods_have_walls_and_open_ones_none() -> None:
    found = drawn(SHOP)
    db, tools = card(found, "db"), card(found, "one, two")
    assert (db.walled_in, db.walled_out) == (True, True)
    assert (tools.walled_in, tools.walled_out) == (False, False)


def test_an_ipblock_over_everything_draws_the_internet_as_a_caller() -> None:
    found = drawn(SHOP)
    (caller,) = found.callers
    assert caller.title == "internet (IPv4)"
    assert (caller.title, "web-1, web-2", "443") in lines(found)


def test_what_every_pod_of_a_namespace_may_do_is_one_line_of_its_frame() -> None:
    world = cluster(
        pod("a", "app=a"),
        pod("b", "app=b"),
        pod("sys/dns", "app=dns"),
        egress("dns", "", rule([peer("app=dns", "")], [tcp(53)])),
        ingress("in-a", "app=a"),
    )
    assert ("ns/default", "dns", "53") in lines(drawn(world))


def test_what_all_pods_of_a_namespace_may_do_with_each_other_is_said_once() -> None:
    world = cluster(
        pod("a", "app=a"),
        pod("b", "app=b"),
        ingress("same", "", rule([peer("")], [tcp(80)])),
        ingress("more", "app=a"),
    )
    (frame,) = drawn(world).frames
    assert frame.among == "80" or frame.cards[0].among == "80"


def test_a_rule_for_every_pod_is_a_badge_with_its_ports() -> None:
    world = cluster(
        pod("a", "app=a"),
        pod("b", "app=b"),
        ingress("x", "app=b", rule([peer("", "")], [tcp(80)])),
    )
    found = drawn(world)
    assert card(found, "b").badges_in == ("in from any pod: 80",)
    assert lines(found) == set()


def test_blocks_over_unknown_addresses_are_one_badge_with_a_question_mark() -> None:
    world = cluster(
        pod("a"), pod("b", "app=b"), ingress("x", "app=b", rule([block("10.0.0.0/8")]))
    )
    assert "in from any pod: all ?" in card(drawn(world), "b").badges_in


def test_a_block_with_an_exception_is_called_as_it_is_written() -> None:
    far = block("10.0.0.0/8", "10.1.0.0/16")
    world = cluster(pod("b", "app=b", "192.0.2.1"), ingress("x", "app=b", rule([far])))
    caller = card(drawn(world), "10.0.0.0/8")
    assert caller.details == ("but 10.1.0.0/16",)


def test_namespaces_that_no_line_tells_apart_share_a_card() -> None:
    same = (
        thing
        for number, name in enumerate(("x", "y", "z"))
        for thing in (
            pod(f"{name}/a", "app=a", f"10.0.{number}.1"),
            pod(f"{name}/b", "app=b", f"10.0.{number}.2"),
            ingress(f"{name}/in", "", rule([peer("")], [tcp(80)])),
            ingress(f"{name}/far", "", rule([peer("app=a", "")], [tcp(443)])),
        )
    )
    odd = ingress("z/web", "", rule([block("192.0.2.0/24")], [tcp(22)]))
    found = drawn(cluster(*same, odd), By.NAMESPACE)
    shared = card(found, "x, y")
    assert shared.count == "2 namespaces \N{MULTIPLICATION SIGN} 4 pods"
    assert (shared.inside, shared.among) == ("80,443*", "443*")
    alone = card(found, "z")
    assert (alone.inside, alone.among) == ("80,443*", "")
    assert {("x, y", "z", "22,443*"), ("z", "x, y", "443*")} <= lines(found)
