"""Places in JSON lists: found an entry at a time, the same as from the whole text."""

import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.reader import items, read_documents
from ringfence.manifest.text.yamltext import Path, places
from ringfence.model.meta import Position

scalars = st.one_of(
    st.text('aé\\"{[,:\ud83d', max_size=4), st.integers(0, 9), st.none()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("k:é"), inner, max_size=3)
    ),
    max_leaves=8,
)
heads = st.dictionaries(st.sampled_from(["kind", "a", "metadata"]), values, max_size=2)


@given(
    heads, st.lists(values, max_size=4), st.sampled_from([None, 0, 2]), st.booleans()
)
def test_an_entry_of_a_list_stands_where_the_whole_text_has_it(
    head: dict[str, object], entries: list[object], indent: int | None, ascii_: bool
) -> None:
    shown = json.dumps(
        {**head, "items": entries, "z": 1}, indent=indent, ensure_ascii=ascii_
    )
    text = f'{{"first": 0}}\n {shown}'.encode("utf-8", "replace")
    *_, document = read_documents(text, "x.json")
    readable = text.decode().replace("\\ud83d", "\\u003f")
    for path, (_, (line, column)) in places(readable, 1).items():
        assert document.position(path) == Position("x.json", line + 1, column + 1)


def listed(*entries: object) -> bytes:
    return json.dumps({"kind": "List", "items": entries}).encode()


def test_a_path_that_is_not_there_stands_where_its_list_does() -> None:
    text = listed({"kind": "Pod"})
    (document,) = read_documents(text, "x.json")
    at: Path = ("items", 7, "metadata")
    assert document.position(at).column == text.index(b"[") + 1


def test_an_entry_without_a_field_stands_where_it_begins() -> None:
    text = listed({"kind": "Pod"}, {"kind": "Pod"})
    (document,) = read_documents(text, "x.json")
    _, second = items(document)
    assert second.position(("metadata", "name")).column == text.rindex(b"{") + 1


def test_a_copied_position_needs_the_text_no_more() -> None:
    (document,) = read_documents(listed({"kind": "Pod"}), "x.json")
    position = document.position(("items", 0))
    data = pickle.dumps(position)
    assert pickle.loads(data) == position  # noqa: S301 - it is ours
    assert len(data) < 200
