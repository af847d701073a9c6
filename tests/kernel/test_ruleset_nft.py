"""nft itself takes the rendered text, and lists back what was meant."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from ringfence.engine.compiler import compile_cluster
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import lower
from ringfence.ruleset.render import render, render_rule
from strategies import make_world, seeded
from worlds import cluster, ingress, peer, pod, rule, tcp

pytestmark = pytest.mark.kernel

PROTOCOL_NUMBERS = {"tcp": "6", "udp": "17", "sctp": "132"}
IN_OWN_NAMESPACE = ("unshare", "--map-root-user", "--net", "sh", "-c")


def tables(seed: int) -> list[Table]:
    compiled = compile_cluster(make_world(seeded(seed), decided=True).cluster)
    return [lower(compiled, node).table for node in compiled.cluster.nodes]


def in_kernel(text: str, listing: str) -> str:
    """Load the text into a fresh network namespace and return nft's listing."""
    return subprocess.run(
        (*IN_OWN_NAMESPACE, f"nft -f - && {listing}"),
        input=text,
        text=True,
        capture_output=True,
        check=True,
    ).stdout


def in_nfts_words(rule: str) -> str:
    """Return a rule as nft 1.0 writes it back."""
    words = rule.split(" ")
    after_name = [i + 1 for i, word in enumerate(words) if word == "name"]
    for index in after_name:
        words[index] = f'"{words[index]}"'
    for index in [i + 1 for i, word in enumerate(words) if word == "l4proto"]:
        words[index] = PROTOCOL_NUMBERS.get(words[index], words[index])
    return " ".join(words).replace(
        "tcp flags & (fin|syn|rst|ack) != syn", "tcp flags != syn / fin,syn,rst,ack"
    )


@pytest.mark.parametrize("seed", range(8))
def test_nft_lists_every_rule_back(seed: int) -> None:
    for table in tables(seed):
        # Numbers, since a machine without /etc/protocols gives nft no names.
        listing = in_kernel(render(table), "nft -p list table inet ringfence")
        lines = Counter(line.strip() for line in listing.splitlines())
        rules = Counter(
            in_nfts_words(render_rule(rule))
            for chain in table.chains
            for rule in chain.rules
        )
        assert rules - lines == Counter()


@pytest.mark.parametrize("seed", range(8, 16))
def test_nft_lists_every_set_and_map_with_its_elements(seed: int) -> None:
    for table in tables(seed):
        listing = in_kernel(render(table), "nft -j list table inet ringfence")
        found: dict[str, Any] = {}
        for entry in json.loads(listing)["nftables"]:
            found.update(
                {e["name"]: e for e in (entry.get("set"), entry.get("map")) if e}
            )
        sizes = {name: len(entry.get("elem", ())) for name, entry in found.items()}
        assert sizes == {of.name: len(of.elements) for of in (*table.sets, *table.maps)}


def test_loading_again_replaces_the_table() -> None:
    (first, *_), (second, *_) = tables(1), tables(2)
    listing = "nft list table inet ringfence"
    twice = in_kernel(render(first) + render(second), listing)
    assert twice == in_kernel(render(second), listing)
    assert twice != in_kernel(render(first), listing)


def test_other_tables_are_left_alone() -> None:
    (table, *_) = tables(1)
    text = "add table ip other\n" + render(table)
    assert "table ip other" in in_kernel(text, "nft list tables")


def test_nft_takes_the_longest_names_that_the_api_allows() -> None:
    space = "n" * 63
    value, prefix = "v" * 63, "p" * 253
    term = f"{prefix}/{value} notin ({value},{value[1:]})"
    world = cluster(
        pod(f"{space}/web", "", "10.0.0.1", "fd00::1", node="n1"),
        *(
            ingress(
                f"{space}/{letter * 253}",
                "",
                rule([peer(f"{term},!{letter}", term)], [tcp("n" * 15), tcp(80)]),
            )
            for letter in "abc"
        ),
    )
    table = lower(compile_cluster(world), "n1").table
    listing = in_kernel(render(table), "nft list table inet ringfence")
    assert all(f"chain {chain.name} {{" in listing for chain in table.chains)
    assert all(f"set {of.name} {{" in listing for of in table.sets)
