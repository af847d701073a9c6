"""A denied connection is ended in the end, whatever the kernel says at first."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from queue import Queue

import pytest
from test_realise import nft, powerless

from programs import run_python
from ringfence.adapters.kernel.conntrack import Conntrack
from ringfence.adapters.kernel.netlink import LOOPBACK, Netlink, link_up
from ringfence.agent.enforcing.cut import Judge, Site
from ringfence.agent.enforcing.cutting import Cutter
from ringfence.agent.plan import Touched
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Direction
from ringfence.model.labels import EVERYTHING
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import Namespace, Pod
from ringfence.observe.tracked import Tracked
from ringfence.ruleset.lowering.owners import claims_of

pytestmark = pytest.mark.kernel

WEB, DB = ObjectKey("shop", "web"), ObjectKey("shop", "db")
ADDRESSES = {WEB: ip_address("127.0.0.2"), DB: ip_address("127.0.0.3")}
OF_DB = Touched(frozenset({ADDRESSES[DB].packed}))
TRACKING = "add table t; add chain t c { type filter hook input priority 0; }"


def alone(test: Callable[[], None]) -> Callable[[], None]:
    """Run the test in a program and a network namespace of its own."""

    @wraps(test)
    def run() -> None:
        here, name = str(Path(__file__).parent), test.__name__
        program = f"import sys; sys.path[:0] = [{here!r}]; import test_cutting as of\n"
        called = f"of.{name}.__wrapped__()"
        run_python(program + called, "unshare", "--map-root-user", "--net")

    return run


def judge() -> Judge:
    """Return one of a node on which nobody may talk to a pod."""
    pods = [Pod(key, {}, (at,), node="n1") for key, at in ADDRESSES.items()]
    key, ways = ObjectKey("shop", "shut"), frozenset({Direction.INGRESS})
    cluster = Cluster(
        {"shop": Namespace("shop", {})},
        {pod.key: pod for pod in pods},
        policies={key: NetworkPolicy(key, EVERYTHING, ways)},
    )
    site = Site(frozenset(cluster.pods))
    return Judge(compile_cluster(cluster), claims_of(cluster), site)


@contextmanager
def connected() -> Iterator[None]:
    """Have a connection from the one pod's address to the other's, and it tracked."""
    Netlink().request([link_up(LOOPBACK)])
    nft(TRACKING)
    nft("add rule t c ct state new accept")
    with (
        socket.create_server((str(ADDRESSES[DB]), 0)) as listener,
        socket.create_connection(
            listener.getsockname(), source_address=(str(ADDRESSES[WEB]), 0)
        ),
    ):
        yield


def tracked() -> int:
    with Conntrack() as conntrack:
        return len(conntrack.entries(OF_DB.soon))


@alone
def test_connections_that_could_not_be_ended_are_listed_again() -> None:
    found: Queue[list[Tracked]] = Queue()
    with connected(), closing(Cutter(found.put)) as cutter:
        cutter.want(OF_DB)
        entries = found.get(timeout=60)
        with powerless():
            assert cutter.cut(entries, judge()) == 0
        assert tracked() == 1
        assert cutter.due_in_s is not None
        time.sleep(cutter.due_in_s)
        cutter.want(Touched())
        assert cutter.cut(found.get(timeout=60), judge()) == 1
        assert tracked() == 0
        assert cutter.due_in_s is None


@alone
def test_connections_that_could_not_be_listed_are_asked_for_again() -> None:
    found: Queue[list[Tracked]] = Queue()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with connected(), closing(Cutter(found.put)) as cutter:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            cutter.want(OF_DB)
            time.sleep(0.2)
            assert found.empty()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert cutter.cut(found.get(timeout=60), judge()) == 1


@alone
def test_who_gets_the_address_of_a_pod_that_went_does_not_wait() -> None:
    found: Queue[list[Tracked]] = Queue()
    gone = OF_DB.soon
    with connected(), closing(Cutter(found.put)) as cutter:
        cutter.want(Touched(later=gone))
        time.sleep(0.1)
        assert found.empty()
        assert cutter.due_in_s is not None
        cutter.want(Touched(taken=frozenset({ADDRESSES[WEB].packed})))
        time.sleep(0.1)
        assert found.empty()
        cutter.want(Touched(taken=gone))
        assert len(found.get(timeout=60)) == 1
