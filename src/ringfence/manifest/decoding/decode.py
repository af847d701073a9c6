"""From objects to a Cluster."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ringfence.errors import InputError, Problem, RingfenceBug
from ringfence.manifest.decoding.entry import ENTRY_GROUPS, decode_entry
from ringfence.manifest.decoding.fields import Field, field_text
from ringfence.manifest.decoding.identity import (
    Named,
    known_kind,
    name_objects,
    other_kind,
)
from ringfence.manifest.decoding.objects import (
    decode_namespace,
    decode_node,
    decode_pod,
    decode_service,
    decode_workload,
)
from ringfence.manifest.decoding.ordinary import OrdinaryPods
from ringfence.manifest.decoding.policy import decode_policy
from ringfence.manifest.reader import Document, Item, Path, items
from ringfence.manifest.strictness import FieldValidation, Options
from ringfence.manifest.templates import WorkloadKey, expand_templates
from ringfence.manifest.validation.validate import Judgement, judge
from ringfence.model.cluster import Cluster
from ringfence.model.entry import EntryPoint
from ringfence.model.meta import ObjectKey
from ringfence.model.netpol import NetworkPolicy
from ringfence.model.workload import (
    Namespace,
    Node,
    Pod,
    Service,
    Workload,
    undeclared_namespace,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the manifests say: the cluster, what was passed over, what was odd.

    ``skipped`` counts objects of other kinds, as ``kind`` or ``kind.group``.
    """

    cluster: Cluster
    skipped: Mapping[str, int]
    warnings: tuple[Problem, ...]


def decode_cluster(items: Iterable[Item], options: Options) -> Decoded:
    """Return the cluster that these objects describe.

    NetworkPolicies are read as strictly as the API server reads them, other
    kinds only as far as a verdict needs. Raises InputError with every problem.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    skipped: Counter[str] = Counter()
    things: list[tuple[str, Field]] = []
    others: defaultdict[Document, dict[Path, Field]] = defaultdict(dict)
    ordinary = OrdinaryPods(options.namespace)
    for item in items:
        if ordinary.take(item):
            continue
        thing = Field(item, problems, item.value)
        kind = known_kind(thing)
        if kind == "NetworkPolicy":
            accepted = _judged(thing, options, warnings)
            things += [(kind, accepted)] if accepted else []
        elif kind is not None:
            if type(item.value.get("apiVersion")) is not str:
                thing.text("apiVersion")
            if item.document.duplicates:
                others[item.document][item.path] = thing
            things.append((kind, thing))
        else:
            skipped[other_kind(thing)] += 1
    strict = options.field_validation is FieldValidation.STRICT
    (problems if strict else warnings).extend(_doubled_keys(others))
    objects = _Objects(pods=ordinary.pods)
    for named in name_objects(things, options.namespace, ordinary):
        objects.add(named)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return Decoded(objects.cluster(), skipped, tuple(warnings))


def _doubled_keys(things: Mapping[Document, Mapping[Path, Field]]) -> Iterator[Problem]:
    """Yield the keys given twice in objects: which value was meant nobody knows."""
    for document, by_path in things.items():
        for path, *_ in document.duplicates:
            depth = next((n for n in range(len(path)) if path[:n] in by_path), None)
            if depth is not None:
                place = str(document.key_position(path))
                message = f'the key "{path[-1]}" is given twice'
                yield Problem(place, message, field_text(path[depth:]))


def decode_documents(documents: Iterable[Document], options: Options) -> Decoded:
    """Return the cluster of all objects in these documents, as ``decode_cluster``."""
    found: list[Item] = []
    problems: list[Problem] = []
    for document in documents:
        try:
            found += items(document)
        except InputError as error:
            problems += error.problems
    try:
        decoded = decode_cluster(found, options)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return decoded


def _judged(thing: Field, options: Options, warnings: list[Problem]) -> Field | None:
    """Return the policy as the API server would store it, None where it refuses."""
    item = thing.item
    answer = judge(item, options)
    if answer is None:
        raise RingfenceBug(f"{thing.position}: {item.kind} is not judged")
    warnings += (Problem(str(thing.position), text) for text in answer.warnings)
    if answer.object is None:
        thing.problems.extend(_refusal(answer, thing))
        return None
    # The server makes up the end of a generated name; here it is numbered.
    name = thing.at("metadata", "name").value
    metadata = {**answer.object["metadata"], "name": name}
    return thing._replace(value={**answer.object, "metadata": metadata})


def _refusal(answer: Judgement, thing: Field) -> Iterator[Problem]:
    """Yield what is wrong in the server's words, each at its place."""
    hints = {problem.field: problem.hint for problem in answer.hints}
    for cause in answer.causes:
        place = thing.item.position(cause.path)
        hint = hints.get(cause.field, "")
        yield Problem(str(place), cause.message, cause.field, hint)
    if not answer.causes:
        yield from answer.hints or [Problem(str(thing.position), answer.message)]


@dataclass(frozen=True, slots=True)
class _Objects:
    """Decoded values by kind."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[ObjectKey, Pod] = field(default_factory=dict)
    services: dict[ObjectKey, Service] = field(default_factory=dict)
    workloads: dict[WorkloadKey, Workload] = field(default_factory=dict)
    policies: dict[ObjectKey, NetworkPolicy] = field(default_factory=dict)
    entries: dict[tuple[str, ObjectKey], EntryPoint] = field(default_factory=dict)

    def add(self, named: Named) -> None:
        """Decode one object and keep it."""
        key, thing = named.key, named.field
        match named.kind:
            case "Pod":
                self.pods[key] = decode_pod(thing, key)
            case "Namespace":
                self.namespaces[key.name] = decode_namespace(thing, key.name)
            case "Node":
                self.nodes[key.name] = decode_node(thing, key.name)
            case "Service":
                self.services[key] = decode_service(thing, key)
            case "NetworkPolicy":
                self.policies[key] = decode_policy(thing, key)
            case kind if kind in ENTRY_GROUPS:
                self.entries[kind, key] = decode_entry(thing, kind, key)
            case kind:
                self.workloads[kind, key] = decode_workload(thing, kind, key)

    def cluster(self) -> Cluster:
        """Return the snapshot, templates expanded and used namespaces added."""
        made = expand_templates(self.workloads, self.pods, self.nodes)
        used = {key.namespace for key in (*self.pods, *self.services, *self.policies)}
        used |= {key.namespace for _, key in self.workloads}
        undeclared = {
            name: undeclared_namespace(name)
            for name in sorted(used - self.namespaces.keys())
        }
        return Cluster(
            namespaces=self.namespaces | undeclared,
            pods=self.pods | made,
            nodes=self.nodes,
            services=self.services,
            workloads=self.workloads,
            policies=self.policies,
            entries=self.entries,
        )
