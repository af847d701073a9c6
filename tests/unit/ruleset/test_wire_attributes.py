from ringfence.ruleset.wire.attributes import (
    BODY,
    HEADER,
    attribute,
    attributes,
    message,
    nested,
    number,
    pairs,
    string,
    word,
    words,
)
from ringfence.ruleset.wire.linux import Message


def test_an_attribute_is_padded_to_the_next_word() -> None:
    assert attribute(3, b"abcde") == b"\x09\x00\x03\x00abcde\0\0\0"
    assert attribute(3, b"abcd") == b"\x08\x00\x03\x00abcd"


def test_a_nested_attribute_says_so_and_is_read_by_its_type() -> None:
    data = nested(4, word(1, 7), string(2, "web"))
    assert data[:4] == b"\x14\x00\x04\x80"
    inside = attributes(attributes(data)[4])
    assert (number(inside[1]), words(inside[2])) == (7, "web")


def test_attributes_of_one_type_keep_their_order() -> None:
    assert pairs(word(1, 2) + word(1, 1)) == [(1, b"\0\0\0\2"), (1, b"\0\0\0\1")]


def test_what_is_cut_short_ends_the_attributes() -> None:
    whole = word(1, 2) + word(2, 3)
    assert [kind for kind, _ in pairs(whole[:-1])] == [1]
    assert pairs(b"\x03\x00\x01\x00") == []
    assert pairs(b"\x04\x00") == []


def test_what_is_not_there_is_nothing() -> None:
    assert (number(None), words(None)) == (0, "")


def test_a_message_is_of_nf_tables_and_of_inet() -> None:
    data = message(Message.NEWRULE, 0x400, 5, word(1, 2))
    assert HEADER.unpack_from(data) == (len(data), 10 << 8 | 6, 0x401, 5, 0)
    assert data[HEADER.size : BODY] == b"\1\0\0\0"
