"""Sets of addresses of one family, as intervals of their integers."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    summarize_address_range,
)

from ringfence.sets.interval import Interval, Intervals, minus

WIDTHS = {4: 32, 6: 128}
"""Bits of an address, by IP version."""


def span(network: IPv4Network | IPv6Network) -> Interval:
    """Return the addresses of a CIDR as integers."""
    return Interval(int(network.network_address), int(network.broadcast_address))


def everything(version: int) -> Interval:
    """Return all addresses of an IP version."""
    return Interval(0, (1 << WIDTHS[version]) - 1)


def cover(networks: Iterable[IPv4Network | IPv6Network]) -> IPv4Network | IPv6Network:
    """Return the smallest CIDR that holds all of some CIDRs of one IP version."""
    first, *others = networks
    low, high = span(first)
    for network in others:
        one = span(network)
        low, high = min(low, one.low), max(high, one.high)
    host_bits = (low ^ high).bit_length()
    return first.supernet(new_prefix=WIDTHS[first.version] - host_bits)


def carve(
    cidr: IPv4Network | IPv6Network, holes: Iterable[IPv4Network | IPv6Network]
) -> Intervals:
    """Return the addresses of ``cidr`` that lie in no hole.

    Holes of the other IP version take nothing away.
    """
    same = (span(hole) for hole in holes if hole.version == cidr.version)
    return minus((span(cidr),), same)


def address(number: int, version: int) -> IPv4Address | IPv6Address:
    """Return the address behind an integer."""
    return IPv4Address(number) if version == 4 else IPv6Address(number)  # noqa: PLR2004 - IP versions


def prefixes(intervals: Intervals, version: int) -> list[IPv4Network | IPv6Network]:
    """Return the fewest CIDRs that cover exactly these addresses, ascending."""
    return [
        network
        for low, high in intervals
        for network in summarize_address_range(
            address(low, version), address(high, version)
        )
    ]
