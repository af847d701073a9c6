"""The matrix in other formats: the same flows, and nothing that is markup."""

from __future__ import annotations

import csv
import json
import re

from ringfence.analysis.focus import Focus, Table, focused
from ringfence.analysis.matrix import By, matrix
from ringfence.analysis.overview import pod_views
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import InternetEnd, PodEnd
from ringfence.report.describe import pod_lines
from ringfence.report.drawing.graphs import dot_lines, mermaid_lines
from ringfence.report.listing import paths
from ringfence.report.matrixdoc import matrix_chunks
from ringfence.report.matrixlists import csv_lines, markdown_lines
from ringfence.report.matrixtext import conns_words, matrix_lines
from ringfence.report.picture.diagram import diagram
from ringfence.sets.conns import conn_set
from worlds import block, cluster, egress, ingress, key, peer, pod, rule, tcp

SHOP = cluster(
    pod("web", "app=web", "10.0.0.1"),
    pod("db", "app=db", "10.0.0.2"),
    pod("ops/tool", "", "10.0.1.1"),
    ingress("db-in", "app=db", rule([peer("app=web")], [tcp(5432), tcp(1, 3)])),
    egress("web-out", "app=web", rule([block("192.0.2.0/24")], [tcp(443)])),
    egress("web-db", "app=web", rule([peer("app=db")])),
    ingress("deny", ""),
)
POSTGRES = conn_set({"TCP": [(5432, 5432)]}, other=False)


def part(world: Cluster, focus: Focus, by: By = By.POD) -> Table:
    compiled = compile_cluster(world)
    return focused(matrix(compiled, by), world, focus)


def test_csv_has_a_row_for_each_pair_with_a_flow() -> None:
    table = part(SHOP, Focus())
    rows = list(csv.DictReader(csv_lines(table)))
    ids = [endpoint.id for endpoint in table.endpoints]
    assert [(row["from"], row["to"], row["ports"]) for row in rows] == [
        (ids[a], ids[b], conns_words(cell.allowed)) for a, b, cell in table.cells()
    ]


def test_a_small_matrix_is_a_square_in_markdown_and_a_large_one_a_list() -> None:
    square = list(markdown_lines(part(SHOP, Focus())))
    assert square[0].startswith("| from \\ to | ")
    many = cluster(*(pod(f"p{n}", f"n={n}") for n in range(12)))
    listed = list(markdown_lines(part(many, Focus())))
    assert listed[0] == "| from | to | ports |"


def test_markdown_takes_no_markup_from_names() -> None:
    evil = cluster(pod("a|b`<img>", ""), pod("c"))
    text = "\n".join(markdown_lines(part(evil, Focus())))
    assert "`default/pod/a\\|b'<img>`" in text


def test_wide_text_has_every_port_in_its_cell() -> None:
    ports = ",".join(map(str, range(1001, 1013, 2)))
    world = cluster(
        pod("a", "app=a"),
        pod("b"),
        ingress("x", "", rule([], [tcp(n) for n in range(1001, 1013, 2)])),
    )
    assert any(ports in line for line in matrix_lines(part(world, Focus()), wide=True))
    narrow = "\n".join(matrix_lines(part(world, Focus())))
    assert "{1}" in narrow


def test_a_cell_reads_the_same_in_every_table() -> None:
    allow = ingress("open", "app=db", rule([peer("app=web")], [tcp(80)]))
    perhaps = ingress("may", "app=db", rule([block("10.0.0.0/8")], [tcp(443)]))
    world = cluster(pod("web", "app=web"), pod("db", "app=db"), allow, perhaps)
    compiled = compile_cluster(world)
    found = matrix(compiled, By.POD)
    (view,) = (one for one in pod_views(compiled) if one.pod.key == key("db"))
    ways = paths(found, {key("db")}).rows
    assert any("80,443?" in line for line in matrix_lines(part(world, Focus())))
    assert any(line.endswith("web   80,443?") for line in pod_lines(view, found))
    assert ("default/pod/web", "default/pod/db", "80,443?") in [w.cells for w in ways]


def test_a_focus_has_only_its_rows_and_columns() -> None:
    focus = Focus(sources=(PodEnd(key("web")),))
    table = part(SHOP, focus)
    assert {table.endpoints[row].id for row, _, _ in table.cells()} == {
        "default/pod/web"
    }
    document = json.loads("".join(matrix_chunks(table)))
    assert document["focus"] == {
        "from": ["default/pod/web"],
        "to": None,
        "ports": "all",
    }
    lines = list(matrix_lines(table))
    assert (
        sum(line.startswith("[") and "default/pod/web" in line for line in lines) == 1
    )


def test_a_port_leaves_only_what_passes_on_it() -> None:
    table = part(SHOP, Focus(conns=POSTGRES))
    words = {conns_words(cell.allowed) for _, _, cell in table.cells()}
    assert words == {"5432"}
    pairs = {
        (table.endpoints[a].id, table.endpoints[b].id) for a, b, _ in table.cells()
    }
    assert ("default/pod/web", "default/pod/db") in pairs


def test_the_internet_is_what_no_block_but_the_widest_covers() -> None:
    table = part(SHOP, Focus(targets=(InternetEnd(),)))
    open_out = ["default/pod/db", "ops/pod/tool"]
    assert [table.endpoints[row].id for row, _, _ in table.cells()] == open_out


def test_dot_and_mermaid_draw_namespaces_and_lines() -> None:
    _, picture = diagram(compile_cluster(SHOP), None, Focus())
    dot, mermaid = ("\n".join(f(picture)) for f in (dot_lines, mermaid_lines))
    assert dot.count("subgraph cluster_") == mermaid.count("subgraph") == 2
    assert dot.count(" -> ") == len(picture.lines)
    assert len(re.findall(r"-->|-\.->", mermaid)) == len(picture.lines)


def test_dot_and_mermaid_quote_every_name() -> None:
    evil = cluster(pod('a"];evil [label="x', "l=1"), pod("o]/b<script>"))
    _, picture = diagram(compile_cluster(evil), None, Focus())
    dot, mermaid = ("\n".join(f(picture)) for f in (dot_lines, mermaid_lines))
    assert '\\"];evil' in dot
    assert "<script>" not in mermaid


def test_many_classes_are_drawn_by_namespace_and_a_note_says_so() -> None:
    names = ["a", "b", "c"]
    things = [pod(f"{ns}/p{n}", f"n={n}") for ns in names for n in range(30)]
    rules = [
        ingress(f"{ns}/i{n}", f"n={n}", rule([peer(f"n={n + 1}")], [tcp(n + 1)]))
        for ns in names
        for n in range(30)
    ]
    table, picture = diagram(compile_cluster(cluster(*things, *rules)), None, Focus())
    assert table.by is By.NAMESPACE
    assert picture.notes[0].startswith("Drawn by namespace, for 90 cards")
