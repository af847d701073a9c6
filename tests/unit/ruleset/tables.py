"""Tables of small clusters, and what to look up in them."""

from __future__ import annotations

from dataclasses import replace

from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.ruleset.ir import Chain, NftSet, Table, VerdictMap
from ringfence.ruleset.lowering.lower import Lowered, lower
from ringfence.ruleset.render import render_rule

NODE = "n1"


def lowered(world: Cluster, node: str = NODE) -> Lowered:
    return lower(compile_cluster(world), node)


def table_of(world: Cluster, node: str = NODE) -> Table:
    return lowered(world, node).table


def placed(world: Cluster, node: str = NODE) -> Cluster:
    """Return the cluster with every pod on one node."""
    pods = {key: replace(pod, node=node) for key, pod in world.pods.items()}
    return replace(world, pods=pods)


def chain(table: Table, name: str) -> Chain:
    return next(of for of in table.chains if of.name == name)


def lines(table: Table, name: str) -> list[str]:
    return [render_rule(rule) for rule in chain(table, name).rules]


def the_set(table: Table, name: str) -> NftSet:
    return next(of for of in table.sets if of.name == name)


def elements(table: Table, name: str) -> set[tuple[object, ...]]:
    return set(the_set(table, name).elements)


def the_map(table: Table, name: str) -> VerdictMap:
    return next(of for of in table.maps if of.name == name)


def set_names(table: Table) -> list[str]:
    return [of.name for of in table.sets]
