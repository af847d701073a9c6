"""Links, addresses and routes come about as asked, or are refused with a reason."""

from __future__ import annotations

import json

import pytest

from programs import run_python

pytestmark = pytest.mark.kernel

HEAD = """
from ipaddress import ip_address
from ringfence.adapters.kernel.netlink import *
from ringfence.adapters.kernel.netns import NetworkNamespace, isolate
from ringfence.errors import KernelError
import subprocess
isolate()
home = NetworkNamespace.current()
far = NetworkNamespace.create()
home.enter()
mac = bytes.fromhex("020000000001")
netlink = Netlink()
netlink.request([link_up(LOOPBACK)])
"""


def run_isolated(body: str) -> str:
    return run_python(f"{HEAD}{body}")


VETH = """
here, there = LinkEnd("up", 10, mac), LinkEnd("eth0", 2, mac)
netlink.request([veth(here, there, far.fileno())])
"""


def test_a_pair_of_links_is_made_with_the_numbers_asked_for() -> None:
    listed = run_isolated(f'{VETH}\nsubprocess.run(["ip", "-j", "link"])')
    (link,) = (link for link in json.loads(listed) if link["ifname"] == "up")
    assert (link["ifindex"], link["address"]) == (10, "02:00:00:00:00:01")
    assert "UP" in link["flags"]


def test_a_route_goes_through_its_gateway_without_asking_for_its_mac() -> None:
    listed = run_isolated(
        f"""{VETH}
gateway = ip_address("169.254.1.1")
netlink.request([neighbour(10, gateway, mac), route(10, gateway, None)])
subprocess.run(["ip", "-j", "route"])"""
    )
    (route,) = json.loads(listed)
    assert (route["dst"], route["gateway"], route["dev"]) == (
        "default",
        "169.254.1.1",
        "up",
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ('address(99, ip_address("10.0.0.1"))', "add address 10.0.0.1: No such device"),
        ('route(99, ip_address("10.0.0.1"), None)', "route default: "),
        ("link_up(77)", "set link 77 up: No such device"),
    ],
)
def test_a_refusal_says_what_was_refused(request_: str, words: str) -> None:
    printed = run_isolated(
        f"""
try:
    netlink.request([link_up(LOOPBACK), {request_}, link_up(LOOPBACK)])
except KernelError as error:
    print(error)"""
    )
    assert printed.startswith(f"the kernel refused to {words}")
