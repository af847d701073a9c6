"""JSON read the quick way: what JSON means, or nothing where YAML has to look."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.text.jsontext import json_documents
from ringfence.manifest.text.yamltext import Refused

words = st.text(st.sampled_from('a":\\ \n\t{}[],'), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
    ),
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])


@given(values, separators, st.sampled_from([None, 1]))
def test_json_text_is_read_as_the_library_does(
    value: object, between: tuple[str, str], indent: int | None
) -> None:
    text = json.dumps(value, separators=between, indent=indent)
    found = json_documents(text)
    assert found is not None
    assert [one.value for one in found] == [value]


@given(values, words, separators)
def test_a_key_given_twice_is_left_to_yaml_whatever_stands_around(
    value: object, key: str, between: tuple[str, str]
) -> None:
    text = json.dumps(value, separators=between)
    comma, colon = between
    pair = f"{json.dumps(key)}{colon}{text}"
    assert json_documents(f"[{text}, {{{pair}{comma}{pair}}}]") is None


@pytest.mark.parametrize("number", ["1.0", "1e3", "NaN", "-Infinity"])
def test_numbers_that_are_not_whole_are_left_to_yaml(number: str) -> None:
    assert json_documents(f'{{"a": {number}}}') is None


@pytest.mark.parametrize("depth", [201, 100_000])
def test_what_nests_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(Refused):
        json_documents("[" * depth + "]" * depth)


def test_what_nests_as_deep_as_allowed_is_read() -> None:
    (found,) = json_documents('{"a":' * 200 + "1" + "}" * 200) or []
    assert found.value
