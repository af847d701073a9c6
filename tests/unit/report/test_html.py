"""The page: one file, closed to the outside, with a story for every pair."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from ringfence.analysis.focus import Focus
from ringfence.analysis.matrix import By
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.report.page.html import html_document
from ringfence.report.picture.diagram import diagram
from worlds import block, cluster, ingress, peer, pod, rule, tcp

SHOP = cluster(
    pod("web", "app=web", "10.0.0.1"),
    pod("db", "app=db", "10.0.0.2"),
    ingress("db-in", "app=db", rule([peer("app=web")], [tcp(5432)])),
    ingress("web-in", "app=web", rule([block("192.0.2.0/24")], [tcp(443)])),
)
DATA = re.compile(
    r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL
)


def page(world: Cluster) -> str:
    compiled = compile_cluster(world)
    return html_document(compiled, *diagram(compiled, None, Focus()))


def data(text: str) -> Any:
    found = DATA.search(text)
    assert found is not None
    return json.loads(found[1])


def story(document: Any, source: str, target: str) -> list[list[str]]:
    row, column = (document["ends"].index(end) for end in (source, target))
    return [
        [document["lines"][line] for line in lines]
        for lines in document["stories"][f"{row},{column}"]
    ]


def test_a_cell_tells_why_its_port_is_open_and_why_the_rest_is_not() -> None:
    opened, closed = story(data(page(SHOP)), "default/app=web", "default/app=db")
    assert opened[0] == "ALLOW  default/web -> default/db:5432/TCP"
    assert any("default/db-in ingress[0].from[0]" in line for line in opened)
    assert closed[0].startswith("DENY  default/web -> default/db")


def test_an_empty_cell_tells_why_nothing_passes() -> None:
    (closed,) = story(data(page(SHOP)), "default/app=db", "default/app=web")
    assert closed[0].startswith("DENY  default/db -> default/web")
    assert any("ISOLATED by default/web-in" in line for line in closed)


def test_the_policy_of_the_page_lets_only_its_own_script_and_styles_in() -> None:
    text = page(SHOP)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    inline = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", text, re.DOTALL)
    for one in inline:
        hashed = b64encode(sha256(one.encode()).digest()).decode()
        assert f"'sha256-{hashed}'" in policy[1]


def test_the_page_names_nothing_outside_itself() -> None:
    text = page(SHOP).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=|url\(|@import", text)


def test_names_from_manifests_cannot_leave_their_place() -> None:
    evil = '</script><script>alert(1)</script>"><img onerror=alert(1)>'
    text = page(cluster(pod(f"{evil}/{evil}", ""), pod("c"), ingress("x", "")))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert evil in " ".join(data(text)["ends"])


def test_the_matrix_is_a_table_with_heads() -> None:
    text = page(SHOP)
    assert text.count('<th scope="row"') == text.count('<th scope="col"') == 4
    assert len(re.findall(r'data-at="\d', text)) == 16


def test_a_large_page_tells_stories_of_the_pairs_that_may_talk() -> None:
    pods = [pod(f"p{n}", f"n={n}") for n in range(50)]
    rules = [
        ingress(f"i{n}", f"n={n}", rule([peer(f"n={n + 1}")], [tcp(80)]))
        for n in range(50)
    ]
    document = data(page(cluster(*pods, *rules)))
    assert 0 < len(document["stories"]) <= 2000
    talking = {
        f"{row},{column}"
        for row, cells in document["cells"].items()
        for columns in cells.values()
        for column in columns
    }
    assert set(document["stories"]) <= talking


def test_namespaces_are_counted_whatever_a_card_is() -> None:
    compiled = compile_cluster(cluster(pod("x/a", ""), pod("y/a", ""), pod("y/b", "")))
    for by in By:
        text = html_document(compiled, *diagram(compiled, by, Focus()))
        assert "3 pods, 2 namespaces, " in text
