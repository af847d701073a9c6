"""Who claims which address, kept up to date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ringfence.engine.compiler import selectable
from ringfence.engine.following.changes import Claimant
from ringfence.model.flow import IPAddress
from ringfence.model.workload import Pod


class Claims:
    """The live objects that claim each address, sorted, usually one.

    ``before`` has what the addresses touched since ``settle`` had then.
    """

    def __init__(self) -> None:
        self.of: dict[IPAddress, tuple[Claimant, ...]] = {}
        self.before: dict[IPAddress, tuple[Claimant, ...]] = {}
        self._nodes: Counter[IPAddress] = Counter()

    def settle(self) -> None:
        """Take what is there now for what was there before."""
        self.before = {}

    def change_pod(self, old: Pod | None, new: Pod | None) -> None:
        """Replace one pod's claims; a pod without an address of its own has none."""
        gone, come = pod_addresses(old), pod_addresses(new)
        for pod, addresses in ((old, gone - come), (new, come - gone)):
            for address in addresses:
                self._set(address, pod.key if pod else None, claims=pod is new)

    def change_node(self, old: Iterable[IPAddress], new: Iterable[IPAddress]) -> None:
        """Replace one node's claims; nodes that share an address are one claimant."""
        gone, come = set(old), set(new)
        for address in gone - come:
            self._nodes[address] -= 1
            if not self._nodes[address]:
                del self._nodes[address]
                self._set(address, None, claims=False)
        for address in come - gone:
            self._nodes[address] += 1
            if self._nodes[address] == 1:
                self._set(address, None, claims=True)

    def _set(self, address: IPAddress, claimant: Claimant, *, claims: bool) -> None:
        old = self.of.get(address, ())
        self.before.setdefault(address, old)
        if not old and claims:
            self.of[address] = (claimant,)
            return
        new = {*old, claimant} if claims else {*old} - {claimant}
        if new:
            self.of[address] = tuple(sorted(new, key=lambda of: of or ("", "")))
        else:
            del self.of[address]


def pod_addresses(pod: Pod | None) -> frozenset[IPAddress]:
    """Return the addresses that are a pod's own."""
    if pod is None or not selectable(pod):
        return frozenset()
    return frozenset(pod.addresses)
