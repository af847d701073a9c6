"""One node, its pods in namespaces of their own, and packets between them.

For scripts that run in a network namespace made for them, as root of a user
namespace or of the machine. The node enforces what ``lower`` makes of the policies.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from programs import run_python
from ringfence.adapters.kernel.netlink import LOOPBACK, Netlink, link_up
from ringfence.adapters.kernel.netns import NetworkNamespace, set_sysctl
from ringfence.adapters.kernel.nft import find_nft, replace_ruleset
from ringfence.engine.following.state import State
from ringfence.lab.inside.links import routed
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.lowering.lower import Lowered, lower
from ringfence.ruleset.render import render

GATEWAYS = (ip_address("169.254.1.1"), ip_address("fe80::1"))
HEAD = "from smallnode import *\n"


def run_alone(script: str) -> str:
    """Run a script in a network namespace of its own and return what it prints."""
    return run_python(HEAD + script, "unshare", "--map-root-user", "--net")


class SmallNode:
    """The node ``n1`` and the pods of a cluster; the script's thread is on the node."""

    def __init__(self, cluster: Cluster, enforcement: Enforcement = ENFORCE) -> None:
        self.state = State(cluster)
        self.enforcement = enforcement
        self.home = NetworkNamespace.current()
        self.pods: dict[ObjectKey, NetworkNamespace] = {}
        set_sysctl("ipv4/ip_forward", 1)
        set_sysctl("ipv6/conf/all/forwarding", 1)
        set_sysctl("ipv4/conf/all/rp_filter", 0)
        set_sysctl("ipv4/conf/default/rp_filter", 0)
        node = Netlink()
        node.request([link_up(LOOPBACK)])
        for number, pod in enumerate(cluster.pods.values(), start=10):
            self.pods[pod.key] = NetworkNamespace.create()
            netlink = Netlink()
            netlink.request([link_up(LOOPBACK)])
            self.home.enter()
            fd = self.pods[pod.key].fileno()
            ends = routed(number, fd, pod.addresses, GATEWAYS)
            node.request(ends.upper)
            netlink.request(ends.lower)

    def enforce(self) -> Lowered:
        """Load the ruleset that the state of now means."""
        made = lower(self.state.compiled, "n1", enforcement=self.enforcement)
        replace_ruleset(find_nft(), render(made.table), "n1")
        return made

    @contextmanager
    def inside(self, pod: ObjectKey) -> Iterator[None]:
        """Be in a pod's namespace for a block."""
        self.pods[pod].enter()
        try:
            yield
        finally:
            self.home.enter()

    def send(
        self, pod: ObjectKey, to: IPAddress, protocol: int, port: int | None = None
    ) -> None:
        """Send one first packet; nobody waits for what becomes of it."""
        with self.inside(pod):
            family = socket.AF_INET if to.version == 4 else socket.AF_INET6
            if protocol == socket.IPPROTO_TCP:
                with socket.socket(family, socket.SOCK_STREAM) as client:
                    client.setblocking(False)
                    client.connect_ex((str(to), port))
                return
            with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
                raw.sendto(_datagram(protocol, port), (str(to), 0))


def _datagram(protocol: int, port: int | None) -> bytes:
    if protocol == socket.IPPROTO_UDP:
        return struct.pack(">HHHH", 40000, port, 8, 0)
    if protocol == socket.IPPROTO_SCTP:
        # An INIT without its checksum: conntrack is not asked to verify it.
        return struct.pack(
            ">HHIIBBHIIHHI", 40000, port, 0, 0, 1, 0, 20, 1, 4096, 1, 1, 1
        )
    if protocol == socket.IPPROTO_ICMP:
        return bytes.fromhex("0800f7fd00010001")
    return bytes.fromhex("8000000000010001")
