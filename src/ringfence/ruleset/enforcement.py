"""How a node enforces: what is a matter of configuration, not of policies."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.model.flow import IPNetwork
from ringfence.ruleset.ir import Hook


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What the node's operator chose.

    ``audit``: denials are counted and logged, not made; ``exceptions`` are the
    namespaces in which it is the other way round. ``guarded``: networks of the
    node's pods in which an address that no live pod and no node claims passes
    nothing; empty: unknown addresses pass. ``samples``: how many new allowed
    connections a second and a direction are logged; 0: none. ``cuts``: whoever keeps
    the table ends connections, and says in sets of their own what is left of them.
    """

    audit: bool = False
    exceptions: frozenset[str] = frozenset()
    guarded: tuple[IPNetwork, ...] = ()
    hook: Hook = Hook.FORWARD
    samples: int = 0
    cuts: bool = False

    def audits(self, namespace: str) -> bool:
        """Whether what policies of a namespace deny passes all the same."""
        return self.audit != (namespace in self.exceptions)


ENFORCE = Enforcement()
