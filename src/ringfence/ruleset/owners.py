"""Whose address is it: the pods and nodes that claim each one, and set elements.

A set only ever holds what is certain (fail closed). An address that several
live objects claim gets what each of them would get: it is in a set only if all
of them belong there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from ringfence.engine.compiled import Compiled
from ringfence.engine.compiler import selectable
from ringfence.engine.state_changes import Claimant
from ringfence.model.cluster import Cluster
from ringfence.model.flow import IPAddress, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod
from ringfence.ruleset.ir import PROTOCOL_NUMBERS, Row


@dataclass(frozen=True, slots=True)
class Owners:
    """The claimants of every address of a cluster, sorted, usually one."""

    cluster: Cluster
    claims: Mapping[IPAddress, tuple[Claimant, ...]]

    def contested(self, address: IPAddress) -> bool:
        """Whether more than one live object claims the address."""
        return len(self.claims[address]) > 1

    def addresses(self, pod: ObjectKey, version: int) -> list[IPAddress]:
        """List a pod's addresses of one IP version."""
        found = self.cluster.pods[pod].addresses
        return [address for address in found if address.version == version]

    def peer_rows(self, members: frozenset[ObjectKey], version: int) -> frozenset[Row]:
        """Return the addresses all of whose claimants are members."""
        return frozenset(
            (int(address),)
            for pod in members
            for address in self.addresses(pod, version)
            if all(claimant in members for claimant in self.claims[address])
        )

    def port_rows(
        self,
        pods: Iterable[ObjectKey],
        names: tuple[tuple[str, Protocol], ...],
        version: int,
    ) -> frozenset[Row]:
        """Return (address, protocol, number) of these pods for these port names."""
        return frozenset(
            (int(address), PROTOCOL_NUMBERS[protocol], number)
            for pod in pods
            for protocol, number in self._numbers(pod, names)
            for address in self.addresses(pod, version)
            if all(
                (protocol, number) in self._numbers(claimant, names)
                for claimant in self.claims[address]
            )
        )

    def _numbers(
        self, pod: Claimant, names: tuple[tuple[str, Protocol], ...]
    ) -> frozenset[tuple[Protocol, int]]:
        ports = self.cluster.pods[pod].ports if pod else ()
        return frozenset(
            (port.protocol, port.number)
            for port in ports or ()
            if (port.name, port.protocol) in names
        )

    def self_rows(self, pods: Iterable[ObjectKey], version: int) -> frozenset[Row]:
        """Return each pair of addresses of one pod, leaving out contested ones."""
        return frozenset(
            (int(one), int(other))
            for pod in pods
            for one, other in product(self.addresses(pod, version), repeat=2)
            if not self.contested(one) and not self.contested(other)
        )


def owners(compiled: Compiled) -> Owners:
    """Return who claims which address: live pods and nodes, not finished pods."""
    claims: dict[IPAddress, set[Claimant]] = defaultdict(set)
    for pod in live_pods(compiled.cluster):
        for address in pod.addresses:
            claims[address].add(pod.key)
    for node in compiled.cluster.nodes.values():
        for address in node.addresses:
            claims[address].add(None)
    ordered = {
        address: tuple(sorted(of, key=lambda claimant: claimant or ("", "")))
        for address, of in claims.items()
    }
    return Owners(compiled.cluster, ordered)


def live_pods(cluster: Cluster) -> Iterable[Pod]:
    """Return the pods that have an address of their own."""
    return (pod for pod in cluster.pods.values() if selectable(pod))
