from __future__ import annotations

import json
import pickle
import string
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import (
    Document,
    PartlyReadError,
    Path,
    Readings,
    Share,
    Texts,
    Unreadable,
    items,
    read_documents,
)


def read(text: str | bytes) -> list[Document]:
    return read_documents(text.encode() if isinstance(text, str) else text, "f.yaml")


def one(text: str | bytes) -> Document:
    (document,) = read(text)
    return document


def refusals(text: str | bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


def test_every_document_of_a_source_is_read_and_empty_ones_are_dropped() -> None:
    text = "# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n---\nc: 3\n"
    assert [document.value for document in read(text)] == [{"a": 1}, {"b": 2}, {"c": 3}]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", False),
        ("Yes", True),
        ("on", True),
        ("~", None),
        ("", None),
        ("0120", 80),
        ("0o120", 80),
        ("0x50", 80),
        ("0b1010000", 80),
        ("8_0", 80),
        ("089", 89),
        ("80.0", 80),
        ("8e1", 80),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1:20", "1:20"),
        ("2026-01-02", "2026-01-02"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709552000),
        ("1e400", "1e400"),
        ('"80"', "80"),
        ("'no'", "no"),
        ("!!str 80", "80"),
        ('!!int "80"', 80),
        ("!!float 80", 80),
        ("!local 80", "80"),
        ("!!binary aGk=", "hi"),
    ],
)
def test_scalars_are_yaml_1_1_as_the_api_server_reads_them(
    written: str, value: object
) -> None:
    found = one(f"k: {written}\n").value
    assert found == {"k": value}
    assert isinstance(found, dict)
    assert type(found["k"]) is type(value)


def test_keys_become_the_strings_that_json_has() -> None:
    assert one("y: 1\n1: 2\n1.5: 3\n").value == {"true": 1, "1": 2, "1.5": 3}


def test_the_last_of_equal_keys_counts_and_the_second_is_reported() -> None:
    document = one("a:\n  b: 1\n  b: 2\n")
    assert document.value == {"a": {"b": 2}}
    assert [(d.path, d.syntax, d.line) for d in document.duplicates] == [
        (("a", "b"), '"b"', 2)
    ]


def test_equal_keys_of_json_are_found_too() -> None:
    document = one('{"a": {"b": 1, "b": 2}}')
    assert document.value == {"a": {"b": 2}}
    assert [duplicate.path for duplicate in document.duplicates] == [("a", "b")]


def test_merge_keys_count_where_they_are_written() -> None:
    text = "base: &b {x: 1, z: 2}\nlate:\n  <<: *b\n  x: 3\nearly:\n  x: 3\n  <<: *b\n"
    value = one(text).value
    assert isinstance(value, dict)
    assert value["late"] == {"x": 3, "z": 2}
    assert value["early"] == {"x": 1, "z": 2}


def test_separators_inside_block_scalars_separate_nothing() -> None:
    assert one("a: |\n  x\n  ---\n  y\n").value == {"a": "x\n---\ny\n"}


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa: 1\r\nb: 2\r\n",
        "a: 1\nb: 2\n".encode("utf-16"),
        b"%YAML 1.1\n---\na: 1\nb: 2\n",
        b'{"a": 1,\n "b": 2}',
    ],
    ids=["bom-crlf", "utf-16", "directive", "json"],
)
def test_other_ways_to_write_the_same_text(data: bytes) -> None:
    assert one(data).value == {"a": 1, "b": 2}


def test_several_broken_documents_are_reported_together() -> None:
    found = refusals('a: [1\n---\nb: 1\n---\nc: "x\n')
    assert [line.split(":")[1] for line in found] == ["2", "6"]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"a: 1\nb: \xff\n", "f.yaml:2:4", "not UTF-8"),
        (b'a: 1\nb: "\x00"\n', "f.yaml:2:5", "control characters"),
        (b"a:\n\tb: 1\n", "f.yaml:2:1", "cannot start any token"),
        (b"a: b: c\n", "f.yaml:1:5", "mapping values are not allowed"),
        (b"a: *nobody\n", "f.yaml:1:4", "unknown anchor"),
        (b"a: &a [*a]\n", "f.yaml:1:8", "contains itself"),
        (b"? [a]\n: 1\n", "f.yaml:1:3", "invalid map key"),
        (b"a: !!int x\n", "f.yaml:1:4", "cannot decode"),
        (b"<<: [1]\n", "f.yaml:1:7", "map merge requires"),
    ],
)
def test_a_refusal_names_the_place(data: bytes, place: str, words: str) -> None:
    (found,) = refusals(data)
    assert found.startswith(f"{place}: ")
    assert words in found


def test_a_refusal_carries_what_the_api_server_would_say() -> None:
    with pytest.raises(InputError) as caught:
        read("metadata:\n\tname: p\n")
    (problem,) = caught.value.problems
    assert isinstance(problem, Unreadable)
    assert problem.answer == "yaml: line 2: found character that cannot start any token"


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x, x, x]"]
    for level in range(1, levels):
        names = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{names}]")
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_at_once() -> None:
    begun = time.perf_counter()
    (found,) = refusals(bomb(30, 9))
    assert "excessive aliasing" in found
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300 + "]" * 300,
        "[1, " * 300 + "]" * 300,
        '{"a": ' * 300 + "1" + "}" * 300,
        "[" * 200_000,
        "- " * 100_000,
        "\n".join(" " * i + "a:" for i in range(500)),
    ],
)
def test_deep_nesting_is_refused_without_a_traceback(text: str) -> None:
    assert refusals(text)


def test_lists_are_flattened_and_typed_ones_hand_down_their_kind() -> None:
    text = """
kind: List
apiVersion: v1
items:
- {kind: Pod, apiVersion: v1, metadata: {name: a}}
- kind: NamespaceList
  apiVersion: v1
  items:
  - metadata: {name: b}
  - {kind: Other, apiVersion: g/v2}
- {metadata: {name: c}}
"""
    found = items(one(text))
    assert [(item.api_version, item.kind) for item in found] == [
        ("v1", "Pod"),
        ("v1", "Namespace"),
        ("g/v2", "Other"),
        ("", ""),
    ]
    assert found[1].path == ("items", 1, "items", 0)
    assert found[1].position(("metadata", "name")).line == 9


def test_an_entry_that_is_no_object_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"f\.yaml:3:3: must be an object"):
        items(one("kind: List\nitems:\n- web\n"))


def test_positions_count_in_the_source_not_in_the_document() -> None:
    document = read("a: 1\n---\nspec:\n  ports:\n  - port: 80\n")[1]
    assert str(document.position(("spec", "ports", 0, "port"))) == "f.yaml:5:11"
    assert str(document.key_position(("spec", "ports", 0, "port"))) == "f.yaml:5:5"
    assert str(document.position(("spec", "ports", 7, "name"))) == "f.yaml:5:3"
    assert str(document.position()) == "f.yaml:3:1"


def test_positions_in_json_survive_surrogate_pairs() -> None:
    document = one('{"a": "\\ud83d\\ude00",\n "b": {"c": 7}}')
    assert document.value == {"a": "\N{GRINNING FACE}", "b": {"c": 7}}
    assert str(document.position(("b", "c"))) == "f.yaml:2:13"


keys = st.text(string.ascii_lowercase, min_size=3, max_size=6).map("k-".__add__)
leaves = st.integers(0, 10**6).map(lambda n: f"leaf-{n}")
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(keys, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


def dumped(tree: object, indent: int = 0) -> str:
    pad = " " * indent
    match tree:
        case dict():
            lines = [f"{pad}{key}:\n{dumped(tree[key], indent + 2)}" for key in tree]
            return "\n".join(lines)
        case list():
            return "\n".join(f"{pad}-\n{dumped(entry, indent + 2)}" for entry in tree)
        case _:
            return f"{pad}{tree}"


def leaf_paths(tree: object, path: Path = ()) -> list[tuple[Path, str]]:
    match tree:
        case dict():
            pairs = [leaf_paths(value, (*path, key)) for key, value in tree.items()]
        case list():
            pairs = [leaf_paths(v, (*path, index)) for index, v in enumerate(tree)]
        case _:
            return [(path, str(tree))]
    return [leaf for found in pairs for leaf in found]


@given(st.dictionaries(keys, trees, min_size=1, max_size=3), st.booleans())
def test_a_position_points_at_the_text_of_its_value(
    tree: dict[str, object], as_json: bool
) -> None:
    text = json.dumps(tree, indent=1) if as_json else dumped(tree)
    document = one(text)
    assert document.value == tree
    lines = text.splitlines()
    for path, leaf in leaf_paths(tree):
        at = document.position(path)
        assert lines[at.line - 1][at.column - 1 :].lstrip('"').startswith(leaf)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InputError):
        for document in read_documents(data, "x"):
            assert document.position(("a", 0)).line > 0


PARTS = st.sampled_from(
    [
        b"",
        b"a: 1\nb: {c: [x, 'y']}\n",
        b"a: |\n  b\n  c\n",
        b"# only a comment\n",
        b"%YAML 1.1\n",
        b'{"a": {"b": 1}}\n',
        b"a: &x [1]\nb: *x\n",
        b"a: 1\na: 2\n",
        b"a: [\n",
        b"a: \xff\n",
        b"  a: 1\n b: 2\n",
        b"'a\n",
        b"...\nb: 1\n",
        b"a: caf\xc3\xa9\r\n",
    ]
)


def elsewhere(work: Callable[[Texts], Readings], texts: Texts) -> list[Readings]:
    """Read each text on its own, and send what it holds, as between processes."""
    return [pickle.loads(pickle.dumps(work([text]))) for text in texts]  # noqa: S301


def told(data: bytes, share: Share | None) -> tuple[list[object], ...]:
    """Return all that is known of the documents and problems of a text."""
    problems: tuple[Problem, ...] = ()
    try:
        documents = tuple(read_documents(data, "x", share))
    except PartlyReadError as error:
        documents, problems = error.documents, error.problems
    return [
        (
            document.index,
            document.value,
            document.text,
            document.first_line,
            document.told_line,
            document.duplicates,
            str(document.position(("b", "c", 1))),
        )
        for document in documents
    ], [
        (str(problem), problem.answer, problem.text)
        for problem in problems
        if isinstance(problem, Unreadable)
    ]


@given(st.lists(PARTS, max_size=8), st.sampled_from([b"---\n", b"--- # next\n"]))
def test_documents_read_elsewhere_are_those_read_here(
    parts: list[bytes], separator: bytes
) -> None:
    data = separator.join(parts)
    assert told(data, elsewhere) == told(data, None)
