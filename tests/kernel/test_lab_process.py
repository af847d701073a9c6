"""A lab lives below one process: it needs no root, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

# A lab of two pods that says what became of a probe, and waits to be ended.
PROGRAM = """
import sys
from ipaddress import ip_address
from ringfence.lab.plan import OUTSIDE, Plan, Probe, Site, SiteKind
from ringfence.lab.session import open_lab
from ringfence.model.flow import Protocol
one, other, node = map(ip_address, ("10.0.0.1", "10.0.0.2", "172.18.0.1"))
a, b = Site(SiteKind.POD, "a"), Site(SiteKind.POD, "b")
sites = {Site(SiteKind.NODE, "n"): (node,), a: (one,), b: (other,), OUTSIDE: ()}
plan = Plan(sites, {a: "n", b: "n"}, (ip_address("169.254.1.1"),))
with open_lab(plan) as lab:
    lab.load({"n": "add table inet t"})
    print(*lab.probe([Probe(one, other, Protocol.TCP, 80)]), flush=True)
    sys.stdin.read()
"""
SYSCTLS = ("ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv4/conf/lo/forwarding")
LISTINGS = ("ip -o link", "ip netns list", "ip route", "nft list ruleset")


def ordinary_user() -> list[str]:
    """Return what runs a program with no more privileges than an ordinary user."""
    if os.geteuid() != 0:
        return []
    # An ordinary user may map itself into a namespace; user 0 needs this one for it.
    kept = "--bounding-set=-all,+setfcap"
    return ["setpriv", kept, "--inh-caps=-all", "--no-new-privs"]


USERS = pytest.mark.parametrize(
    "prefix", [[], ordinary_user()], ids=["self", "ordinary user"]
)


@contextmanager
def held(prefix: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Have a lab that runs; it is ended by the end of its standard input."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "connected\n"
        yield holder


def descendants(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [one for child in map(int, children) for one in (child, *descendants(child))]


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def all_end(processes: list[int]) -> bool:
    deadline = time.monotonic() + 60
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, processes))


def host_state() -> list[str]:
    """Return what a lab could change outside of itself, or leave behind."""
    sysctls = [Path("/proc/sys/net", name).read_text() for name in SYSCTLS]
    listings = [
        subprocess.run(command.split(), capture_output=True, text=True, check=False)
        for command in LISTINGS
    ]
    return [*sysctls, *(listing.stdout for listing in listings)]


@USERS
def test_kill_9_leaves_nothing(prefix: list[str]) -> None:
    before = host_state()
    with held(prefix) as holder:
        below = descendants(holder.pid)
        assert len(below) == 2
        assert host_state() == before
        holder.kill()
    assert all_end(below)
    assert host_state() == before


@USERS
def test_the_end_of_a_lab_is_the_end_of_its_processes(prefix: list[str]) -> None:
    with held(prefix) as holder:
        below = descendants(holder.pid)
        holder.communicate()
    assert holder.returncode == 0
    assert all_end(below)


@USERS
def test_a_lab_shares_no_namespace_with_the_host(prefix: list[str]) -> None:
    with held(prefix) as holder:
        keeper = descendants(holder.pid)[-1]
        for kind in ("net", "mnt", "pid"):
            ours = Path(f"/proc/self/ns/{kind}").readlink()
            assert Path(f"/proc/{keeper}/ns/{kind}").readlink() != ours
        holder.communicate()


def in_a_world_where(change: str, *prefix: str) -> str:
    """Return the last words of a lab on a machine that a shell command changes."""
    script = f'{change}; exec "$@"'
    world = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "-"]
    ended = subprocess.run(
        [*world, *prefix, sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stderr.splitlines()[-1]


def test_without_nft_one_sentence_says_how_to_get_it() -> None:
    places = "/usr/local/sbin /usr/sbin /sbin /usr/local/bin /usr/bin"
    hide = "test ! -e $d/nft || mount --bind /dev/null $d/nft"
    words = in_a_world_where(f"for d in {places}; do {hide}; done")
    assert words.startswith(
        "ringfence.errors.KernelError: nft is not installed; `apt install nftables`"
    )


def test_without_user_namespaces_one_sentence_says_how_to_get_them() -> None:
    switch = "echo 0 > /proc/sys/user/max_user_namespaces"
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    words = in_a_world_where(switch, *drop)
    assert "cannot make a user namespace" in words
    assert "`sudo sysctl user.max_user_namespaces=15000`, or run as root" in words
