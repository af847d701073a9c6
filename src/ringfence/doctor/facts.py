"""What was found on a node and in its cluster; each fact may also be unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why."""

    reason: str


class BaseChain(NamedTuple):
    """A chain at a hook; ``drops`` says how it ends what no rule accepted, if it does.

    ``place`` is ``family table chain``, ``priority`` nft's number.
    """

    place: str
    hook: str
    priority: int
    drops: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What the node's packet filters hold, by name: nf_tables or iptables-legacy.

    ``tables`` are ``family name``, ``chains`` bare names, of regular chains too;
    ``flowtables`` are ``family table name``.
    """

    tables: frozenset[str] = frozenset()
    chains: frozenset[str] = frozenset()
    bases: tuple[BaseChain, ...] = ()
    flowtables: tuple[str, ...] = ()


class Link(NamedTuple):
    """A network link; of a bridge also whether IP filters see what it bridges.

    ``kind`` is rtnetlink's (``veth``, ``bridge``, ...), empty for hardware;
    ``master`` the bridge it is a port of.
    """

    name: str
    number: int
    kind: str = ""
    master: str = ""
    filters4: bool = False
    filters6: bool = False


class Program(NamedTuple):
    """An eBPF program on a link; ``place``: ``xdp``, ``tc ingress``, ``tcx egress``."""

    link: str
    place: str
    name: str = ""


class BridgeFilter(NamedTuple):
    """The sysctls of br_netfilter, for all bridges of the network namespace."""

    iptables: bool
    ip6tables: bool


class Tracked(NamedTuple):
    """Connections that conntrack holds, and the most that it may."""

    held: int
    limit: int


class Trial(NamedTuple):
    """A ruleset loaded into a throw-away node; ``fault``: the kernel's words, or none.

    ``packets``: whether packets were sent too, and fared as the policies say.
    """

    fault: str = ""
    packets: bool = False


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What was found on the node that the doctor runs on.

    ``programs`` are those of tc, tcx and netkit. ``own_comment``: the comment of the
    table ``inet ringfence``, None: no such table. ``bridge_filter`` None: br_netfilter
    is not loaded. ``tracked`` None: conntrack is not in use.
    """

    kernel: str
    nft: str | Unknown
    ruleset: Ruleset | Unknown
    legacy: Ruleset | Unknown
    own_comment: str | Unknown | None
    links: tuple[Link, ...] | Unknown
    xdp: tuple[Program, ...] | Unknown
    programs: tuple[Program, ...] | Unknown
    bridge_filter: BridgeFilter | None
    forwarding: bool | Unknown
    tracked: Tracked | Unknown | None
    trial: Trial | Unknown


class DaemonSet(NamedTuple):
    """A DaemonSet, and the commands and arguments of its containers."""

    namespace: str
    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the API server answered; ``definitions``: names of CRDs."""

    daemonsets: tuple[DaemonSet, ...] | Unknown
    definitions: frozenset[str] | Unknown


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is judged."""

    node: NodeFacts
    cluster: ClusterFacts | Unknown
