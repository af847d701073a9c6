"""Connections are read alike at fixed places and attribute by attribute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.observe.tracked import (
    CT_NEW,
    Tracked,
    Tuple,
    dumped,
    forgetting,
)
from ringfence.ruleset.wire.attributes import HEADER, attribute, nested
from ringfence.ruleset.wire.envelopes import FAMILY, envelopes

ADDRESS_TYPES = {4: (1, 2), 16: (3, 4)}
FAMILIES = {4: 2, 16: 10}
PORT = st.integers(0, 65535)


def tuple_parts(of: Tuple, protocol: int) -> bytes:
    source, destination = ADDRESS_TYPES[len(of.source)]
    transport = attribute(1, bytes([protocol]))
    if of.source_port is not None and of.destination_port is not None:
        transport += attribute(2, of.source_port.to_bytes(2, "big"))
        transport += attribute(3, of.destination_port.to_bytes(2, "big"))
    addresses = attribute(source, of.source) + attribute(destination, of.destination)
    return nested(1, addresses) + nested(2, transport)


def message(entry: Tracked, *, zone_first: bool = False, rest: bytes = b"") -> bytes:
    width = len(entry.original.source)
    zone = attribute(18, entry.zone.to_bytes(2, "big"))
    body = (
        FAMILY.pack(FAMILIES[width], 0, 0)
        + (zone if zone_first else b"")
        + nested(1, tuple_parts(entry.original, entry.protocol))
        + nested(2, tuple_parts(entry.reply, entry.protocol))
        + (b"" if zone_first else zone)
        + attribute(3, entry.status.to_bytes(4, "big"))
        + attribute(8, entry.mark.to_bytes(4, "big"))
        + attribute(12, entry.id.to_bytes(4, "big"))
        + rest
    )
    return HEADER.pack(HEADER.size + len(body), CT_NEW, 2, 0, 0) + body


@st.composite
def entries(draw: st.DrawFn) -> Tracked:
    width = draw(st.sampled_from((4, 16)))
    address = st.binary(min_size=width, max_size=width)
    protocol = draw(st.sampled_from((6, 17, 132, 1, 253)))
    ports = st.tuples(PORT, PORT) if protocol in (6, 17, 132) else st.just((None, None))
    original = Tuple(draw(address), draw(address), *draw(ports))
    reply = Tuple(draw(address), draw(address), *draw(ports))
    words = st.integers(0, 0xFFFFFFFF)
    found = Tracked(
        original, reply, protocol, draw(words), draw(words), draw(words), 0, b""
    )
    return found._replace(tuple=tuple_parts(original, protocol))


@given(st.lists(entries(), max_size=3), st.booleans())
def test_entries_are_read_wherever_their_parts_stand(
    made: list[Tracked], zone_first: bool
) -> None:
    data = b"".join(message(of, zone_first=zone_first) for of in made)
    assert dumped(data, None) == (made, [])


@given(st.lists(entries(), min_size=1, max_size=4), st.booleans())
def test_only_what_asks_or_answers_at_an_address_is_kept(
    made: list[Tracked], zone_first: bool
) -> None:
    data = b"".join(message(of, zone_first=zone_first) for of in made)
    touching = {made[0].original.source, made[-1].reply.source}
    expected = [of for of in made if {of.original.source, of.reply.source} & touching]
    assert dumped(data, touching).entries == expected


@given(entries(), st.data())
def test_no_single_byte_makes_reading_fail(entry: Tracked, data: st.DataObject) -> None:
    whole = bytearray(message(entry))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    dumped(bytes(whole), None)
    dumped(bytes(whole), frozenset())


@given(entries(), st.data())
def test_a_datagram_cut_short_is_read_as_far_as_it_goes(
    entry: Tracked, data: st.DataObject
) -> None:
    whole = message(entry)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert dumped(whole + whole[:cut], None).entries == [entry]


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    dumped(data, None)
    list(envelopes(data))


def test_what_is_no_entry_is_handed_on() -> None:
    done = HEADER.pack(HEADER.size + 4, 3, 2, 0, 0) + bytes(4)
    found = dumped(done, None)
    assert (found.entries, [other.type for other in found.others]) == ([], [3])


def test_an_order_to_forget_names_tuple_zone_and_id() -> None:
    original = Tuple(bytes(4), bytes(4), 1, 2)
    entry = Tracked(original, original, 6, 77, 0, 0, 5, tuple_parts(original, 6))
    body = forgetting(entry)
    assert body == (
        FAMILY.pack(2, 0, 0)
        + nested(1, tuple_parts(original, 6))
        + attribute(12, (77).to_bytes(4, "big"))
        + attribute(18, (5).to_bytes(2, "big"))
    )
