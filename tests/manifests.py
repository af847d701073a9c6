"""Clusters written as manifests, each field in one of the ways that mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction, Protocol
from ringfence.model.labels import LabelSelector, Operator
from ringfence.model.netpol import NetworkPolicy, Peer, PolicyPort, Rule
from ringfence.model.workload import METADATA_NAME, Namespace, Node, Pod, Service

Fields = dict[str, Any]


def write_manifests(cluster: Cluster, random: Random) -> bytes:
    """Return JSON documents of a cluster; ``random`` chooses the spelling."""
    return "\n".join(map(json.dumps, Writer(random).documents(cluster))).encode()


class Writer:
    """Writes objects; where two spellings mean the same, either may come."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def documents(self, cluster: Cluster) -> list[Fields]:
        """Return all objects, in any order."""
        found = [
            *(self._namespace(n) for n in cluster.namespaces.values() if n.declared),
            *map(self._node, cluster.nodes.values()),
            *map(self._pod, cluster.pods.values()),
            *map(self._service, cluster.services.values()),
            *map(self._policy, cluster.policies.values()),
        ]
        self._random.shuffle(found)
        return found

    def _maybe(self, key: str, default: object) -> Fields:
        """Return the field with its default, or without: absent, null, written."""
        return self._random.choice(({}, {key: None}, {key: default}))

    def _entries(self, key: str, entries: Sequence[Fields] | None) -> Fields:
        """Return a list; one that is not there may be absent, null or empty."""
        return {key: list(entries)} if entries else self._maybe(key, [])

    def _namespace(self, namespace: Namespace) -> Fields:
        labels = dict(namespace.labels)
        if self._random.randrange(2):
            del labels[METADATA_NAME]  # the API server sets it anyway
        return _thing("v1", "Namespace", {"name": namespace.name, "labels": labels})

    def _node(self, node: Node) -> Fields:
        listed = [{"type": "InternalIP", "address": str(a)} for a in node.addresses]
        status = self._entries("addresses", listed)
        return {**_thing("v1", "Node", {"name": node.name}), "status": status}

    def _pod(self, pod: Pod) -> Fields:
        meta = {"namespace": pod.key.namespace, "name": pod.key.name}
        ips = [str(address) for address in pod.addresses]
        status = {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]} if ips else {}
        if pod.phase:
            status["phase"] = pod.phase
        spec: Fields = {
            **({"nodeName": pod.node} if pod.node else self._maybe("nodeName", "")),
            **({"hostNetwork": True} if pod.host_network else {}),
        }
        if pod.ports is not None:
            ports = [self._container_port(p) for p in pod.ports]
            spec["containers"] = [{"name": "c", **self._entries("ports", ports)}]
        return {
            **_thing("v1", "Pod", {**meta, "labels": dict(pod.labels)}),
            "spec": spec,
            "status": status,
        }

    def _container_port(self, port: Any) -> Fields:
        return {
            "containerPort": port.number,
            **({"name": port.name} if port.name else self._maybe("name", "")),
            **self._protocol(port.protocol),
        }

    def _protocol(self, protocol: Protocol) -> Fields:
        if protocol is Protocol.TCP:
            return self._maybe("protocol", "TCP")
        return {"protocol": protocol.value}

    def _service(self, service: Service) -> Fields:
        meta = {"namespace": service.key.namespace, "name": service.key.name}
        return {
            **_thing("v1", "Service", meta),
            "spec": {"clusterIP": str(service.cluster_ips[0])},
        }

    def _policy(self, policy: NetworkPolicy) -> Fields:
        meta = {"namespace": policy.key.namespace, "name": policy.key.name}
        types = sorted(map(str, policy.policy_types))
        default = ["Egress", "Ingress"] if policy.egress else ["Ingress"]
        self._random.shuffle(types)
        spec = {
            "podSelector": self._selector(policy.pod_selector),
            **(
                self._maybe("policyTypes", types)
                if sorted(types) == default
                else {"policyTypes": types}
            ),
            **self._entries("ingress", [*self._rules(policy, Direction.INGRESS)]),
            **self._entries("egress", [*self._rules(policy, Direction.EGRESS)]),
        }
        return {
            **_thing("networking.k8s.io/v1", "NetworkPolicy", meta),
            "spec": spec,
        }

    def _rules(self, policy: NetworkPolicy, direction: Direction) -> Iterator[Fields]:
        key = "from" if direction is Direction.INGRESS else "to"
        for rule in policy.rules(direction):
            yield self._rule(rule, key)

    def _rule(self, rule: Rule, key: str) -> Fields:
        return {
            **self._entries(key, [self._peer(peer) for peer in rule.peers or ()]),
            **self._entries("ports", [self._port(port) for port in rule.ports or ()]),
        }

    def _peer(self, peer: Peer) -> Fields:
        if peer.ip_block is not None:
            block = peer.ip_block
            holes = [str(hole) for hole in block.except_]
            written = {"except": holes} if holes else self._maybe("except", [])
            return {"ipBlock": {"cidr": str(block.cidr), **written}}
        selectors = {
            "podSelector": peer.pod_selector,
            "namespaceSelector": peer.namespace_selector,
        }
        return {
            key: self._selector(selector)
            for key, selector in selectors.items()
            if selector is not None
        }

    def _port(self, port: PolicyPort) -> Fields:
        number = {} if port.port is None else {"port": port.port}
        end = {} if port.end_port is None else {"endPort": port.end_port}
        return {**number, **end, **self._protocol(port.protocol)}

    def _selector(self, selector: LabelSelector) -> Fields:
        labels: dict[str, str] = {}
        expressions: list[Fields] = []
        for need in selector.requirements:
            values = list(need.values)
            single = need.operator is Operator.IN and len(values) == 1
            if single and need.key not in labels and self._random.randrange(2):
                labels[need.key] = values[0]
                continue
            self._random.shuffle(values)
            listed = {"values": values} if values else self._maybe("values", [])
            operator = need.operator.value
            expressions.append({"key": need.key, "operator": operator, **listed})
        self._random.shuffle(expressions)
        return {
            **({"matchLabels": labels} if labels else self._maybe("matchLabels", {})),
            **self._entries("matchExpressions", expressions),
        }


def _thing(api_version: str, kind: str, metadata: Fields) -> Fields:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
