"""Two nodes in network namespaces, whose pods come and go, and programs on them."""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import IO, Any

from ringfence.adapters.kernel.netns import set_sysctl
from ringfence.adapters.process import raise_open_files
from ringfence.lab.inside.fabric import Fabric
from ringfence.lab.inside.probe import Prober
from ringfence.lab.inside.reactor import Reactor
from ringfence.lab.plan import OUTSIDE, Bridge, Cni, Fate, Plan, Probe, Site, SiteKind
from ringfence.model.flow import IPAddress, IPNetwork

NODES = {
    "n1": (ip_address("172.18.0.1"), ip_address("fd00:172:18::1")),
    "n2": (ip_address("172.18.0.2"), ip_address("fd00:172:18::2")),
}
RANGES = {
    "n1": (ip_network("10.244.1.0/24"), ip_network("fd00:10:244:1::/64")),
    "n2": (ip_network("10.244.2.0/24"), ip_network("fd00:10:244:2::/64")),
}
STRANGER = ip_address("203.0.113.10")
"""The host outside that conformance cases name."""

GATEWAYS = (ip_address("169.254.1.1"), ip_address("fe80::1"))
_DEADLINE_S = 120.0
_PDEATHSIG = 1


@dataclass(frozen=True)
class Place:
    """Where a pod is."""

    node: str
    addresses: tuple[IPAddress, ...]


def place(node: str, number: int) -> Place:
    """Return a pod's place by its number in its node's ranges, in both families."""
    return Place(node, tuple(range_[number] for range_ in RANGES[node]))


class Nodes:
    """The nodes' fabric; ``pods`` says who is where.

    ``more`` are networks that the nodes' bridges have beside their podCIDRs.
    """

    def __init__(
        self, cni: Cni, more: Mapping[str, Sequence[IPNetwork]] | None = None
    ) -> None:
        raise_open_files()
        self.pods: dict[str, Place] = {}
        bridges = {
            node: Bridge(
                tuple(range_[1] for range_ in ranges),
                (*ranges, *(more or {}).get(node, ())),
            )
            for node, ranges in RANGES.items()
        }
        sites: dict[Site, tuple[IPAddress, ...]] = {
            Site(SiteKind.NODE, node): held for node, held in NODES.items()
        }
        sites[OUTSIDE] = (STRANGER,)
        self._plan = Plan(sites, {}, GATEWAYS, bridges if cni is Cni.BRIDGE else {})
        self._fabric = Fabric(self._plan)
        if cni is Cni.BRIDGE:
            self._look_away()
        self._reactor = Reactor()
        self._prober = Prober(self._fabric, self._reactor)

    def close(self) -> None:
        """Take all down."""
        self._prober.close()
        self._reactor.close()
        self._fabric.close()

    def _look_away(self) -> None:
        """Have no rule see what a bridge passes, as hosts often have it."""
        for node in NODES:
            with self.inside(Site(SiteKind.NODE, node)):
                for family in ("iptables", "ip6tables"):
                    set_sysctl(f"bridge/bridge-nf-call-{family}", 0)

    def become(self, pods: Mapping[str, Place]) -> None:
        """Make and remove pods until just these are there."""
        frame = {
            s: a for s, a in self._plan.sites.items() if s.kind is not SiteKind.POD
        }
        sites = {Site(SiteKind.POD, name): at.addresses for name, at in pods.items()}
        homes = {Site(SiteKind.POD, name): at.node for name, at in pods.items()}
        self._plan = replace(self._plan, sites=frame | sites, homes=homes)
        self._prober.forget(self._fabric.change(self._plan))
        self.pods = dict(pods)

    @contextmanager
    def inside(self, site: Site) -> Iterator[None]:
        """Be in the namespace of a site for a block."""
        with self._fabric.inside(site):
            yield

    def probe(self, probes: Sequence[Probe]) -> list[Fate]:
        """Send each probe as a new connection; all connections are forgotten."""
        return self._prober.probe(probes, _DEADLINE_S)

    def start(
        self, site: Site, command: Sequence[str], errors: IO[bytes] | None
    ) -> subprocess.Popen[bytes]:
        """Run a program in a site's network namespace; it ends with this process."""
        namespace = self._fabric.namespace(site)

        def enter() -> None:
            namespace.enter()
            ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)

        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=enter,  # noqa: PLW1509 - two system calls, no locks
        )


class Traffic:
    """A program of traffic.py in a pod; ``end`` returns what it saw."""

    def __init__(self, nodes: Nodes, name: str, *words: str) -> None:
        program = str(Path(__file__).with_name("traffic.py"))
        command = [sys.executable, program, *words]
        self._process = nodes.start(pod(name), command, None)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", words

    def end(self) -> Any:
        """Tell it to end; return its document."""
        output, _ = self._process.communicate(timeout=_DEADLINE_S)
        return json.loads(output)

    def wait(self) -> Any:
        """Wait until it ends by itself; return its document."""
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.end_quietly()
        return told

    def end_quietly(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.communicate()


def node(name: str) -> Site:
    """Return the site of a node."""
    return Site(SiteKind.NODE, name)


def pod(name: str) -> Site:
    """Return the site of a pod, named by namespace and name."""
    return Site(SiteKind.POD, name)


class Forwarder:
    """A port of the host's loopback on every node's; ``stop`` cuts nodes off."""

    def __init__(self, nodes: Nodes, port: int) -> None:
        self._nodes, self._port = nodes, port
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Carry connections again."""
        program = Path(__file__).with_name("forward.py")
        with ExitStack() as held:
            listening = []
            for name in NODES:
                with self._nodes.inside(node(name)):
                    sock = socket.create_server(("127.0.0.1", self._port), backlog=128)
                listening.append(held.enter_context(sock))
            descriptors = [sock.fileno() for sock in listening]
            self._process = subprocess.Popen(
                [sys.executable, program, str(self._port), *map(str, descriptors)],
                pass_fds=descriptors,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one system call, no locks
            )

    def stop(self) -> None:
        """End every connection and refuse new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
