"""Cases as data: clusters that change in steps, and what must hold after each.

Three formats become one value: the conformance suites' JSON lines, the articles'
manifests with ``expect.txt``, and our own ``.case`` files (tests/data/own/README.md).
A moment's objects are manifests again, so that the real reading path is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ringfence.manifest.reader import items, read_documents
from ringfence.model.cluster import Cluster
from ringfence.model.flow import Flow, PodEnd, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import Outcome
from ringfence.questions import reference, resolve

DATA = Path(__file__).parent / "data"
SUITES = ("cyclonus", "k8s_e2e", "recipes")
REST = "rest"
"""What those suites leave out of the projects they are from: same format."""
OUTCOMES = {
    ".": Outcome.ALLOW,
    "X": Outcome.DENY,
    "allow": Outcome.ALLOW,
    "deny": Outcome.DENY,
    "block": Outcome.DENY,
    "undecided": Outcome.UNDECIDED,
}


class Ask(NamedTuple):
    """A question and its answer; ``egress`` and ``ingress`` where a suite has them."""

    source: str
    destination: str
    protocol: Protocol
    port: int | str | None
    expected: Outcome
    egress: Outcome | None = None
    ingress: Outcome | None = None

    def __str__(self) -> str:
        """Render as a line of an expect.txt."""
        port = "" if self.port is None else f"{self.port}/"
        words = (self.source, self.destination, port + self.protocol.value)
        return f"{' '.join(words)} {self.expected.value.lower()}"


@dataclass(frozen=True)
class Moment:
    """A cluster after some steps, as manifests, and what must hold then."""

    name: str
    manifests: bytes
    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Case:
    """A case of a suite: its moments in order."""

    name: str
    moments: tuple[Moment, ...]


class Grammar(NamedTuple):
    """How questions are put: the modules that read references and resolve them."""

    reference: Any
    resolve: Any


OURS = Grammar(reference, resolve)


def flows_of(cluster: Cluster, ask: Ask, grammar: Grammar = OURS) -> tuple[Flow, ...]:
    """Return the flows that a question means; each must have the expected outcome."""
    source, destination = (
        _pod_key(cluster, text) for text in (ask.source, ask.destination)
    )
    if source and destination and not isinstance(ask.port, str):
        # The way that most cells take: 51,000 of them are to be fast.
        return (Flow(PodEnd(source), PodEnd(destination), ask.protocol, ask.port),)
    question = grammar.resolve.resolve(
        cluster,
        grammar.reference.parse_reference(ask.source, "default"),
        grammar.reference.parse_reference(ask.destination, "default"),
        grammar.reference.PortRef(ask.port, ask.protocol),
    )
    assert question.flows, f"{ask}: {question.unresolved}"
    flows: tuple[Flow, ...] = question.flows
    return flows


def _pod_key(cluster: Cluster, text: str) -> ObjectKey | None:
    namespace, _, name = text.partition("/")
    key = ObjectKey(namespace, name)
    return key if key in cluster.pods else None


def every_case() -> list[Case]:
    """Return all cases: our own, the articles', the suites' and the rest of them."""
    suites = (case for suite in (*SUITES, REST) for case in conformance(suite))
    return [*own_cases(), *articles(), *suites]


class _Objects:
    """The objects of a cluster while a case's steps change them."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], dict[str, Any]] = {}

    def put(self, thing: Mapping[str, Any]) -> None:
        meta = thing["metadata"]
        clustered = thing["kind"] in {"Namespace", "Node"}
        namespace = "" if clustered else meta.get("namespace", "default")
        self._objects[thing["kind"], namespace, meta["name"]] = dict(thing)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        del self._objects[kind, namespace, name]

    def drop_namespace(self, name: str) -> None:
        gone = [key for key in self._objects if key[1] == name]
        for key in [*gone, ("Namespace", "", name)]:
            del self._objects[key]

    def relabel(
        self, kind: str, namespace: str, name: str, labels: dict[str, str]
    ) -> None:
        old = self._objects[kind, namespace, name]
        self.put({**old, "metadata": {**old["metadata"], "labels": labels}})

    def manifests(self) -> bytes:
        """Return all objects as a stream of JSON documents."""
        return "\n".join(map(json.dumps, self._objects.values())).encode()


def conformance(suite: str) -> Iterator[Case]:
    """Yield the cases of a suite; the schema is described beside the data."""
    path = DATA / "conformance" / f"{suite}.jsonl"
    for line in path.read_text().splitlines():
        record = json.loads(line)
        yield Case(record["id"], tuple(_conformance_moments(record)))


def _conformance_moments(record: dict[str, Any]) -> Iterator[Moment]:
    objects = _Objects()
    for name, namespace in record["cluster"]["namespaces"].items():
        objects.put(_namespace(name, namespace["labels"]))
    for pod in record["cluster"]["pods"]:
        objects.put(_pod(pod))
    externals = {
        f"external/{host['name']}": host["ip"]
        for host in record["cluster"].get("externals", ())
    }
    for number, step in enumerate(record["steps"], start=1):
        for action in step["actions"]:
            _act(objects, action)
        asks = [ask for probe in step.get("probes", ()) for ask in _matrix(probe)]
        asks += [_check(check, externals) for check in step.get("checks", ())]
        yield Moment(f"{record['id']} {number}", objects.manifests(), tuple(asks))


def _act(objects: _Objects, action: dict[str, Any]) -> None:
    match action["op"]:
        case "create_policy" | "update_policy":
            objects.put(action["policy"])
        case "delete_policy":
            objects.drop("NetworkPolicy", action["ns"], action["name"])
        case "create_namespace":
            objects.put(_namespace(action["ns"], action["labels"]))
        case "set_namespace_labels":
            objects.relabel("Namespace", "", action["ns"], action["labels"])
        case "delete_namespace":
            objects.drop_namespace(action["ns"])
        case "create_pod":
            objects.put(_pod(action["pod"]))
        case "set_pod_labels":
            objects.relabel("Pod", action["ns"], action["name"], action["labels"])
        case "delete_pod":
            objects.drop("Pod", action["ns"], action["name"])
        case unknown:
            raise NotImplementedError(unknown)


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _pod(pod: dict[str, Any]) -> dict[str, Any]:
    ports = [
        {
            "containerPort": port["port"],
            "protocol": port["protocol"],
            **({"name": port["name"]} if "name" in port else {}),
        }
        for port in pod["ports"]
        if port.get("declared", True)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": pod["ns"],
            "name": pod["name"],
            "labels": pod["labels"],
        },
        "spec": {
            "containers": [{"name": "c", "ports": ports}],
            "hostNetwork": pod.get("host_network", False),
        },
        "status": {"podIP": pod["ip"]},
    }


def _matrix(probe: dict[str, Any]) -> Iterator[Ask]:
    """Yield a question for each judged cell: two pods, and '.' or 'X'."""
    protocol, pods = Protocol(probe["protocol"]), probe["pods"]
    egress, ingress = probe.get("expected_egress"), probe.get("expected_ingress")
    for i, row in enumerate(probe["expected"]):
        for j, letter in enumerate(row):
            if i == j or letter not in OUTCOMES:
                continue
            yield Ask(
                pods[i],
                pods[j],
                protocol,
                probe["port"],
                OUTCOMES[letter],
                OUTCOMES[egress[i][j]] if egress else None,
                OUTCOMES[ingress[i][j]] if ingress else None,
            )


def _check(check: dict[str, Any], externals: Mapping[str, str]) -> Ask:
    return Ask(
        externals.get(check["from"], check["from"]),
        externals.get(check["to"], check["to"]),
        Protocol(check["protocol"]),
        check["port"],
        OUTCOMES[check["expected"]],
    )


def articles() -> Iterator[Case]:
    """Yield the articles' examples, with each way that their policies are written."""
    for folder in sorted(p for p in (DATA / "articles").iterdir() if p.is_dir()):
        cluster = (folder / "cluster.yaml").read_bytes()
        asks = tuple(_asks((folder / "expect.txt").read_text()))
        moments = [
            Moment(
                f"{folder.name} {path.stem}",
                b"\n---\n".join((cluster, path.read_bytes())),
                asks,
            )
            for path in sorted(folder.glob("policies*.yaml"))
        ]
        yield Case(f"articles/{folder.name}", tuple(moments))


def own_cases() -> Iterator[Case]:
    """Yield the cases that we wrote for what the suites lack."""
    for path in sorted((DATA / "own").glob("*.case")):
        yield Case(f"own/{path.stem}", tuple(_own_moments(path)))


def _own_moments(path: Path) -> Iterator[Moment]:
    objects = _Objects()
    for number, section in enumerate(path.read_text().split("\n=== ")[1:], start=1):
        word, _, text = section.partition("\n")
        match word.strip():
            case "apply":
                for document in read_documents(text.encode(), path.name):
                    for item in items(document):
                        objects.put(item.value)
            case "delete":
                for line in text.splitlines():
                    kind, _, name = line.partition(" ")
                    if name:
                        namespace, _, bare = name.rpartition("/")
                        objects.drop(kind, namespace, bare)
            case "expect":
                asks = tuple(_asks(text))
                yield Moment(f"own/{path.stem} {number}", objects.manifests(), asks)
            case unknown:
                raise NotImplementedError(unknown)


def _asks(text: str) -> Iterator[Ask]:
    """Yield a question a line: ``FROM TO PORT/PROTOCOL allow|deny|undecided # why``."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        source, destination, service, answer = words
        port, _, protocol = service.rpartition("/")
        number = int(port) if port.isdecimal() else port or None
        yield Ask(source, destination, Protocol(protocol), number, OUTCOMES[answer])
