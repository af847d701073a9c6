from tables import placed, table_of

from ringfence.ruleset.lowering.policychain import comment_of
from ringfence.ruleset.render import render
from worlds import block, cluster, ingress, pod, rule, tcp

WORLD = placed(
    cluster(
        pod("web", "app=web", "10.0.0.1"),
        ingress("in", "app=web", rule([block("192.0.2.0/24")], [tcp(80), tcp(81, 90)])),
        ingress("in2", "app=web", rule([block("192.0.2.1/32")], [tcp(80), tcp(443)])),
    )
)


def test_text_replaces_the_table_in_one_transaction() -> None:
    text = render(table_of(WORLD))
    assert text.startswith(
        "add table inet ringfence\n"
        "delete table inet ringfence\n"
        "table inet ringfence {\n"
    )
    assert text.endswith("}\n")


def test_elements_stand_one_a_line() -> None:
    text = render(table_of(WORLD))
    assert "    elements = {\n      tcp . 80,\n      tcp . 443,\n    }\n" in text
    assert "      10.0.0.1 : goto in/default/in_plus_in2,\n" in text
    assert "      192.0.2.0/24,\n" in text
    assert "      192.0.2.1,\n" in text


def test_base_chains_hang_on_the_forward_hook() -> None:
    text = render(table_of(WORLD))
    assert "type filter hook forward priority filter - 5; policy accept;" in text
    assert "type filter hook forward priority filter - 4; policy accept;" in text


def test_comment_holds_no_quote_and_is_cut() -> None:
    assert comment_of('a"b\\c\n\u00e9') == "a'b/c??"
    assert len(comment_of("x" * 300)) == 120
