"""The dumps in docs/ruleset.md are what nft really lists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ringfence.cli.asking import load_compiled
from ringfence.cli.options import Inputs
from ringfence.cli.sourcing import Sources
from ringfence.engine.compiler import compile_cluster
from ringfence.lab.topology import plan_topology
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.render import render

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
IN_OWN_NAMESPACE = ("unshare", "--map-root-user", "--net", "sh", "-c")
DUMP = re.compile(r"```nft\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def listing() -> str:
    example = str(ROOT / "examples/wordpress")
    sources = Sources((("-f", example),))
    inputs = Inputs(False, "default", "strict", True, False, sources=sources)
    topology = plan_topology(load_compiled(inputs).cluster)
    table = lower(compile_cluster(topology.cluster), "node-1").table
    return subprocess.run(
        (*IN_OWN_NAMESPACE, "nft -f - && nft list table inet ringfence"),
        input=render(table),
        text=True,
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("dump", DUMP.findall((ROOT / "docs/ruleset.md").read_text()))
def test_dump_is_what_nft_lists(listing: str, dump: str) -> None:
    assert dump in listing
