"""The lab's network: namespaces, links and routes, built from a plan.

Every site hangs on one veth pair: pods on their node, nodes and the outside on
a *spine* that routes between them. A node has a link for each pod, or one bridge
that all of them are ports of. Pods come and go while the nodes stay.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ringfence.adapters.kernel.conntrack import Conntrack
from ringfence.adapters.kernel.links import Links
from ringfence.adapters.kernel.netlink import (
    LOOPBACK,
    Message,
    Netlink,
    link_up,
    undo,
)
from ringfence.adapters.kernel.netns import NetworkNamespace, has_ipv6, set_sysctl
from ringfence.errors import KernelError, RingfenceBug
from ringfence.lab.inside import links
from ringfence.lab.plan import OUTSIDE, Bridge, Plan, Site, SiteKind
from ringfence.model.flow import IPAddress

_FIRST_DOWNLINK = 10
_MOST_WAIT_S, _LOOK_S = 60.0, 0.001
_IPV6 = 6


class _Router:
    """A namespace that forwards: its netlink socket, its links so far, its bridge.

    ``uplink`` is the index of the spine's link to it.
    """

    __slots__ = ("_links", "bridge", "namespace", "netlink", "uplink")

    def __init__(self, namespace: NetworkNamespace, netlink: Netlink) -> None:
        self.namespace = namespace
        self.netlink = netlink
        self.bridge: Bridge | None = None
        self.uplink = 0
        self._links = _FIRST_DOWNLINK

    def next_link(self) -> int:
        """Return an index that no link has had."""
        self._links += 1
        return self._links - 1


class Fabric:
    """The namespaces of a lab, as long as it is open."""

    def __init__(self, plan: Plan) -> None:
        """Build the plan; raises KernelError where the kernel refuses a part."""
        if _IPV6 in plan.families and not has_ipv6():
            raise KernelError("the lab has IPv6 addresses, this kernel has no IPv6")
        self._plan = plan
        self._home = NetworkNamespace.current()
        self._sites: dict[Site, NetworkNamespace] = {}
        self._owners: dict[IPAddress, Site] = {}
        self._routers: list[_Router] = []
        self._nodes: dict[str, _Router] = {}
        self._made: dict[Site, list[tuple[Netlink, list[Message]]]] = {}
        self._trackers: list[Conntrack] = []
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

    def namespace(self, site: Site) -> NetworkNamespace:
        """Return a site's namespace, which stays the fabric's."""
        return self._sites[site]

    def fits(self, plan: Plan) -> bool:
        """Whether ``change`` can make another plan of this fabric."""
        return plan.has_frame_of(self._plan)

    def change(self, plan: Plan) -> frozenset[IPAddress]:
        """Become a plan with the same nodes: pods come and go, the rest stays.

        Returns the addresses whose namespaces are gone. A pod whose address or node
        changes is made anew. Raises KernelError; close the fabric then.
        """
        if not self.fits(plan):
            raise RingfenceBug("nodes and bridges of a fabric do not change")
        before, self._plan = self._plan, plan
        gone = [
            site
            for site in self._made
            if (before.sites[site], before.homes.get(site))
            != (plan.sites.get(site), plan.homes.get(site))
        ]
        for site in gone:
            self._remove(site)
        self._add(site for site in plan.sites if site not in self._sites)
        return frozenset(address for site in gone for address in before.sites[site])

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
            tracker.forget_all()

    def _build(self) -> None:
        spine = self._router(None)
        for site, addresses in self._plan.sites.items():
            if site.kind is not SiteKind.NODE:
                continue
            node = self._nodes[site.name] = self._router(site)
            self._trackers.append(Conntrack())
            node.uplink = spine.next_link()
            ends = links.routed(
                node.uplink, node.namespace.fileno(), addresses, self._plan.gateways
            )
            spine.netlink.request(ends.upper)
            node.netlink.request(ends.lower)
            if site.name in self._plan.bridges:
                node.bridge = self._plan.bridges[site.name]
                _filter_bridges()
                node.netlink.request(links.bridged(node.bridge))
        self._home.enter()
        self._add(site for site in self._plan.sites if site not in self._sites)

    def _add(self, sites: Iterable[Site]) -> None:
        """Make the pods and the outside of the plan."""
        for site in sites:
            namespace, netlink = self._namespace(forwards=False)
            self._sites[site] = namespace
            with netlink:
                self._link(site, netlink, namespace)
        self._await_links()
        self._home.enter()
        self._owners = {
            a: site for site, held in self._plan.sites.items() for a in held
        }

    def _await_links(self) -> None:
        """Wait until the routers' ends of all links pass packets.

        Without them what is lost on the way would be taken for what rules drop.
        """
        deadline = time.monotonic() + _MOST_WAIT_S
        for router in self._routers:
            router.namespace.enter()
            with Links() as held:
                while not held.pairs_run():
                    if time.monotonic() > deadline:
                        raise KernelError("the links of the lab do not come up")
                    time.sleep(_LOOK_S)

    def _link(self, site: Site, netlink: Netlink, namespace: NetworkNamespace) -> None:
        spine = self._routers[0]
        addresses, gateways = self._plan.sites[site], self._plan.gateways
        upper = spine if site == OUTSIDE else self._nodes[self._plan.homes[site]]
        number = upper.next_link()
        if upper.bridge is None:
            ends = links.routed(number, namespace.fileno(), addresses, gateways)
        else:
            ends = links.plugged(number, namespace.fileno(), addresses, upper.bridge)
        self._made[site] = []
        self._make(site, upper.netlink, ends.upper)
        netlink.request(ends.lower)
        if upper is not spine:
            ways = links.through(upper.uplink, addresses, gateways)
            self._make(site, spine.netlink, ways)

    def _make(self, site: Site, netlink: Netlink, messages: Sequence[Message]) -> None:
        netlink.request(messages)
        self._made[site].append((netlink, list(messages)))

    def _remove(self, site: Site) -> None:
        """Take back all that was made for a site, at once, in the other order."""
        for netlink, messages in reversed(self._made.pop(site)):
            netlink.request(undo(messages))
        self._sites.pop(site).close()

    def _router(self, site: Site | None) -> _Router:
        namespace, netlink = self._namespace(forwards=True)
        router = _Router(namespace, netlink)
        self._routers.append(router)
        if site is not None:
            self._sites[site] = namespace
        return router

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
            # Pods may reach each other through the port that they came from.
            set_sysctl("ipv4/conf/all/send_redirects", 0)
            set_sysctl("ipv4/conf/default/send_redirects", 0)
        netlink = Netlink()
        # First of all: without any local address there is no table to route by.
        netlink.request([link_up(LOOPBACK)])
        return namespace, netlink


def _filter_bridges() -> None:
    """Have the rules of the namespace that the thread is in see what bridges pass.

    Without it what pods of one node send each other passes by every rule of IP.
    """
    for family in ("iptables", "ip6tables"):
        set_sysctl(f"bridge/bridge-nf-call-{family}", 1)
