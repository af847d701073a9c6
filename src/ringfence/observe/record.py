"""Flow records: who talked to whom, what became of it, and which policies said so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """What became of a packet, in Hubble's words (flow.proto, ``Verdict``)."""

    UNKNOWN = "VERDICT_UNKNOWN"
    FORWARDED = "FORWARDED"
    DROPPED = "DROPPED"
    AUDIT = "AUDIT"
    ERROR = "ERROR"
    REDIRECTED = "REDIRECTED"
    TRACED = "TRACED"
    TRANSLATED = "TRANSLATED"


POLICY_VERDICT = "policy-verdict"
"""The type of our own records; Hubble's have others, too."""

RESERVED = {
    "host": 1,
    "world": 2,
    "remote-node": 6,
    "kube-apiserver": 7,
}
"""Hubble's words for ends that are no pods, and its numbers (identity 0: unknown)."""

RESERVED_LABEL = "reserved:"
POD_LABEL = "k8s:"
NAMESPACE_LABEL = "k8s:io.kubernetes.pod.namespace="


class Workload(NamedTuple):
    """What a pod belongs to."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a flow.

    ``pod`` is empty for an end that is none, or not known to be one; ``labels`` say
    what it is then (``reserved:world``). ``claimants`` are the owners of an address
    that has several.
    """

    address: str = ""
    namespace: str = ""
    pod: str = ""
    labels: tuple[str, ...] = ()
    workloads: tuple[Workload, ...] = ()
    identity: int = 0
    claimants: tuple[str, ...] = ()

    @property
    def reserved(self) -> str:
        """The word for an end that is no pod: ``world``, ``host``; or empty."""
        heads = (of for of in self.labels if of.startswith(RESERVED_LABEL))
        return next(heads, "").removeprefix(RESERVED_LABEL)


class Effect(Enum):
    """What a policy did to a flow."""

    DENIES = "denies"
    ALLOWS = "allows"


@dataclass(frozen=True, slots=True)
class Deciding:
    """A policy with a part in the verdict.

    ``rule`` is the path of the rule that allows; empty for a policy that isolates
    the pod and none of whose rules matches.
    """

    namespace: str
    name: str
    effect: Effect
    rule: str = ""

    def __str__(self) -> str:
        """Render as ``namespace/name``."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class NearestMiss:
    """How the flow came closest to being allowed; ``policy`` empty: no rule at all."""

    policy: str
    field: str
    terms: tuple[str, ...]
    fix: str


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One packet, told.

    ``time``: nanoseconds since 1970. ``protocol``: TCP, UDP, SCTP, ICMPv4, ICMPv6, or
    empty. ``ports`` are source and destination, ``icmp`` type and code, None without.
    ``direction``: INGRESS, EGRESS, or empty. ``reply``: None where it is not known.
    """

    time: int
    verdict: Verdict
    source: Party
    destination: Party
    version: int = 4
    protocol: str = ""
    ports: tuple[int, int] | None = None
    flags: tuple[str, ...] = ()
    icmp: tuple[int, int] | None = None
    direction: str = ""
    node: str = ""
    type: str = POLICY_VERDICT
    reason: str = ""
    summary: str = ""
    reply: bool | None = None
    policies: tuple[Deciding, ...] = ()
    miss: NearestMiss | None = None
