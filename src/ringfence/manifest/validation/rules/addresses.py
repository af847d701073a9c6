"""IP addresses and CIDR blocks as texts: what is wrong or odd with them.

Source: apimachinery pkg/util/validation/ip.go over k8s.io/utils/net, which
still reads octets with leading zeros; netip is the strict reader.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ringfence.manifest.text.gotext import quote
from ringfence.manifest.validation.rules.causes import Causes, FieldPath, field_text

_IPV4 = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)")
_GROUP = re.compile(r"[0-9a-fA-F]+")
_NUMBER = re.compile(r"[0-9]{1,7}")
_V4_BITS, _V6_BITS = 32, 128
_MAPPED = 0xFFFF << 32
_GROUPS = 8
_LAST_OCTET, _LAST_GROUP = 0xFF, 0xFFFF
_GROUP_DIGITS = 4

_BAD_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


class Address(NamedTuple):
    """An address: its number, its 32 or 128 bits, whether a strict reader takes it."""

    number: int
    bits: int
    strict: bool

    @property
    def mapped(self) -> bool:
        """Whether this is an IPv4 address in IPv6 dress."""
        return self.bits == _V6_BITS and self.number >> 32 == _LAST_GROUP

    def __str__(self) -> str:
        """Render canonically, mapped addresses as IPv4."""
        if self.bits == _V4_BITS or self.mapped:
            return str(IPv4Address(self.number & 0xFFFF_FFFF))
        return str(IPv6Address(self.number))


class Block(NamedTuple):
    """A CIDR block: the address as written and the length of its prefix."""

    address: Address
    length: int
    strict: bool

    @property
    def first(self) -> Address:
        """The address with the bits beyond the prefix cleared."""
        host = self.address.bits - self.length
        number, bits, strict = self.address
        return Address(number >> host << host, bits, strict)

    def __str__(self) -> str:
        """Render canonically, without bits beyond the prefix."""
        first, length = self.first, self.length
        return f"{first}/{length - (96 if first.mapped else 0)}"

    def contains(self, other: Address) -> bool:
        """Whether an address lies in the block; mapped addresses count as IPv4."""
        mine, shift = _plain(self.first), self.address.bits - self.length
        theirs = _plain(other)
        return mine[1] == theirs[1] and mine[0] >> shift == theirs[0] >> shift


def _plain(address: Address) -> tuple[int, int]:
    if address.mapped:
        return address.number - _MAPPED, _V4_BITS
    return address.number, address.bits


def parse_address(text: str) -> Address | None:
    """Return the address, leading zeros allowed; None where it is none."""
    four = _ipv4(text)
    if four is not None:
        return Address(four[0], _V4_BITS, four[1])
    return _ipv6(text)


def _ipv4(text: str) -> tuple[int, bool] | None:
    found = _IPV4.fullmatch(text)
    if found is None:
        return None
    number, strict = 0, True
    for part in found.groups():
        octet = int(part[:9])
        if octet > _LAST_OCTET:
            return None
        strict = strict and not (len(part) > 1 and part[0] == "0")
        number = number << 8 | octet
    return number, strict


def _ipv6(text: str) -> Address | None:
    head, gap, tail = text.partition("::")
    left, right = _groups(head), _groups(tail)
    if left is None or right is None or (gap and "." in head):
        return None
    count = len(left[0]) + len(right[0])
    if count >= _GROUPS if gap else count != _GROUPS:
        return None
    number = 0
    for group in (*left[0], *([0] * (_GROUPS - count)), *right[0]):
        number = number << 16 | group
    return Address(number, _V6_BITS, left[1] and right[1])


def _groups(text: str) -> tuple[list[int], bool] | None:
    """Return the 16-bit groups, the last two perhaps written as IPv4."""
    if not text:
        return [], True
    parts = text.split(":")
    found, strict = [], True
    if "." in parts[-1]:
        four = _ipv4(parts.pop())
        if four is None:
            return None
        found, strict = [four[0] >> 16, four[0] & _LAST_GROUP], four[1]
    groups = []
    for part in parts:
        if not _GROUP.fullmatch(part) or int(part, 16) > _LAST_GROUP:
            return None
        strict = strict and len(part) <= _GROUP_DIGITS
        groups.append(int(part, 16))
    return groups + found, strict


@lru_cache(4096)
def parse_block(text: str) -> Block | None:
    """Return the block, leading zeros allowed; None where it is none."""
    written, slash, mask = text.partition("/")
    if not slash or not _NUMBER.fullmatch(mask):
        return None
    address = parse_address(written)
    if address is None or int(mask) > address.bits:
        return None
    strict = address.strict and not (len(mask) > 1 and mask[0] == "0")
    return Block(address, int(mask), strict)


def check_block(causes: Causes, path: FieldPath, text: str, *, strict: bool) -> None:
    """Check a CIDR block; ``strict`` is the gate StrictIPCIDRValidation."""
    block = parse_block(text)
    if block is None:
        causes.invalid(path, text, _BAD_CIDR)
    elif not strict:
        return
    elif not block.strict:
        detail = "must not have leading 0s in IP or prefix length"
        causes.invalid(path, text, detail)
    elif block.address.mapped:
        causes.invalid(path, text, "must not have an IPv4-mapped IPv6 address")
    elif block.address != block.first:
        causes.invalid(path, text, "must not have bits set beyond the prefix length")


def check_address(causes: Causes, path: FieldPath, text: str, *, strict: bool) -> None:
    """Check an IP address of a field older than the strict rules."""
    address = parse_address(text)
    if address is None:
        causes.invalid(path, text, _BAD_IP)
    elif strict and not address.strict:
        causes.invalid(path, text, "must not have leading 0s")
    elif strict and address.mapped:
        causes.invalid(path, text, "must not be an IPv4-mapped IPv6 address")


def block_warnings(path: FieldPath, text: str) -> list[str]:
    """Return what is odd about a block that was accepted."""
    block = parse_block(text)
    if block is None:
        return []
    address = block.address
    odd = not block.strict or address.bits == _V6_BITS or address != block.first
    if not odd:
        return []
    head, found = field_text(path), []
    if address != block.first:
        single = f"{address}/{address.bits}"
        found.append(
            f"{head}: CIDR value {quote(text)} is ambiguous in this context "
            f"(should be {quote(str(block))} or {quote(single)}?)"
        )
    if not block.strict or address.mapped:
        found.append(
            f"{head}: non-standard CIDR value {quote(text)} is invalid: "
            f"use {quote(str(block))}"
        )
    canonical = f"{address}/{block.length}"
    if not found and address.bits == _V6_BITS and canonical != text:
        found.append(
            f"{head}: IPv6 CIDR value {quote(text)} should be in RFC 5952 "
            f"canonical format ({quote(canonical)})"
        )
    return found


def address_warnings(path: FieldPath, text: str) -> list[str]:
    """Return what is odd about an address that was accepted."""
    address = parse_address(text)
    if address is None:
        return []
    head = field_text(path)
    if not address.strict or address.mapped:
        wanted = quote(str(address))
        return [
            f"{head}: non-standard IP address {quote(text)} is invalid: use {wanted}"
        ]
    if address.bits == _V6_BITS and str(address) != text:
        told = f"{head}: IPv6 address {quote(text)} should be in RFC 5952 "
        return [f"{told}canonical format ({quote(str(address))})"]
    return []
