"""A conformance case's moment on two nodes: its objects, places and probes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from agent.cluster import Manifest, node_object, pod_object
from agent.nodes import NODES, RANGES, Nodes, Place
from cases import SUITES, Ask, Moment, conformance, flows_of
from readings import cluster_of, sendable
from ringfence.lab.plan import Fate, Probe
from ringfence.model.flow import AddressEnd, End, IPAddress, IPNetwork, PodEnd
from ringfence.model.verdict import Outcome

SETTLE_S = 60.0
"""How long a moment's cells may be wrong; the agents follow a real API server."""


@dataclass(frozen=True)
class Placed:
    """What a moment is made of here."""

    manifests: tuple[Manifest, ...]
    pods: dict[str, Place]
    asked: tuple[tuple[Ask, Probe], ...]


@cache
def homes() -> dict[IPAddress, str]:
    """Return the node of each address that a pod of the suites has: in turn."""
    found: set[IPAddress] = set()
    for suite in SUITES:
        for case in conformance(suite):
            for moment in case.moments:
                found.update(map(ip_address, _addresses(moment)))
    turn = sorted(found, key=int)
    return {address: list(NODES)[n % len(NODES)] for n, address in enumerate(turn)}


def networks() -> dict[str, list[IPNetwork]]:
    """Return what is on each node's bridge: just its pods' addresses."""
    of: dict[str, list[IPNetwork]] = {name: [] for name in NODES}
    for address, node in homes().items():
        of[node].append(ip_network(address))
    return of


def placed(moment: Moment) -> Placed:
    """Place a moment's pods, and make a probe of every question about it."""
    manifests, pods = node_objects(), {}
    for document in _documents(moment):
        if document["kind"] != "Pod":
            manifests.append(document)
            continue
        meta, held = document["metadata"], document["status"]["podIP"]
        name, address = f"{meta['namespace']}/{meta['name']}", ip_address(held)
        pods[name] = Place(homes()[address], (address,))
        ports = document["spec"]["containers"][0]["ports"]
        manifests.append(
            pod_object(
                name, homes()[address], [held], labels=meta["labels"], ports=ports
            )
        )
    return Placed(tuple(manifests), pods, tuple(_asked(moment, pods)))


def node_objects() -> list[Manifest]:
    """Return the nodes as the API has them."""
    return [
        node_object(name, map(str, held), map(str, RANGES[name]))
        for name, held in NODES.items()
    ]


def faults(nodes: Nodes, asked: Sequence[tuple[Ask, Probe]]) -> list[str]:
    """Probe every question; what is wrong may come right in time."""
    end = time.monotonic() + SETTLE_S
    while True:
        fates = nodes.probe([probe for _, probe in asked])
        wrong = [
            f"{ask}: {probe.source} -> {probe.destination} is {fate}"
            for (ask, probe), fate in zip(asked, fates, strict=True)
            if (fate is Fate.CONNECTED) != (ask.expected is Outcome.ALLOW)
        ]
        if not wrong or time.monotonic() > end:
            return wrong


def _asked(moment: Moment, pods: dict[str, Place]) -> Iterator[tuple[Ask, Probe]]:
    cluster = cluster_of(moment)
    for ask in sendable(moment).asks:
        for flow in flows_of(cluster, ask):
            source, destination = (
                _address(end, pods) for end in (flow.source, flow.destination)
            )
            yield ask, Probe(source, destination, flow.protocol, flow.port)


def _address(end: End, pods: dict[str, Place]) -> IPAddress:
    match end:
        case PodEnd(key):
            return pods[str(key)].addresses[0]
        case AddressEnd(address):
            return address
        case _:
            raise NotImplementedError(end)


def _documents(moment: Moment) -> Iterable[dict[str, Any]]:
    return map(json.loads, moment.manifests.decode().splitlines())


def _addresses(moment: Moment) -> Iterator[str]:
    for document in _documents(moment):
        if document["kind"] == "Pod":
            yield document["status"]["podIP"]
