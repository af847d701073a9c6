"""The endpoint grammar: how people name the ends of a flow.

One grammar for the command line and batch files: ``name``, ``ns/name``,
``kind/name``, ``ns/kind/name``, ``ns:NAME``, ``ns[label query]``,
``[ns/]label query``, an address, a CIDR, ``internet`` and ``*``; behind it
``:PORT[/PROTOCOL]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeAlias

from ringfence.manifest.labelquery import LabelQueryError, parse_label_query
from ringfence.model.flow import IPAddress, IPNetwork, Protocol
from ringfence.model.labels import LabelSelector
from ringfence.model.meta import ObjectKey

KIND_WORDS = {
    "Pod": ("pod", "pods", "po"),
    "Deployment": ("deploy", "deployment", "deployments"),
    "StatefulSet": ("sts", "statefulset", "statefulsets"),
    "DaemonSet": ("ds", "daemonset", "daemonsets"),
    "ReplicaSet": ("rs", "replicaset", "replicasets"),
    "ReplicationController": ("rc", "replicationcontroller", "replicationcontrollers"),
    "Job": ("job", "jobs"),
    "CronJob": ("cronjob", "cronjobs", "cj"),
    "Service": ("svc", "service", "services"),
    "Namespace": ("ns", "namespace", "namespaces"),
    "Node": ("node", "nodes", "no"),
}
KINDS = {word: kind for kind, words in KIND_WORDS.items() for word in words}
POLICY_WORDS = frozenset({"netpol", "networkpolicy", "networkpolicies", "policy"})
CLUSTER_SCOPED = frozenset({"Namespace", "Node"})
LAST_PORT = 65535
_PORT_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")


class ReferenceSyntaxError(ValueError):
    """The text names no endpoint; the message says what would."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object by kind and name; ``namespace`` is empty for nodes and namespaces."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Render in the grammar, unambiguously."""
        word = KIND_WORDS[self.kind][0]
        if self.kind in CLUSTER_SCOPED:
            return f"{word}/{self.name}"
        if self.kind == "Pod":
            return f"{self.namespace}/{self.name}"
        return f"{self.namespace}/{word}/{self.name}"


@dataclass(frozen=True, slots=True)
class PodsRef:
    """Pods by labels: of one namespace, or of every namespace (``namespace=None``)."""

    namespace: str | None
    selector: LabelSelector


@dataclass(frozen=True, slots=True)
class NamespacesRef:
    """The pods of every namespace that a label query selects."""

    selector: LabelSelector


@dataclass(frozen=True, slots=True)
class AddressRef:
    """A single address."""

    address: IPAddress


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Every address of a CIDR."""

    network: IPNetwork


@dataclass(frozen=True, slots=True)
class InternetRef:
    """Some outside address that only a /0 block covers."""


Reference: TypeAlias = (
    ObjectRef | PodsRef | NamespacesRef | AddressRef | BlockRef | InternetRef
)


@dataclass(frozen=True, slots=True)
class PortRef:
    """A destination port: a number, a name, or None for every port."""

    port: int | str | None
    protocol: Protocol | None = None


def parse_reference(text: str, namespace: str) -> Reference:
    """Return what a text without a port names; ``namespace`` is the current one.

    Raises ReferenceSyntaxError.
    """
    text = text.strip()
    if not text:
        raise ReferenceSyntaxError("an empty text names no endpoint")
    if text == "internet":
        return InternetRef()
    if text == "*":
        return PodsRef(None, LabelSelector())
    if text.startswith("ns:"):
        return ObjectRef("Namespace", "", _name(text[3:], text))
    if text.startswith("ns[") and text.endswith("]"):
        return NamespacesRef(_query(text[3:-1], text))
    literal = _literal(text)
    if literal is not None:
        return literal
    return _named(text, namespace)


def _literal(text: str) -> AddressRef | BlockRef | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return AddressRef(_on_the_wire(ip_address(bare)))
    except ValueError:
        pass
    head = bare.partition("/")[0]
    if not _looks_like_address(head):
        return None
    try:
        return BlockRef(ip_network(bare))
    except ValueError as error:
        raise ReferenceSyntaxError(f"{text!r} is no address or CIDR: {error}") from None


def _on_the_wire(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv4-mapped one is another way to write."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _looks_like_address(head: str) -> bool:
    return ":" in head or (head.count(".") == 3 and head.replace(".", "").isdigit())  # noqa: PLR2004 - dots of an IPv4 address


def _named(text: str, namespace: str) -> Reference:
    head, slash, rest = text.partition("/")
    if slash and head not in KINDS and _is_query(rest):
        return PodsRef(_name(head, text), _query(rest, text))
    if _is_query(text):
        return PodsRef(namespace, _query(text, text))
    parts = text.split("/")
    match parts:
        case [name]:
            return ObjectRef("Pod", namespace, _name(name, text))
        case [word, name] if word in KINDS:
            kind = KINDS[word]
            scope = "" if kind in CLUSTER_SCOPED else namespace
            return ObjectRef(kind, scope, _name(name, text))
        case [of, name]:
            return ObjectRef("Pod", _name(of, text), _name(name, text))
        case [of, word, name] if word in KINDS and KINDS[word] not in CLUSTER_SCOPED:
            return ObjectRef(KINDS[word], _name(of, text), _name(name, text))
        case [_, word, _]:
            known = ", ".join(words[0] for words in KIND_WORDS.values())
            raise ReferenceSyntaxError(
                f"{text!r}: {word!r} is no kind that stands in a namespace ({known})"
            )
        case _:
            raise ReferenceSyntaxError(
                f"{text!r} names no endpoint: use [ns/]name, [ns/]kind/name, "
                "an address, a CIDR or internet"
            )


def _is_query(text: str) -> bool:
    return any(mark in text for mark in ("=", "!", " in (", " notin ("))


def _query(text: str, whole: str) -> LabelSelector:
    try:
        return parse_label_query(text)
    except LabelQueryError as error:
        raise ReferenceSyntaxError(f"{whole!r}: {error}") from None


def _name(name: str, whole: str) -> str:
    if not name or set(name) & set(" []:"):
        raise ReferenceSyntaxError(
            f"{whole!r}: {name!r} is no object name, "
            "use [ns/]name, [ns/]kind/name, an address, a CIDR or internet"
        )
    return name


def parse_object(text: str, namespace: str) -> tuple[str, ObjectKey]:
    """Return the kind word and key of ``[ns/]KIND/NAME`` for a policy or a pod.

    Raises ReferenceSyntaxError.
    """
    parts = text.split("/")
    words = POLICY_WORDS | set(KIND_WORDS["Pod"])
    match parts:
        case [word, name] if word in words and name:
            return word, ObjectKey(namespace, name)
        case [of, word, name] if word in words and of and name:
            return word, ObjectKey(of, name)
        case _:
            raise ReferenceSyntaxError(
                f"{text!r}: use netpol/NAME or pod/NAME, or ns/netpol/NAME"
            )


def split_port(text: str) -> tuple[str, PortRef | None]:
    """Split ``TO[:PORT[/PROTOCOL]]``; an IPv6 address needs brackets for a port.

    Raises ReferenceSyntaxError.
    """
    head, colon, tail = text.rpartition(":")
    if not colon or _is_whole(text) or head == "ns":
        return text, None
    return head, parse_port(tail)


def _is_whole(text: str) -> bool:
    """Whether the last colon belongs to an address, not to a port."""
    if text.endswith("]"):
        return True
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def parse_port(text: str) -> PortRef:
    """Return the port that ``80``, ``http``, ``53/udp`` or ``*`` means.

    Raises ReferenceSyntaxError.
    """
    word, slash, protocol_word = text.partition("/")
    protocol = parse_protocol(protocol_word) if slash else None
    if word == "*":
        return PortRef(None, protocol)
    if word.isascii() and word.isdigit():
        if int(word) > LAST_PORT:
            raise ReferenceSyntaxError(f"port {word} is not in 0-{LAST_PORT}")
        return PortRef(int(word), protocol)
    if not _PORT_NAME.fullmatch(word):
        raise ReferenceSyntaxError(
            f"{text!r} is no port: use a number, a port's name or *, "
            "then /tcp, /udp or /sctp"
        )
    return PortRef(word, protocol)


def parse_protocol(word: str) -> Protocol:
    """Return the protocol of a word in any case. Raises ReferenceSyntaxError."""
    try:
        return Protocol(word.upper())
    except ValueError:
        known = ", ".join(protocol.value for protocol in Protocol)
        raise ReferenceSyntaxError(
            f"{word!r} is no protocol that is known here ({known})"
        ) from None
