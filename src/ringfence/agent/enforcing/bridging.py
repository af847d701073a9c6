"""Bridges that pods' packets cross have to show them to netfilter."""

from __future__ import annotations

from collections.abc import Iterable

from ringfence.adapters.kernel.links import Bridge, Links, netfilter_sees_bridges
from ringfence.agent import journal
from ringfence.agent.health import Health
from ringfence.errors import KernelError
from ringfence.model.flow import IPAddress

_PART = "bridges"
NO_MODULE = (
    "pods are on bridge {name} and the kernel has no br_netfilter: packets between "
    "them are not seen; load it on the node: modprobe br_netfilter"
)


class Bridging:
    """Switches on what is missing, or says why the node is not ready."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def look(self, addresses: Iterable[IPAddress]) -> None:
        """Have the bridges that lead to these addresses call netfilter."""
        try:
            with Links() as links:
                reason = _open_eyes(links, addresses)
        except KernelError as error:
            reason = str(error)
        if not reason:
            self._health.have(_PART)
        elif self._health.want(_PART, reason):
            journal.error("policies between pods of this node are void", why=reason)


def _open_eyes(links: Links, addresses: Iterable[IPAddress]) -> str:
    """Switch on per bridge what no sysctl says for all; return what is missing."""
    bridges = links.bridges()
    if not bridges:
        return ""
    wanted: dict[Bridge, set[int]] = {}
    for address in addresses:
        bridge = bridges.get(links.link_to(address) or 0)
        if bridge is not None:
            wanted.setdefault(bridge, set()).add(address.version)
    seen = netfilter_sees_bridges()
    for bridge, versions in wanted.items():
        if seen is None:
            return NO_MODULE.format(name=bridge.name)
        missing = versions - seen - bridge.calls
        if missing:
            links.show_to_netfilter(bridge, missing)
            journal.info("the bridge calls netfilter now", bridge=bridge.name)
    return ""
