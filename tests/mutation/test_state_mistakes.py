"""Each deliberate mistake that makes the incremental state stale is noticed.

By fixed sequences of random events, after each of which the state is compared with
compilation from scratch. A mistake whose text is not in the source any more fails.
"""

from __future__ import annotations

import pytest
from test_mistakes import Copy, faithful, mistaken, read_mistakes

import strategies
from churn import Followed, random_events

__all__ = ["faithful", "mistaken"]

SEQUENCES = 60
STEPS = 20
MISTAKES = tuple(read_mistakes("state_mistakes.txt"))


def noticed_by(copy: Copy) -> str:
    """Say which step of which sequence gives a copy away."""
    for seed in range(SEQUENCES):
        random = strategies.seeded(seed)
        cluster = strategies.make_world(random).cluster
        try:
            followed = Followed(cluster, copy.module)
            wrong = followed.differences()
            for step in range(STEPS):
                if wrong:
                    return f"sequence {seed}, step {step}: {wrong}"
                events = random_events(random, followed.cluster())
                wrong = followed.step(events)
        except (AttributeError, LookupError, ValueError) as error:
            return f"sequence {seed}: {error!r}"
    return ""


def test_a_faithful_copy_is_never_stale(faithful: Copy) -> None:
    assert noticed_by(faithful) == ""


@pytest.mark.parametrize("mistaken", MISTAKES, ids=lambda m: m.name, indirect=True)
def test_a_stale_state_is_noticed(mistaken: Copy) -> None:
    assert noticed_by(mistaken)
