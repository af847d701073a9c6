from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.manifest.reader import read_documents
from ringfence.manifest.text.blocktext import block_documents
from ringfence.manifest.text.yamltext import MOST_NESTED, yaml_documents

PIECES = (
    "  ", "    ", " ", "- ", "-", "-  ", "a:", "b:", "c-d.e/f:", "a: ", "b: ", "key: v",
    "a", "-1", "0x1f", "017", "1.50", "1e400", ".inf", ".nan", "~", "yes", "y:",
    "null:", "2026-01-02", "1:20", '"q"', '"q\\n\\"w\\\\"', "'it''s'", "'", '"',
    '"\\x41"', "[]", "[a, 1]", '["a", \'b\']', "[a,]", "[a: b]", "{}", "{a: b}",
    "{ c: 1,d: 'e' }", "{a: 1, a: 2}", "{y: 1}", "[", "]", "{", "|", "|-", "|+", "|2",
    ">", "#", " # c", "#c", ":", ": ", " :", ",", "&x ", "*x", "!!str ", "! ", "? ",
    "%YAML 1.1", "@", "`", "<<: ", "=", "--- ", "---", "...", "--x", "http://h:80/p",
    "a b", "\t", "\r", "\u00e9", "\u2028", "\x00", "\x7f", "\n",
)  # fmt: skip
WHOLE = (
    "a: 1", "b:", "c: |", "- x", "- k: v", "  d: 2", "  - y", "  e:", "    f: z", "",
    "  - |-", "    text", "     more: text", "  # note", "- g:", "  - []", "h: {}",
    "   ", "i: plain words # said", "---", "  j: [a, b]", "    - deep: yes", "# first",
)  # fmt: skip
lines = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
texts = st.lists(st.sampled_from(WHOLE) | lines, max_size=9).map("\n".join)


def agree(text: str) -> bool:
    """Whether the text is read without YAML, which then says the same of it."""
    found = block_documents(text)
    if found is None:
        return False
    # The types of scalars and the order of keys count too: what is written.
    assert repr(found) == repr(yaml_documents(text))
    return True


@given(texts)
@settings(max_examples=300)
def test_what_is_read_a_line_at_a_time_is_what_yaml_says(text: str) -> None:
    agree(text)


@pytest.mark.property
@given(texts)
@settings(max_examples=5_000)
def test_whatever_is_read_a_line_at_a_time_is_what_yaml_says(text: str) -> None:
    agree(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: no\nc: 0x1f\nd: ~\ne: 1.50\nf: 2026-01-02\ng: 1e3\n",
        "---\n\n# note\n  a: x:y#z  # note\n  b: 'it''s'\n",
        "a:\n- x\n- k: v\n  l:\n  - y\n  m: 1\n- z\nb:\n",
        "a:\n  - x\n  -   k: v\n      l: w\nb: {}\nc: []",
        "- a:\n    b: 1\n- c\n",
        'a: [x, 1, "y, z", no]\nb: {c: d, e: "f: g"}\n',
        'a: "say \\"hi\\"\\n"\n',
        "a: |\n  x\n\n    y: 1\n  # text\n\n\nb: |-\n  z\n",
        "- |\n text\n- |-\n text",
    ],
)
def test_plain_manifests_are_read_without_yaml(text: str) -> None:
    assert agree(text) is (not text.endswith("text"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "word\n",
        "a: b\n  c\n",
        "a: b\n  c: d\n",
        "a: b\n  - c\n",
        "a:\nb: 1\n  c: 2\n",
        "  a: 1\n b: 2\n",
        "- a\nb: 1\n",
        "a: 1\na: 2\n",
        "y: 1\n",
        "a: .inf\n",
        "a: {b: 1, b: 2}\n",
        "a: {b: {c: d}}\n",
        "a: b: c\n",
        "a: b:\n",
        "a: - b\n",
        "a: &x b\n",
        "a: !!str 1\n",
        "a: *x\n",
        "a: >\n  b\n",
        "a: |\nb: 1\n",
        "a: |\n  x",
        "a: |\n  x\n     \n  y\n",
        "a: |",
        'a: "b\n  c"\n',
        'a: "\\x41"\n',
        "a:\tb\n",
        "a: b\r\n",
        "a: \u00e9\n",
        "a: |\n  \x07\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\n",
        "%YAML 1.1\n---\na: 1\n",
        "? a\n: b\n",
        "<<: {a: 1}\n",
    ],
)
def test_what_is_more_than_that_is_left_to_yaml(text: str) -> None:
    assert block_documents(text) is None


@pytest.mark.parametrize("unit", ["a:", "- a:"])
def test_no_deeper_than_yaml_may_nest(unit: str) -> None:
    lines = [" " * (at * (len(unit) - 1)) + unit for at in range(400)]
    deepest = max(n for n in range(400) if agree("\n".join(lines[:n])))
    assert 30 < deepest < MOST_NESTED


def test_lines_longer_than_are_remembered_are_read_too() -> None:
    assert agree(f"a: {'x' * 5000}\nb:\n- {'y ' * 5000}\n")


def test_lists_and_maps_of_equal_lines_are_not_shared() -> None:
    (document,) = read_documents(b"b:\n  c: [1]\nd:\n  c: [1]\n", "f")
    value = document.value
    assert isinstance(value, dict)
    value["b"]["c"].append(2)
    assert value["d"]["c"] == [1]
