"""What the rules of a chain refer to by name."""

from __future__ import annotations

from ringfence.ruleset.ir import Chain, Count, Dispatch, Lookup


def holders_of(chain: Chain) -> set[str]:
    """Return the sets and maps that a chain's rules look into."""
    found = {
        match_.set
        for rule in chain.rules
        for match_ in rule.matches
        if isinstance(match_, Lookup)
    }
    return found | {
        statement.map
        for rule in chain.rules
        for statement in rule.statements
        if isinstance(statement, Dispatch)
    }


def counters_of(chain: Chain) -> set[str]:
    """Return the counters that a chain's rules count in."""
    return {
        statement.counter
        for rule in chain.rules
        for statement in rule.statements
        if isinstance(statement, Count)
    }
