"""A node's bridges and addresses, as a real kernel has them."""

from __future__ import annotations

import pytest

from programs import run_python

pytestmark = pytest.mark.kernel

LINKS = """
link set lo up
link add br0 type bridge
addr add 10.9.0.1/24 dev br0
addr add fd00:9::1/64 dev br0 nodad
link set br0 up
link add plain type veth peer name far
link set plain up
link set far up
route add 10.8.0.0/24 dev plain
"""
HEAD = """
import subprocess
from ipaddress import ip_address
from ringfence.adapters.kernel.links import Links, netfilter_sees_bridges
from ringfence.adapters.kernel.netns import isolate
isolate()
# One program: the first one is the init of the process namespace, and its end.
subprocess.run(["ip", "-batch", "-"], input=LINKS, text=True, check=True)
links = Links()
by_name = {bridge.name: bridge for bridge in links.bridges().values()}
"""


def run_isolated(body: str, links: str = LINKS) -> str:
    return run_python(f"LINKS = {links!r}\n{HEAD}{body}").strip()


def test_own_addresses_are_those_of_every_link() -> None:
    told = run_isolated(
        "own = links.own_addresses()\n"
        "for text in ('127.0.0.1', '::1', '10.9.0.1', 'fd00:9::1', '10.9.0.2'):\n"
        "    print(text, ip_address(text).packed in own)"
    )
    assert told.splitlines() == [
        "127.0.0.1 True",
        "::1 True",
        "10.9.0.1 True",
        "fd00:9::1 True",
        "10.9.0.2 False",
    ]


def test_a_pods_address_leads_to_its_bridge_another_to_none() -> None:
    told = run_isolated(
        "index = by_name['br0'].number\n"
        "for text in ('10.9.0.7', 'fd00:9::7', '10.8.0.7', '192.0.2.1'):\n"
        "    link = links.link_to(ip_address(text))\n"
        "    print(text, link == index, link is None)"
    )
    assert told.splitlines() == [
        "10.9.0.7 True False",
        "fd00:9::7 True False",
        "10.8.0.7 False False",
        "192.0.2.1 False True",
    ]


def test_a_bridge_shows_its_packets_after_it_was_told_to() -> None:
    told = run_isolated(
        "print(list(by_name), sorted(by_name['br0'].calls))\n"
        "links.show_to_netfilter(by_name['br0'], [4, 6])\n"
        "(bridge,) = links.bridges().values()\n"
        "print(sorted(bridge.calls))"
    )
    assert told.splitlines() == ["['br0'] []", "[4, 6]"]


def test_the_sysctls_say_what_every_bridge_shows() -> None:
    told = run_isolated(
        "from ringfence.adapters.kernel.netns import set_sysctl\n"
        "set_sysctl('bridge/bridge-nf-call-iptables', 0)\n"
        "set_sysctl('bridge/bridge-nf-call-ip6tables', 1)\n"
        "print(sorted(netfilter_sees_bridges()))"
    )
    assert told == "[6]"


def test_a_pair_whose_ends_are_both_up_runs_soon() -> None:
    told = run_isolated(
        "import time\n"
        "end = time.monotonic() + 60\n"
        "while not links.pairs_run() and time.monotonic() < end:\n"
        "    time.sleep(0.001)\n"
        "print(links.pairs_run())"
    )
    assert told == "True"


def test_more_links_than_a_datagram_holds_are_listed_again_and_again() -> None:
    many = "".join(f"link add v{n} type veth peer name w{n}\n" for n in range(99))
    told = run_isolated(
        "print([links.pairs_run() for _ in range(3)])\n"
        "print([bridge.name for bridge in links.bridges().values()])",
        LINKS + many,
    )
    assert told.splitlines() == ["[False, False, False]", "['br0']"]
