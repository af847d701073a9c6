"""NetworkPolicy as decoded and defaulted (networking/v1 types.go).

Absent, null and empty have been told apart by ``manifest`` already: here
``peers=None`` and ``ports=None`` mean *not restricted*, a tuple is never empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.model.flow import Direction, IPNetwork, Protocol
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import NOWHERE, Labels, ObjectKey, Position


@dataclass(frozen=True, slots=True)
class IPBlock:
    """``cidr`` minus every ``except_``, which is no deny: other rules may allow it."""

    cidr: IPNetwork
    except_: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of ``from`` or ``to``: either ``ip_block`` or one or both selectors."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class PolicyPort:
    """One entry of ``ports``: a number, a range to ``end_port`` inclusive, or a name.

    ``port=None`` is every port of the protocol.
    """

    protocol: Protocol = Protocol.TCP
    port: int | str | None = None
    end_port: int | None = None
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``ingress`` or ``egress``: any peer AND any port."""

    peers: tuple[Peer, ...] | None = None
    ports: tuple[PolicyPort, ...] | None = None
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A policy with ``policyTypes`` defaulted.

    Rules of a direction that is not listed are kept and mean nothing.
    """

    key: ObjectKey
    pod_selector: LabelSelector
    policy_types: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    labels: Labels | None = None
    position: Position = NOWHERE

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules of one direction, as written."""
        return self.ingress if direction is Direction.INGRESS else self.egress
