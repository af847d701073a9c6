"""What a link of the lab is made of, at both of its ends.

A *routed* link's far end is reached through one link-local gateway with a pinned
MAC: no ARP and no neighbour discovery. Ports of a *bridge* ask each other by these,
as on a real one; only the way to the gateway and back is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ringfence.adapters.kernel.netlink import (
    LinkEnd,
    Message,
    address,
    bridge,
    hairpin,
    link_up,
    neighbour,
    route,
    veth,
)
from ringfence.lab.plan import Bridge
from ringfence.model.flow import IPAddress

UPLINK = 2
"""The index of a site's link to its node or to the spine."""

BRIDGE = 9
"""The index of a node's bridge."""

_UPPER_MAC = bytes.fromhex("020000000001")
_LOWER_MAC = bytes.fromhex("020000000002")
_HOST_BYTES = 4


class Ends(NamedTuple):
    """The requests that make a link: of its upper end's namespace, then its lower."""

    upper: list[Message]
    lower: list[Message]


def routed(
    number: int,
    namespace: int,
    addresses: Iterable[IPAddress],
    gateways: Iterable[IPAddress],
) -> Ends:
    """Link a site with a router and route its addresses there.

    ``number`` is the index of the router's end; ``namespace`` is the descriptor of
    the site's.
    """
    gateways, addresses = tuple(gateways), tuple(addresses)
    down = [veth(_upper(number), LinkEnd("eth0", UPLINK, _LOWER_MAC), namespace)]
    down += [neighbour(number, gateway, _LOWER_MAC) for gateway in gateways]
    return Ends(
        [*down, *through(number, addresses, gateways)], _lower(addresses, gateways)
    )


def through(
    number: int, addresses: Iterable[IPAddress], gateways: Iterable[IPAddress]
) -> list[Message]:
    """Route addresses through a routed link."""
    by_version = {gateway.version: gateway for gateway in gateways}
    return [route(number, by_version[a.version], a) for a in addresses]


def plugged(
    number: int, namespace: int, addresses: Iterable[IPAddress], of: Bridge
) -> Ends:
    """Make a site a port of a node's bridge."""
    addresses = tuple(addresses)
    # Of the address, as with Docker: who has it next is known by the same one, and
    # no neighbour remembers a wrong one.
    mac = b"\x02\x01" + addresses[0].packed[-_HOST_BYTES:]
    down = [veth(_upper(number), LinkEnd("eth0", UPLINK, mac), namespace, BRIDGE)]
    down.append(hairpin(number))
    down += [neighbour(BRIDGE, value, mac) for value in addresses]
    down += [route(BRIDGE, None, value) for value in addresses]
    near = {value.version for value in addresses}
    up = _lower(addresses, [g for g in of.gateways if g.version in near])
    up += [route(UPLINK, None, net) for net in of.networks if net.version in near]
    return Ends(down, up)


def bridged(of: Bridge) -> list[Message]:
    """Make a node's bridge."""
    made = [bridge(LinkEnd("cni0", BRIDGE, _UPPER_MAC))]
    return made + [address(BRIDGE, gateway) for gateway in of.gateways]


def _upper(number: int) -> LinkEnd:
    return LinkEnd(f"link{number}", number, _UPPER_MAC)


def _lower(
    addresses: Iterable[IPAddress], gateways: Iterable[IPAddress]
) -> list[Message]:
    up = [link_up(UPLINK), *(address(UPLINK, value) for value in addresses)]
    for gateway in gateways:
        up.append(neighbour(UPLINK, gateway, _UPPER_MAC))
        up.append(route(UPLINK, gateway, None))
    return up
