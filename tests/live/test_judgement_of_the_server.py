"""The judge's answer is the real server's, to every policy that we have as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cases import every_case
from controlplane.servers import Answered, ControlPlane
from ringfence.manifest.reader import items, read_documents
from ringfence.manifest.strictness import Options
from ringfence.manifest.validation.validate import judge

pytestmark = pytest.mark.controlplane
URL = (
    "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
    "?dryRun=All&fieldValidation=Strict"
)


def policies() -> list[dict[str, Any]]:
    """Return the distinct policies of all cases, each in the namespace default."""
    found: dict[str, dict[str, Any]] = {}
    for case in every_case():
        for moment in case.moments:
            for document in read_documents(moment.manifests, "cases"):
                for item in items(document):
                    if item.kind == "NetworkPolicy":
                        thing = _plain(item.value)
                        found.setdefault(json.dumps(thing, sort_keys=True), thing)
    return list(found.values())


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": value["metadata"]["name"]},
        "spec": value.get("spec"),
    }


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "cidr": lambda text: text.replace("/", "/0"),
    "except": lambda blocks: [*blocks, "0.0.0.0/0", "10.0.0.1/8"],
    "port": lambda port: port.upper() if isinstance(port, str) else port + 65535,
    "protocol": lambda word: word.lower(),
    "endPort": lambda _: 1,
    "operator": lambda word: f"{word}s",
    "values": lambda _: [],
    "matchLabels": lambda labels: labels | {"-bad": "_", "a/b/c": "d"},
    "policyTypes": lambda types: [*types, "Both"],
    "podSelector": lambda selector: [selector],
    "from": lambda peers: [*peers, {}],
    "to": lambda peers: [*peers, None],
    "ports": lambda ports: [*ports, {"port": "http--x", "portt": 1}],
}


def mistaken(value: Any) -> Iterator[Any]:
    """Yield copies of a value with one field spoilt in each."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            for spoilt in mistaken(entry):
                yield [*value[:index], spoilt, *value[index + 1 :]]
    if isinstance(value, dict):
        for key, entry in value.items():
            for spoilt in mistaken(entry):
                yield value | {key: spoilt}
            if key in MISTAKES and entry is not None:
                yield value | {key: MISTAKES[key](entry)}


def server_says(plane: ControlPlane, policy: dict[str, Any]) -> tuple[int, str]:
    try:
        plane.ask("POST", URL, policy)
    except Answered as answer:
        return answer.code, str(answer.status["message"])
    return 201, ""


def we_say(policy: dict[str, Any]) -> tuple[int, str]:
    (document,) = read_documents(json.dumps(policy).encode(), "policy")
    (item,) = items(document)
    judgement = judge(item, Options())
    assert judgement is not None
    return judgement.code, judgement.message


def test_every_policy_of_the_cases_is_judged_alike(plane: ControlPlane) -> None:
    found = policies()
    assert len(found) > 100
    for policy in found:
        assert we_say(policy) == server_says(plane, policy), policy


def test_every_spoilt_policy_is_judged_alike(plane: ControlPlane) -> None:
    seen: set[str] = set()
    for policy in policies():
        for spoilt in mistaken(policy):
            told, answer = we_say(spoilt), server_says(plane, spoilt)
            assert told[0] == answer[0], (spoilt, told, answer)
            # Causes of one map come in Go's order, which differs from run to run.
            assert sorted(told[1]) == sorted(answer[1]), spoilt
            seen.add(f"{answer[0]} {answer[1][:40]}")
    assert len(seen) > 10
