"""One look at a node beside its agent: compare, or remove."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from queue import Empty, Queue
from typing import Any

from ringfence.adapters.kernel.links import Links
from ringfence.adapters.kernel.nftables import Nftables
from ringfence.adapters.kubernetes.deltas import Changed, Down, Listed
from ringfence.adapters.kubernetes.reflector import Reflector
from ringfence.agent.config import Config, chosen_enforcement, is_closed
from ringfence.agent.enforcing.cut import Judge, Site
from ringfence.agent.inspection.audit import Findings, audit, with_cuts
from ringfence.agent.service import cluster_access
from ringfence.agent.state import Intake, cluster_of
from ringfence.engine.following.state import State
from ringfence.errors import InputError, Problem
from ringfence.model.cluster import Cluster
from ringfence.ruleset.lowering.lower import TABLE_NAME, lower
from ringfence.ruleset.lowering.owners import is_local

_PATIENCE_S = 60.0
_WAIT_S = 0.5


def verify_node(config: Config) -> Findings:
    """Compare this kernel's table with what the cluster's policies ask of the node.

    Raises InputError where the cluster cannot be listed, KernelError where the kernel
    cannot be read.
    """
    intake = _listed(config)
    enforcement = intake.enforcement
    state = State(cluster_of(intake.events()))
    pods = state.cluster.pods.values()
    local = frozenset(pod.key for pod in pods if is_local(pod, config.node))
    desired = lower(state.compiled, config.node, enforcement=enforcement).table
    with Links() as links, Nftables() as kernel:
        site = Site(local, links.own_addresses(), enforcement)
        realised = kernel.table(TABLE_NAME)
    judge = Judge(state.compiled, state.claims, site)
    return audit(realised, with_cuts(desired, realised), judge)


def remove_table() -> bool:
    """Remove the table; return whether it was there. Raises KernelError."""
    with Nftables() as kernel:
        found = kernel.table(TABLE_NAME) is not None
        kernel.drop(TABLE_NAME)
    return found


def _listed(config: Config) -> Intake:
    """Return everything that a node's table depends on, as listed once."""
    inbox: Queue[Any] = Queue()
    choice = chosen_enforcement(config)
    intake = Intake(config.node, choice, closed=is_closed(config))
    reflector = Reflector(cluster_access(config), inbox)
    reflector.start()
    refused: dict[str, str] = {}
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not intake.synced and len(refused) < len(intake.missing):
            _take(inbox, intake, refused)
            if time.monotonic() > deadline:
                break
    finally:
        reflector.stop()
    if not intake.synced:
        raise InputError(unlisted(intake.missing, refused))
    return intake


def _take(inbox: Queue[Any], intake: Intake, refused: dict[str, str]) -> None:
    try:
        message = inbox.get(timeout=_WAIT_S)
    except Empty:
        return
    match message:
        case Listed(kind, objects):
            intake.relist(kind, objects, Cluster())
            refused.pop(kind, None)
        case Changed(kind, key, stored):
            intake.change(kind, key, stored)
        case Down(kind, reason):
            refused[kind] = reason
        case _:
            pass  # Up: a list follows


def unlisted(kinds: Iterable[str], refused: Mapping[str, str]) -> list[Problem]:
    """Return why kinds could not be listed; those with the same reason are one."""
    shared: dict[str, list[str]] = {}
    for kind in kinds:
        reason = refused.get(kind, "the list takes too long")
        shared.setdefault(reason, []).append(kind)
    return [Problem(", ".join(of), reason) for reason, of in shared.items()]
