"""Packets are read as far as their bytes go, and no bytes are too odd to read."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.flow import Protocol
from ringfence.observe.parse import parse

ONE, OTHER = ip_address("10.0.0.1").packed, ip_address("10.0.0.2").packed
ONE6, OTHER6 = ip_address("fd00::1").packed, ip_address("fd00::2").packed
PORTS = struct.pack(">HH", 40000, 80)
SYN = PORTS + bytes(8) + b"\x50\x02" + bytes(6)


def ipv4(protocol: int, data: bytes, *, options: bytes = b"", offset: int = 0) -> bytes:
    first = 0x45 + len(options) // 4
    head = struct.pack(">BxHxxHBB2x", first, 20 + len(data), offset, 64, protocol)
    return head + ONE + OTHER + options + data


def ipv6(following: int, data: bytes) -> bytes:
    head = struct.pack(">IHBB", 0x60000000, len(data), following, 64)
    return head + ONE6 + OTHER6 + data


def test_a_tcp_segment_has_its_ports_and_flags() -> None:
    found = parse(ipv4(6, SYN))
    assert found is not None
    assert (found.source.packed, found.destination.packed) == (ONE, OTHER)
    assert (found.transport, found.ports) == (Protocol.TCP, (40000, 80))
    assert found.flags == ("SYN",)


def test_ports_stand_behind_ipv4_options() -> None:
    found = parse(ipv4(17, PORTS + bytes(4), options=bytes(8)))
    assert found is not None
    assert (found.transport, found.ports) == (Protocol.UDP, (40000, 80))


def test_a_later_fragment_has_no_ports() -> None:
    found = parse(ipv4(6, SYN, offset=185))
    assert found is not None
    assert found.ports is None


def test_an_echo_request_has_a_type_and_no_ports() -> None:
    four, six = parse(ipv4(1, b"\x08\x00")), parse(ipv6(58, b"\x80\x00"))
    assert four is not None
    assert six is not None
    assert (four.transport, four.icmp, four.ports) == (Protocol.ICMP, (8, 0), None)
    assert (six.transport, six.icmp) == (Protocol.ICMP, (128, 0))


def test_icmp_of_the_other_family_is_some_other_protocol() -> None:
    found = parse(ipv6(1, b"\x08\x00"))
    assert found is not None
    assert (found.transport, found.icmp) == (Protocol.OTHER, None)


def test_ports_stand_behind_ipv6_extension_headers() -> None:
    hop_by_hop = b"\x2b\x00" + bytes(6)  # then a routing header
    routing = b"\x33\x01" + bytes(14)  # then an authentication header
    authentication = b"\x2c\x01" + bytes(10)  # then a fragment header
    fragment = b"\x84\x00" + bytes(6)  # then SCTP
    found = parse(ipv6(0, hop_by_hop + routing + authentication + fragment + PORTS))
    assert found is not None
    assert (found.transport, found.ports) == (Protocol.SCTP, (40000, 80))


def test_a_later_ipv6_fragment_has_no_ports() -> None:
    found = parse(ipv6(44, b"\x06\x00\x00\x08" + bytes(4) + SYN))
    assert found is not None
    assert found.ports is None


def test_extension_headers_without_end_are_given_up() -> None:
    found = parse(ipv6(0, b"\x00\x00\x00\x00\x00\x00\x00\x00" * 100))
    assert found is not None
    assert found.ports is None


def test_a_packet_cut_short_keeps_what_is_there() -> None:
    whole = ipv4(6, SYN)
    assert parse(whole[:19]) is None
    addressed = parse(whole[:23])
    assert addressed is not None
    assert addressed.ports is None
    flagless = parse(whole[:24])
    assert flagless is not None
    assert (flagless.ports, flagless.flags) == ((40000, 80), ())


@given(st.binary(max_size=100), st.sampled_from((b"", b"\x45", b"\x4f", b"\x60")))
def test_no_bytes_are_too_odd(data: bytes, first: bytes) -> None:
    found = parse(first + data)
    assert found is None or found.source.version == found.destination.version


@given(
    st.sampled_from([ipv4(6, SYN), ipv6(17, PORTS), ipv6(0, bytes(16) + SYN)]),
    st.data(),
)
def test_no_single_byte_makes_reading_fail(packet: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(packet) - 1))
    value = data.draw(st.integers(0, 255))
    parse(packet[:at] + bytes([value]) + packet[at + 1 :])
