"""How one agent is run, as its flags, its environment and its file say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

from ringfence.ruleset.enforcement import Enforcement
from ringfence.ruleset.ir import Hook

AUDIT_INTERVAL_S = 300.0
LISTEN = ("127.0.0.1", 9477)


class Mode(Enum):
    """What happens to a denied packet."""

    ENFORCE = "enforce"
    AUDIT = "audit"


class UnknownPods(Enum):
    """What an address of this node's pod networks may do before it is programmed."""

    OPEN = "open"
    CLOSED = "closed"


class Established(Enum):
    """What happens to a connection that a change denies."""

    RECHECK = "recheck"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Config:
    """One agent's settings.

    ``flow_log``: a path, ``-`` for stdout, empty for none; ``flow_socket`` the path
    of the socket that ``ringfence observe`` reads, empty for none;
    ``audit_interval_s`` 0: no audits after the first.
    """

    node: str
    kubeconfig: str = ""
    context: str = ""
    mode: Mode = Mode.ENFORCE
    unknown_pods: UnknownPods = UnknownPods.OPEN
    established: Established = Established.RECHECK
    hook: Hook = Hook.FORWARD
    flow_log: str = ""
    flow_socket: str = ""
    sample_allowed: int = 0
    audit_interval_s: float = AUDIT_INTERVAL_S
    listen: tuple[str, int] = LISTEN


def node_name(hostname: str) -> str:
    """Return the name of this node in the API: $NODE_NAME, else the host's.

    A kubelet registers its host under the lower-cased name.
    """
    return os.environ.get("NODE_NAME") or hostname.lower()


def chosen_enforcement(config: Config) -> Enforcement:
    """Return what the settings alone say; the cluster adds modes and networks."""
    return Enforcement(
        audit=config.mode is Mode.AUDIT,
        hook=config.hook,
        samples=config.sample_allowed,
        cuts=True,
    )


def is_closed(config: Config) -> bool:
    """Whether unknown addresses of the node's pod networks pass nothing."""
    return config.unknown_pods is UnknownPods.CLOSED
