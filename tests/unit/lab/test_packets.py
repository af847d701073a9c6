"""Packets made by hand are those of the RFCs."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from ringfence.lab.inside.packets import (
    Echo,
    Sctp,
    SctpKind,
    crc32c,
    decode_echo,
    decode_sctp,
)

PORTS = st.integers(0, 65535)
TAGS = st.integers(0, 2**32 - 1)


def test_crc32c_gives_the_published_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@given(PORTS, PORTS, TAGS, TAGS)
def test_an_init_reads_back_as_it_was_written(
    source: int, destination: int, tag: int, initiate: int
) -> None:
    packet = Sctp(SctpKind.INIT, source, destination, tag, initiate)
    assert decode_sctp(packet.encode()) == packet


def test_an_init_has_the_length_and_checksum_of_rfc_9260() -> None:
    data = Sctp(SctpKind.INIT, 1, 2, 0, 3).encode()
    assert len(data) == 32
    (length,) = struct.unpack_from("!H", data, 14)
    assert length == 20
    (checksum,) = struct.unpack_from("<I", data, 8)
    assert checksum == crc32c(data[:8] + bytes(4) + data[12:])


def test_an_init_ack_carries_a_cookie() -> None:
    data = Sctp(SctpKind.INIT_ACK, 1, 2, 3, 4).encode()
    assert struct.unpack_from("!HH", data, 32) == (7, 8)
    assert len(data) == 40


def test_an_abort_is_read_as_one() -> None:
    data = struct.pack("!HHIIBBH", 80, 1234, 7, 0, 6, 0, 4) + bytes(4)
    found = decode_sctp(data)
    assert found is not None
    assert (found.kind, found.destination_port) == (SctpKind.ABORT, 1234)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_without_a_fault(data: bytes) -> None:
    decode_sctp(data)
    decode_echo(data)


@given(st.sampled_from([0, 8, 128, 129]), PORTS, PORTS)
def test_an_echo_adds_up_to_ones(kind: int, identifier: int, sequence: int) -> None:
    data = Echo(kind, identifier, sequence).encode()
    total = sum(struct.unpack("!4H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert decode_echo(data) == Echo(kind, identifier, sequence)
