"""A lab whose links pass no packets is none: what they lose no rule has dropped."""

from __future__ import annotations

import pytest

from programs import run_python

pytestmark = pytest.mark.kernel

WORLD = """
from ipaddress import ip_address
from ringfence.adapters.kernel.netlink import LinkEnd, Netlink, veth
from ringfence.adapters.kernel.netns import isolate
from ringfence.errors import KernelError
from ringfence.lab.inside import fabric
from ringfence.lab.plan import OUTSIDE, Plan, Site, SiteKind
isolate()
node = Site(SiteKind.NODE, "n")
def plan(**pods):
    made = {Site(SiteKind.POD, name): (ip_address(at),) for name, at in pods.items()}
    sites = {node: (ip_address("172.18.0.1"),), OUTSIDE: (), **made}
    return Plan(sites, dict.fromkeys(made, "n"), (ip_address("169.254.1.1"),))
lab = fabric.Fabric(plan(a="10.0.0.1"))
"""


def test_links_that_do_not_come_up_are_an_error() -> None:
    told = run_python(f"""{WORLD}
fabric._MOST_WAIT_S = 0.1
ends = (LinkEnd(f"idle{{n}}", 70 + n, bytes((2, 0, 0, 0, 0, n))) for n in (1, 2))
with lab.inside(node):
    Netlink().request([veth(*ends, lab.namespace(node).fileno())])
try:
    lab.change(plan(a="10.0.0.1", b="10.0.0.2"))
except KernelError as error:
    print(error)
lab.close()
""")
    assert told == "the links of the lab do not come up\n"
