"""Connections all the time, while everything around them is rewritten."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from agent.cluster import Manifest, policy
from agent.nodes import place
from agent.stage import CLIENT, FAR, SERVER, Stage, app, load, pod_of

pytestmark = [pytest.mark.kernel, pytest.mark.controlplane]

OTHERS = 12
ROLES = ("web", "api", "db")
CLIENT_MAY = [{"from": [{"podSelector": app("client")}]}]


def other(number: int, chance: random.Random) -> Manifest:
    """Return a pod that is only in the API, with labels of chance."""
    at = place(chance.choice(("n1", "n2")), 50 + number)
    return pod_of(f"shop/other-{number}", at, role=chance.choice(ROLES))


def rules(chance: random.Random, *always: str) -> list[object]:
    """Return ingress rules for these pods, and for others by chance."""
    named = [{"from": [{"podSelector": app(name)}]} for name in always]
    roles = chance.sample(ROLES, chance.randrange(len(ROLES)))
    peers = [{"podSelector": {"matchLabels": {"role": role}}} for role in roles]
    return [*named, *({"from": [peer], "ports": [{"port": 80}]} for peer in peers)]


def changes(stage: Stage, seed: int) -> Iterator[Callable[[], None]]:
    """Yield changes without end; CLIENT may always reach FAR, and never SERVER."""
    chance = random.Random(seed)  # noqa: S311 - which change comes next is no secret

    def rewrite(name: str, *always: str) -> None:
        which = f"shop/{name}-{chance.randrange(3)}"
        spec = rules(chance, *always)
        selector = app(name)
        stage.cluster.put(policy(which, podSelector=selector, ingress=spec))

    def drop(name: str) -> None:
        key = ("NetworkPolicy", "shop", f"{name}-{chance.randrange(1, 3)}")
        if stage.cluster.has(key):
            stage.cluster.remove(key)

    def relabel() -> None:
        stage.cluster.put(other(chance.randrange(OTHERS), chance))

    def replace() -> None:
        number = chance.randrange(OTHERS)
        stage.cluster.remove(("Pod", "shop", f"other-{number}"))
        stage.cluster.put(other(number, chance))

    while True:
        yield chance.choice(
            (
                lambda: rewrite("far", "client"),
                lambda: rewrite("server"),
                lambda: drop("far"),
                lambda: drop("server"),
                relabel,
                replace,
            )
        )


def rewritten(stage: Stage, count: int, seconds: float) -> None:
    """Make so many changes in so many seconds under load."""
    for number in range(OTHERS):
        stage.cluster.put(other(number, random.Random(number)))  # noqa: S311 - as above
    stage.cluster.put(policy("shop/far-0", podSelector=app("far"), ingress=CLIENT_MAY))
    stage.cluster.put(policy("shop/server-0", podSelector=app("server")))
    stage.deny_now(SERVER)
    stage.allow(SERVER)
    with load(stage) as told:
        started = time.monotonic()
        for number, change in zip(range(count), changes(stage, count), strict=False):
            change()
            due = started + (number + 1) * seconds / count
            time.sleep(max(0.0, due - time.monotonic()))
    assert (told.failures, told.leaked) == ([], 0)
    assert stage.open(CLIENT, FAR)
    assert stage.shut(CLIENT, SERVER)


def test_fifty_changes_break_no_connection_and_let_none_through(stage: Stage) -> None:
    rewritten(stage, 50, 2.5)


@pytest.mark.property
def test_a_thousand_changes_break_no_connection_and_let_none_through(
    stage: Stage,
) -> None:
    rewritten(stage, 1000, 60.0)
