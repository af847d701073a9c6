"""Logged packets are read whatever their message holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.observe.logged import LOG_PACKET, Logged, logged, subscription
from ringfence.ruleset.wire.attributes import HEADER, attribute, attributes
from ringfence.ruleset.wire.envelopes import FAMILY, Envelope, envelopes


def message(*parts: tuple[int, bytes], kind: int = LOG_PACKET) -> Envelope:
    body = FAMILY.pack(2, 0, 100) + b"".join(attribute(*part) for part in parts)
    data = HEADER.pack(HEADER.size + len(body), kind, 0, 0, 0) + body
    (found,) = envelopes(data)
    return found


def test_a_packet_has_all_that_the_kernel_tells() -> None:
    found = logged(
        message(
            (1, b"\x08\x00\x02\x00"),
            (2, (9).to_bytes(4, "big")),
            (3, (7).to_bytes(8, "big") + (5).to_bytes(8, "big")),
            (4, (10).to_bytes(4, "big")),
            (5, (11).to_bytes(4, "big")),
            (9, b"\x45"),
            (10, b"rf:D:in:a/b\0"),
            (12, (3).to_bytes(4, "big")),
        ),
        0,
    )
    assert found == Logged(100, "rf:D:in:a/b", b"\x45", 7_000_005_000, 2, 10, 11, 9, 3)


def test_a_packet_without_a_stamp_has_the_readers_time() -> None:
    assert logged(message((9, b"\x45")), 42) == Logged(100, "", b"\x45", 42)


def test_what_is_no_packet_is_none() -> None:
    assert logged(message((10, b"rf:\0")), 0) is None
    assert logged(message((9, b"\x45"), kind=LOG_PACKET + 1), 0) is None
    assert logged(Envelope(LOG_PACKET, 0, 0, b""), 0) is None


@given(st.lists(st.tuples(st.integers(1, 21), st.binary(max_size=12)), max_size=6))
def test_no_parts_are_too_odd(parts: list[tuple[int, bytes]]) -> None:
    logged(message(*parts), 0)


def test_a_subscription_asks_for_numbers_and_a_limit() -> None:
    asked: dict[int, bytes] = {}
    for body in subscription(100, 128, 65536):
        assert FAMILY.unpack_from(body) == (0, 0, 100)
        asked |= attributes(body[FAMILY.size :])
    assert asked[2] == (128).to_bytes(4, "big") + b"\x02\0"
    assert asked[6] == b"\0\x01"
