"""Which addresses a lab hands out: those that no object has and no block judges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from ringfence.errors import InputError, Problem
from ringfence.model.flow import IPAddress, IPNetwork

POD_POOLS = (
    "10.244.0.0/16",  # what Flannel hands out
    "10.42.0.0/16",
    "172.29.0.0/16",
    "192.168.0.0/16",
    "100.64.0.0/16",
    "198.18.0.0/16",
    "fd00:10:244::/64",
    "fd00:10:42::/64",
    "2001:db8:10:244::/64",
)
NODE_POOLS = (
    "172.18.0.0/16",  # what kind's nodes have
    "172.30.0.0/16",
    "192.168.0.0/16",
    "10.128.0.0/16",
    "198.19.0.0/16",
    "fc00:f853:ccd:e793::/64",
    "fd00:172:18::/64",
    "2001:db8:172:18::/64",
)
_INTERNET = (
    "203.0.113.1",  # TEST-NET-3, RFC 5737; then well-known public ones
    "198.51.100.1",
    "192.0.2.1",
    "1.1.1.1",
    "8.8.8.8",
    "2001:db8:ffff::1",  # RFC 3849
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
)
_IPV4 = 4


def free_addresses(
    version: int,
    pools: Iterable[str],
    blocks: Collection[IPNetwork],
    taken: Collection[IPAddress],
) -> Iterator[IPAddress]:
    """Yield free addresses of the first pool that no block narrower than /0 touches.

    The first pool serves where blocks touch them all. Raises InputError when
    the pool is used up.
    """
    networks = [net for net in map(ip_network, pools) if net.version == version]
    network = next((net for net in networks if not _judged(net, blocks)), networks[0])
    for address in network.hosts():
        if address not in taken:
            yield address
    raise InputError([Problem("lab", f"more pods than addresses in {network}")])


def _judged(network: IPNetwork, blocks: Iterable[IPNetwork]) -> bool:
    """Whether some block narrower than /0 says something about part of a network."""
    return any(
        block.prefixlen > 0
        and block.version == network.version
        and _first(block) <= _last(network)
        and _first(network) <= _last(block)
        for block in blocks
    )


def _first(network: IPNetwork) -> int:
    return int(network.network_address)


def _last(network: IPNetwork) -> int:
    return int(network.broadcast_address)


def internet_address(
    version: int, blocks: Collection[IPNetwork], taken: Collection[IPAddress]
) -> IPAddress | None:
    """Return an outside address that only /0 blocks cover, None if there is none."""
    for number in _internet_candidates(version, blocks):
        if not 0 <= number < 2 ** (32 if version == _IPV4 else 128):
            continue
        host: IPAddress
        network: IPNetwork
        if version == _IPV4:
            host = IPv4Address(number)
            network = IPv4Network(host)
        else:
            host = IPv6Address(number)
            network = IPv6Network(host)
        if usable(host) and host not in taken and not _judged(network, blocks):
            return host
    return None


def _internet_candidates(version: int, blocks: Iterable[IPNetwork]) -> Iterator[int]:
    """Yield documentation addresses, then the rims of every block.

    An address outside every block exists only if one lies on a rim, so this
    finds one wherever there is one (but for those that objects have taken).
    """
    for text in _INTERNET:
        network = ip_network(text)
        if network.version == version:
            yield _first(network)
    for block in blocks:
        if block.version == version and block.prefixlen:
            yield from range(_last(block) + 1, _last(block) + 5)
            yield from range(_first(block) - 4, _first(block))


def usable(address: IPAddress) -> bool:
    """Whether a host of its own can have the address."""
    if address.version == _IPV4 and int(address) >> 24 == 0:
        return False  # "this network", RFC 1122
    if address.version != _IPV4 and address.is_link_local:
        return False
    reserved = address.version == _IPV4 and address.is_reserved
    special = address.is_multicast or address.is_loopback or address.is_unspecified
    return not (reserved or special)
