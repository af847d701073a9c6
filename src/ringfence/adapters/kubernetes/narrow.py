"""Answers of an API server, of which only the fields that are needed are decoded.

What msgspec passes over costs no memory and little time: 2.5 KB of JSON are a pod,
of which 300 bytes say something about packets.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

import msgspec

from ringfence.manifest.stored import Stored, decode_stored

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
"""The bookmark's annotation that ends a streaming list (KEP-3157)."""


class ListMeta(msgspec.Struct):
    """A page's ``metadata``; ``following`` is empty on the last one."""

    resourceVersion: str = ""  # noqa: N815 - as in the API
    following: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """A page of a list, its objects still JSON."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class Line(msgspec.Struct):
    """A line of a watch, its object still JSON."""

    type: str
    object: msgspec.Raw


class Status(msgspec.Struct):
    """Why a request or a watch ended (meta/v1 Status)."""

    code: int = 0
    message: str = ""


class BookmarkMeta(msgspec.Struct):
    """The metadata of a bookmark; the rest of its object means nothing."""

    resourceVersion: str  # noqa: N815 - as in the API
    annotations: dict[str, str] | None = None


class Bookmark(msgspec.Struct):
    """How far a watch has come."""

    metadata: BookmarkMeta

    @property
    def ends_list(self) -> bool:
        """Whether all that was there at the start has been told."""
        return (self.metadata.annotations or {}).get(INITIAL_EVENTS_END) == "true"


class _Owner(TypedDict, total=False):
    kind: str
    name: str
    controller: bool | None


class _Meta(TypedDict, total=False):
    name: str
    namespace: str
    uid: str
    resourceVersion: str
    deletionTimestamp: str | None
    labels: dict[str, str] | None


class _PodMeta(_Meta, total=False):
    ownerReferences: list[_Owner] | None


_Mode = TypedDict("_Mode", {"ringfence.dev/mode": str}, total=False)


class _NamespaceMeta(_Meta, total=False):
    annotations: _Mode | None


class _Port(TypedDict, total=False):
    containerPort: int
    name: str
    protocol: str


class _Container(TypedDict, total=False):
    restartPolicy: str | None
    ports: list[_Port] | None


class _PodSpec(TypedDict, total=False):
    nodeName: str
    hostNetwork: bool | None
    containers: list[_Container] | None
    initContainers: list[_Container] | None


class _IP(TypedDict, total=False):
    ip: str


class _PodStatus(TypedDict, total=False):
    phase: str
    podIP: str | None
    podIPs: list[_IP] | None
    hostIP: str
    hostIPs: list[_IP] | None


class _Pod(TypedDict, total=False):
    metadata: _PodMeta
    spec: _PodSpec
    status: _PodStatus


class _Namespace(TypedDict, total=False):
    metadata: _NamespaceMeta


class _NodeAddress(TypedDict, total=False):
    type: str
    address: str


class _NodeSpec(TypedDict, total=False):
    podCIDR: str
    podCIDRs: list[str] | None


class _NodeStatus(TypedDict, total=False):
    addresses: list[_NodeAddress] | None


class _Node(TypedDict, total=False):
    metadata: _Meta
    spec: _NodeSpec
    status: _NodeStatus


class _Whole(TypedDict, total=False):
    """An object whose every field may matter, but for what the server notes down."""

    metadata: _Meta
    spec: Any


_PAGE = msgspec.json.Decoder(Page)
_LINE = msgspec.json.Decoder(Line)
_STATUS = msgspec.json.Decoder(Status)
_BOOKMARK = msgspec.json.Decoder(Bookmark)
_OBJECTS: dict[str, msgspec.json.Decoder[Any]] = {
    "Pod": msgspec.json.Decoder(_Pod),
    "Namespace": msgspec.json.Decoder(_Namespace),
    "Node": msgspec.json.Decoder(_Node),
    "Service": msgspec.json.Decoder(_Whole),
    "NetworkPolicy": msgspec.json.Decoder(_Whole),
}

MalformedError = msgspec.DecodeError
"""An answer is not the JSON that it should be."""


def decode_page(body: bytes) -> Page:
    """Return a page of a list; raises MalformedError."""
    return _PAGE.decode(body)


def decode_line(line: bytes) -> Line:
    """Return an event of a watch; raises MalformedError."""
    return _LINE.decode(line)


def decode_bookmark(text: msgspec.Raw) -> Bookmark:
    """Return the object of a BOOKMARK; raises MalformedError."""
    return _BOOKMARK.decode(text)


def decode_status(text: msgspec.Raw) -> Status:
    """Return the object of an ERROR; raises MalformedError."""
    return _STATUS.decode(text)


def decode_object(kind: str, text: msgspec.Raw) -> Stored:
    """Return an object of a kind that ``decode_stored`` knows.

    Where a field is of a type that it never has, all of the object is decoded, so
    that what is wrong can be told. Raises MalformedError where it is no object.
    """
    try:
        value = _OBJECTS[kind].decode(text)
    except msgspec.ValidationError:
        value = msgspec.json.decode(text, type=dict[str, Any])
    return decode_stored(kind, value)
