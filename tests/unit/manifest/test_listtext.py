from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.manifest.reader import read_documents
from ringfence.manifest.text.listtext import list_documents
from ringfence.manifest.text.yamltext import yaml_documents

LINES = (
    "- a: 1", "- b:", "- x", "-", "- c: word", "- d: 'open", "- {e: [f,", "- g: |",
    "  h: >-", "  folded", "  i: [j, {k: l}]", "  - m", '  n: "o', '    p"', "    q'",
    "  h: &r s", "  t: *r", "  a: 2", "    - u: v", "  w:", "  # note", "# note", "",
    "kind: List", "x: y", "items:", "- items:", "  items:", "...", "]}]",
    "\u00e9: \u00e9", "  \u00e9: z", "\tw: 1", "  - - 1",
)  # fmt: skip
lines = st.lists(st.sampled_from(LINES), max_size=10)
texts = st.builds(
    lambda before, indent, inside, after: "\n".join(
        [*before, "items:", *(f"{indent}{line}" for line in inside), *after]
    ),
    st.lists(
        st.sampled_from(("kind: List", "---", "# first", "a: 'b", "c:")), max_size=2
    ),
    st.sampled_from(("", "  ")),
    lines,
    st.lists(st.sampled_from(LINES), max_size=2),
)


def agree(text: str) -> bool:
    """Whether the list is read entry by entry, which YAML then says the same of."""
    found = list_documents(text)
    if found is None:
        return False
    # The types of scalars and the order of keys count too: what is written.
    assert repr(found) == repr(yaml_documents(text))
    return True


@given(texts)
@settings(max_examples=300)
def test_a_list_read_entry_by_entry_is_what_yaml_says(text: str) -> None:
    agree(text)


@pytest.mark.property
@given(texts)
@settings(max_examples=5_000)
def test_any_list_read_entry_by_entry_is_what_yaml_says(text: str) -> None:
    agree(text)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nitems:\n- a: b\n  c: long\n    words\n- d: 1\nkind: List\n",
        "---\n# 1st\nkind: List\nitems:\n  - a: >-\n     b\n     c\n  # note\n  - d\n",
        "items:\n- {a: {b: c}}\n-\n  d: e\n- 'f'\n",
        'items:\n- a: "b\n    c"\n- \u00e9: [1,\n  2]\n',
    ],
)
def test_lists_are_read_entry_by_entry(text: str) -> None:
    assert agree(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "items: []\n",
        "items:\n  a: 1\n",
        "items:\n- a: 'b\n- c'\n",
        "items:\n- &a b\n- *a\n",
        "items:\n- a: &b c\n  d: *b\n",
        "items:\n- a: 1\n  a: 2\n",
        "items:\n  - a: 1\n - b: 2\n",
        "items:\n- a: 1\nkind: {a: {b: c}}\n",
        "items:\n- a: [\nb: ]\n",
        "items:\n- a\nitems:\n- b\n",
    ],
)
def test_other_lists_are_left_to_yaml(text: str) -> None:
    assert list_documents(text) is None


def test_nesting_is_bounded_in_the_whole_list() -> None:
    deepest = max(
        depth
        for depth in range(190, 201)
        if agree(f"items:\n- a: {'[' * depth}{']' * depth}\n")
    )
    assert deepest == 197


def test_places_in_a_list_are_those_of_the_source() -> None:
    text = "kind: List\nitems:\n- a: 1\n- b: long\n    words\n  c: 2\n"
    (document,) = read_documents(text.encode(), "f.yaml")
    assert document.value == {
        "kind": "List",
        "items": [{"a": 1}, {"b": "long words", "c": 2}],
    }
    assert str(document.position(("items", 1, "c"))) == "f.yaml:6:6"
