"""The resources of the API that are read, and what for: one table for every reader."""

from __future__ import annotations

from typing import Final, NamedTuple


class Resource(NamedTuple):
    """A resource of the API; ``group`` empty: the core. ``purpose``: why we read it."""

    group: str
    version: str
    plural: str
    kind: str
    purpose: str

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The resource as ``plural`` or ``plural.group``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def path(self) -> str:
        """The path of its list in all namespaces."""
        root = f"apis/{self.group}" if self.group else "api"
        return f"/{root}/{self.version}/{self.plural}"


_NAMESPACES: Final = Resource(
    "", "v1", "namespaces", "Namespace", "namespaceSelectors ask for labels"
)
_NODES: Final = Resource(
    "", "v1", "nodes", "Node", "a pod and its node always reach one another"
)
_PODS: Final = Resource("", "v1", "pods", "Pod", "each may be selected, or be a peer")
_SERVICES: Final = Resource(
    "", "v1", "services", "Service", "questions and flow records name them"
)
_POLICIES: Final = Resource(
    "networking.k8s.io",
    "v1",
    "networkpolicies",
    "NetworkPolicy",
    "each may change any verdict of its namespace",
)
_WORKLOADS: Final = "questions may name workloads, and pods belong to them"

FOLLOWED: Final = (_NAMESPACES, _NODES, _SERVICES, _PODS, _POLICIES)
"""What the agent lists and watches."""

RESOURCES: Final = (
    _NAMESPACES,
    _NODES,
    _PODS,
    _SERVICES,
    _POLICIES,
    Resource("apps", "v1", "deployments", "Deployment", _WORKLOADS),
    Resource("apps", "v1", "replicasets", "ReplicaSet", _WORKLOADS),
    Resource("apps", "v1", "statefulsets", "StatefulSet", _WORKLOADS),
    Resource("apps", "v1", "daemonsets", "DaemonSet", _WORKLOADS),
    Resource("", "v1", "replicationcontrollers", "ReplicationController", _WORKLOADS),
    Resource("batch", "v1", "jobs", "Job", _WORKLOADS),
    Resource("batch", "v1", "cronjobs", "CronJob", _WORKLOADS),
)
"""What a cluster is read from once."""

_GATEWAY: Final = "gateway.networking.k8s.io"
_WAYS_IN: Final = "each is a way in"

ENTRY_RESOURCES: Final[tuple[tuple[Resource, ...], ...]] = (
    (Resource("networking.k8s.io", "v1", "ingresses", "Ingress", _WAYS_IN),),
    *(
        tuple(Resource(_GATEWAY, one, plural, kind, _WAYS_IN) for one in versions)
        for plural, kind, versions in (
            ("gateways", "Gateway", ("v1", "v1beta1")),
            ("httproutes", "HTTPRoute", ("v1", "v1beta1")),
            ("grpcroutes", "GRPCRoute", ("v1", "v1alpha2")),
            ("tlsroutes", "TLSRoute", ("v1", "v1alpha3", "v1alpha2")),
            ("tcproutes", "TCPRoute", ("v1", "v1alpha2")),
            ("udproutes", "UDPRoute", ("v1", "v1alpha2")),
        )
    ),
)
"""Entry points, which no verdict hangs on: each kind in the versions tried in turn."""
