"""Programs that ip and tc do not show are seen: one is loaded and attached for real."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

PYTHON = (sys.executable, "-c")

# Loads "return 0" as a classifier, attaches it to lo with a link, and asks.
SCRIPT = """
import ctypes, errno, os, platform, struct, sys
from ringfence.adapters.kernel.bpf import _CALLS, attached

libc = ctypes.CDLL(None, use_errno=True)

def bpf(command, attribute):
    held = ctypes.create_string_buffer(attribute, 128)
    answer = libc.syscall(_CALLS[platform.machine()], command, held, 128)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer

print(attached(1))
code = ctypes.create_string_buffer(bytes.fromhex("b700000000000000" "9500000000000000"))
word = ctypes.create_string_buffer(b"GPL")
classifier, load, link = 3, 5, 28
program = bpf(load, struct.pack(
    "=IIQQ", classifier, 2, ctypes.addressof(code), ctypes.addressof(word)))
ingress, egress = 46, 47
for place in (ingress, egress):
    bpf(link, struct.pack("=IIII", program, 1, place, 0))
    print(attached(1))
"""


ATTACHED = ["[]", "['tcx ingress']", "['tcx ingress', 'tcx egress']"]


def test_a_program_of_tcx_is_seen_where_it_is_attached() -> None:
    ordinary = os.geteuid() != 0
    ran = subprocess.run(
        ["unshare", *["--map-root-user"] * ordinary, "--net", *PYTHON, SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if ordinary:  # root of a user namespace may not even ask
        assert "PermissionError" in ran.stderr
    else:
        assert (ran.stdout.splitlines(), ran.stderr) == (ATTACHED, "")
