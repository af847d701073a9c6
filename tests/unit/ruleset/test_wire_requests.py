from struct import pack

import pytest

from ringfence.ruleset.changes.transaction import SetType
from ringfence.ruleset.ir import Datatype
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import HEADER, attribute, nested, string, word
from ringfence.ruleset.wire.elements import packed
from ringfence.ruleset.wire.envelopes import ERROR
from ringfence.ruleset.wire.requests import (
    Answer,
    answers,
    complaint,
    counts,
    is_whole,
)

WITH_WORDS = 0x200
PEERS = SetType("peers", (Datatype.IPV4,), interval=False)


def listed(*numbers: int) -> bytes:
    rows = tuple((number,) for number in numbers)
    return b"".join(nested(linux.ELEMENTS, data) for data in packed(PEERS, rows))


def failure(code: int, words: bytes) -> bytes:
    body = pack("=i", -code) + bytes(HEADER.size) + words
    flags = WITH_WORDS if words else 0
    return HEADER.pack(HEADER.size + len(body), ERROR, flags, 7, 0) + body


def test_a_failure_has_its_number_and_the_kernels_words() -> None:
    (answer,) = answers(failure(2, string(1, "no such set")))
    assert (answer.type, answer.number, answer.errno) == (ERROR, 7, 2)
    assert complaint(answer) == "no such set"


def test_an_acknowledgement_is_a_failure_of_nothing() -> None:
    (answer,) = answers(failure(0, b""))
    assert (answer.errno, complaint(answer)) == (0, "")


def test_answers_follow_each_other_and_end_where_one_is_cut_short() -> None:
    two = failure(1, b"") + failure(2, b"")
    assert [answer.errno for answer in answers(two)] == [1, 2]
    assert [answer.errno for answer in answers(two + b"\0" * 16)] == [1, 2]


def test_a_message_without_a_failure_is_its_attributes() -> None:
    body = bytes(4) + word(1, 5)
    data = HEADER.pack(HEADER.size + len(body), 0xA00, 2, 0, 0) + body
    assert list(answers(data)) == [Answer(0xA00, 2, 0, 0, word(1, 5))]


@pytest.mark.parametrize(
    ("of", "bodies", "whole"),
    [
        (b"", [listed(1, 2)], True),
        (b"", [listed(1, 2), listed(2, 3)], False),
        (word(linux.SET_COUNT, 2), [listed(1), listed(2)], True),
        (word(linux.SET_COUNT, 3), [listed(1), listed(2)], False),
        (word(linux.SET_COUNT, 2), [listed(1, 1)], False),
        (word(linux.SET_COUNT, 0), [], True),
    ],
)
def test_a_dump_is_whole_where_each_element_comes_once(
    of: bytes, bodies: list[bytes], whole: object
) -> None:
    assert is_whole(of, bodies) is whole


@pytest.mark.parametrize("flags", [linux.SET_INTERVAL, 0x10])
def test_of_trees_and_of_what_expires_the_number_says_nothing(flags: int) -> None:
    of = word(linux.SET_FLAGS, flags) + word(linux.SET_COUNT, 1)
    assert is_whole(of, [listed(1, 2)])


def test_a_counter_has_packets_and_bytes() -> None:
    packets = attribute(linux.COUNTER_PACKETS, (3).to_bytes(8, "big"))
    size = attribute(linux.COUNTER_BYTES, (2**40).to_bytes(8, "big"))
    data = nested(linux.OBJECT_DATA, size, packets)
    assert counts(string(linux.OBJECT_NAME, "in") + data) == ("in", (3, 2**40))
