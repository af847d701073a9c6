"""What is found on a node while pods come and go on it."""

from __future__ import annotations

import pytest

from programs import run_python

pytestmark = pytest.mark.kernel

GOING = """
import subprocess
from ringfence.adapters.hostfacts import node_facts
from ringfence.doctor.facts import Unknown
script = '''
while number=$((number + 1)); do
  ip link add of$number type veth peer name to$number
  tc qdisc add dev of$number clsact
  ip link del of$number
done
'''
going = subprocess.Popen(["sh", "-c", script], start_new_session=True)
try:
    for _ in range(40):
        found = node_facts(Unknown("nobody tried")).programs
        # Those of tcx are told to root of the machine alone.
        assert not (isinstance(found, Unknown) and found.reason.startswith("tc")), found
finally:
    going.kill()
"""


def test_a_link_that_goes_while_it_is_looked_at_hides_no_programs() -> None:
    run_python(GOING, "unshare", "--map-root-user", "--net")
