"""The lab's network: namespaces, links and routes, built from a plan.

Every site hangs on one veth pair: pods on their node, nodes and the outside on
a *spine* that routes between them. Each link's far end is reached through one
link-local gateway address with a pinned MAC, so no ARP, no neighbour discovery
and no bridge take part, and a packet is either delivered or filtered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ringfence.adapters.netlink import (
    LOOPBACK,
    NETLINK_NETFILTER,
    LinkEnd,
    Message,
    Netlink,
    address,
    forget_connections,
    link_up,
    neighbour,
    route,
    veth,
)
from ringfence.adapters.netns import NetworkNamespace, has_ipv6, set_sysctl
from ringfence.errors import KernelError
from ringfence.lab.plan import OUTSIDE, Plan, Site, SiteKind
from ringfence.model.flow import IPAddress

# Links are point to point: one MAC for every upper end, one for every lower.
_UPPER_MAC = bytes.fromhex("020000000001")
_LOWER_MAC = bytes.fromhex("020000000002")

_UPLINK = 2
"""The index of a site's link to its node or to the spine."""

_FIRST_DOWNLINK = 10
_IPV6 = 6


class _Router:
    """A namespace that forwards, with its netlink socket and its links so far."""

    __slots__ = ("links", "namespace", "netlink")

    def __init__(self, namespace: NetworkNamespace, netlink: Netlink) -> None:
        self.namespace = namespace
        self.netlink = netlink
        self.links = _FIRST_DOWNLINK


class Fabric:
    """The namespaces of a lab, as long as it is open."""

    def __init__(self, plan: Plan) -> None:
        """Build the plan; raises KernelError where the kernel refuses a part."""
        if _IPV6 in plan.families and not has_ipv6():
            raise KernelError("the lab has IPv6 addresses, this kernel has no IPv6")
        self._plan = plan
        self._home = NetworkNamespace.current()
        self._sites: dict[Site, NetworkNamespace] = {}
        self._owners = {a: site for site, held in plan.sites.items() for a in held}
        self._routers: list[_Router] = []
        self._trackers: list[Netlink] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Return how many namespaces there are."""
        return len(self._sites) + 1

    def close(self) -> None:
        """Let go of every namespace."""
        for router in self._routers:
            router.netlink.close()
        for tracker in self._trackers:
            tracker.close()
        for namespace in self._sites.values():
            namespace.close()
        self._home.enter()
        self._home.close()
        if self._routers:
            self._routers[0].namespace.close()  # the spine is no site

    @contextmanager
    def inside(self, where: IPAddress | Site) -> Iterator[None]:
        """Be in a site's namespace, or in that of an address, for a block."""
        site = where if isinstance(where, Site) else self._owners[where]
        self._sites[site].enter()
        try:
            yield
        finally:
            self._home.enter()

    def forget_connections(self) -> None:
        """Empty every node's connection tracking, so that each flow is new again."""
        for tracker in self._trackers:
            tracker.request([forget_connections()])

    def _build(self) -> None:
        spine = self._router(None)
        nodes: dict[str, _Router] = {}
        for site, addresses in self._plan.sites.items():
            if site.kind is SiteKind.NODE:
                node = nodes[site.name] = self._router(site)
                self._trackers.append(Netlink(NETLINK_NETFILTER))
                self._attach(spine, node.netlink, node.namespace, addresses)
        behind: dict[str, list[IPAddress]] = {name: [] for name in nodes}
        for site, home in self._plan.homes.items():
            self._leaf(nodes[home], site)
            behind[home] += self._plan.sites[site]
        self._leaf(spine, OUTSIDE)
        for index, pods in enumerate(behind.values(), _FIRST_DOWNLINK):
            spine.netlink.request(self._routes(index, pods))
        self._home.enter()

    def _router(self, site: Site | None) -> _Router:
        namespace, netlink = self._namespace(forwards=True)
        router = _Router(namespace, netlink)
        self._routers.append(router)
        if site is not None:
            self._sites[site] = namespace
        return router

    def _leaf(self, upper: _Router, site: Site) -> None:
        namespace, netlink = self._namespace(forwards=False)
        self._sites[site] = namespace
        with netlink:
            self._attach(upper, netlink, namespace, self._plan.sites[site])

    def _namespace(self, *, forwards: bool) -> tuple[NetworkNamespace, Netlink]:
        """Make a namespace and enter it."""
        namespace = NetworkNamespace.create()
        if _IPV6 in self._plan.families:
            # No link-local address: with it go its detection and router solicitation.
            set_sysctl("ipv6/conf/default/addr_gen_mode", 1)
            if forwards:
                set_sysctl("ipv6/conf/all/forwarding", 1)
        elif has_ipv6():
            set_sysctl("ipv6/conf/default/disable_ipv6", 1)
        if forwards:
            set_sysctl("ipv4/ip_forward", 1)
            # New namespaces copy the host's, which may drop what looks asymmetric.
            set_sysctl("ipv4/conf/all/rp_filter", 0)
            set_sysctl("ipv4/conf/default/rp_filter", 0)
        netlink = Netlink()
        # First of all: without any local address there is no table to route by.
        netlink.request([link_up(LOOPBACK)])
        return namespace, netlink

    def _attach(
        self,
        upper: _Router,
        netlink: Netlink,
        namespace: NetworkNamespace,
        addresses: Iterable[IPAddress],
    ) -> None:
        """Link a site with a router and route its addresses there."""
        number = upper.links
        upper.links += 1
        there = LinkEnd("eth0", _UPLINK, _LOWER_MAC)
        here = LinkEnd(f"link{number}", number, _UPPER_MAC)
        down = [veth(here, there, namespace.fileno())]
        down += [neighbour(number, gw, _LOWER_MAC) for gw in self._plan.gateways]
        upper.netlink.request([*down, *self._routes(number, addresses)])
        up = [link_up(_UPLINK)]
        up += [address(_UPLINK, value) for value in addresses]
        for gateway in self._plan.gateways:
            up.append(neighbour(_UPLINK, gateway, _UPPER_MAC))
            up.append(route(_UPLINK, gateway, None))
        netlink.request(up)

    def _routes(self, index: int, addresses: Iterable[IPAddress]) -> list[Message]:
        gateways = {gateway.version: gateway for gateway in self._plan.gateways}
        return [route(index, gateways[a.version], a) for a in addresses]
