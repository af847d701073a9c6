"""The lab's own process: the one that everything in a lab lives below.

It is the first process of a PID namespace, with mount and network namespaces
(and, for ordinary users, a user namespace) of its own. The kernel kills it when
whoever started it ends, however that ends; with it go all its descriptors,
and so every namespace, link, listener and ruleset of the lab.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ringfence.adapters.kernel.netlink import LOOPBACK, Netlink, link_up
from ringfence.adapters.kernel.netns import die_with_parent, isolate, mount_proc
from ringfence.adapters.kernel.nft import find_nft, replace_ruleset
from ringfence.adapters.process import raise_open_files
from ringfence.errors import KernelError, RingfenceBug
from ringfence.lab.inside.channel import Channel
from ringfence.lab.inside.fabric import Fabric
from ringfence.lab.inside.probe import Prober
from ringfence.lab.inside.reactor import Reactor
from ringfence.lab.plan import Fate, Plan, Probe, Site, SiteKind


def main() -> None:
    """Serve the lab whose socket's descriptor is the only argument."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    # Whoever started it may end at any time, the kernel's signal come later.
    with suppress(EOFError):
        _live(sock)


def _live(sock: socket.socket) -> None:
    """Raise EOFError when the other end is closed, its process dead or done."""
    channel = Channel(sock)
    try:
        isolate()
    except KernelError as error:
        channel.send(error)
        return
    die_with_parent()
    child = os.fork()
    if child:
        sock.close()
        os.waitpid(child, 0)
        return
    die_with_parent()
    mount_proc()
    _serve(channel)


def _serve(channel: Channel) -> None:
    """Answer requests; raises EOFError when the other end is closed."""
    raise_open_files()
    try:
        keeper = _Keeper()
    except KernelError as error:
        channel.send(error)
        return
    channel.send(None)
    while True:
        name, arguments = channel.receive()
        try:
            answer = keeper.answer(name, arguments)
        except KernelError as error:
            answer = error
        channel.send(answer)


class _Keeper:
    """The fabric, and what can be asked of it."""

    def __init__(self) -> None:
        self._nft = find_nft()
        with Netlink() as netlink:
            netlink.request([link_up(LOOPBACK)])
        self._reactor = Reactor()
        self._fabric: Fabric | None = None
        self._prober: Prober | None = None

    def answer(self, name: str, arguments: tuple[object, ...]) -> object:
        """Call the method of that name."""
        match name, arguments:
            case "build", (Plan() as plan,):
                self._build(plan)
                return None
            case "load", (dict() as rulesets,):
                self._load(rulesets)
                return None
            case "probe", (list() as probes, float() as deadline_s):
                return self._probe(probes, deadline_s)
            case _:
                raise RingfenceBug(f"a lab cannot {name}")

    def _build(self, plan: Plan) -> None:
        if self._fabric is not None and self._fabric.fits(plan):
            self._change(plan)
            return
        self._close()
        self._fabric = Fabric(plan)
        self._prober = Prober(self._fabric, self._reactor)

    def _change(self, plan: Plan) -> None:
        if self._prober is None or self._fabric is None:
            raise RingfenceBug("a lab is built before it is changed")
        try:
            self._prober.forget(self._fabric.change(plan))
        except KernelError:
            self._close()
            raise

    def _close(self) -> None:
        if self._prober is not None and self._fabric is not None:
            self._prober.close()
            self._fabric.close()
            self._prober = self._fabric = None

    def _load(self, rulesets: Mapping[str, str]) -> None:
        if self._fabric is None:
            raise RingfenceBug("a lab is built before it is loaded")
        for node, text in rulesets.items():
            with self._fabric.inside(Site(SiteKind.NODE, node)):
                replace_ruleset(self._nft, text, f"node {node}")

    def _probe(self, probes: Sequence[Probe], deadline_s: float) -> list[Fate]:
        if self._prober is None:
            raise RingfenceBug("a lab is built before it is probed")
        return self._prober.probe(probes, deadline_s)


if __name__ == "__main__":
    main()
