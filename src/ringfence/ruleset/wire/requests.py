"""What to ask nf_tables for, and its answers cut into messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    BODY,
    DUMP,
    HEADER,
    attributes,
    message,
    number,
    pairs,
    string,
    word,
    words,
)
from ringfence.ruleset.wire.envelopes import DONE, ERROR, envelopes

_WITH_WORDS = 0x200  # NLM_F_ACK_TLVS
_WORDS = 1  # NLMSGERR_ATTR_MSG
_LASTING = linux.SET_INTERVAL | linux.SET_MAP | linux.SET_CONCAT  # no element expires


class Answer(NamedTuple):
    """One message of the kernel's; ``body`` is attributes, or an error's words.

    ``errno`` is 0 where ``type`` is not ERROR or DONE.
    """

    type: int
    flags: int
    number: int
    errno: int
    body: bytes


def answers(data: bytes) -> Iterator[Answer]:
    """Yield the messages of one datagram."""
    for envelope in envelopes(data):
        kind, flags, number_, whole = envelope
        code, body = 0, whole[BODY:]
        if kind in (ERROR, DONE):
            code = envelope.error()
            # Behind the code stands the header of the request that it is about.
            body = body[HEADER.size :] if flags & _WITH_WORDS else b""
        yield Answer(kind, flags, number_, code, body)


def complaint(answer: Answer) -> str:
    """Return the kernel's words in an error, mostly none."""
    return words(attributes(answer.body).get(_WORDS))


def get_table(name: str) -> bytes:
    """Ask for one table."""
    return message(linux.Message.GETTABLE, 0, 0, string(linux.TABLE, name))


def table_handle(body: bytes) -> int:
    """Return the number of a table, which no other table ever had."""
    return number(attributes(body).get(linux.TABLE_HANDLE))


def get_generation() -> bytes:
    """Ask how often the tables of the network namespace have changed."""
    return message(linux.Message.GETGEN, 0, 0, b"")


def dump(kind: linux.Message, table: str) -> bytes:
    """Ask for all of a kind in a table; older kernels answer chains of all tables."""
    return message(kind, DUMP, 0, string(linux.TABLE, table))


def dump_elements(table: str, name: str) -> bytes:
    """Ask for the elements of a set or a map."""
    body = string(linux.TABLE, table) + string(linux.ELEMENTS_SET, name)
    return message(linux.Message.GETSETELEM, DUMP, 0, body)


def dump_counters(table: str) -> bytes:
    """Ask for the counters of a table."""
    kind = word(linux.OBJECT_TYPE, linux.OBJECT_COUNTER)
    return message(linux.Message.GETOBJ, DUMP, 0, string(linux.TABLE, table) + kind)


def set_name(body: bytes) -> str:
    """Return the name in a dumped set."""
    return words(attributes(body).get(linux.SET_NAME))


def is_whole(of: bytes, bodies: Iterable[bytes]) -> bool:
    """Whether a dump lists each element of a set once, as far as can be told.

    The walk through a hash table starts over when the table grows: then elements come
    twice, and as many are left out. Linux 6.16 and later say how many there are.
    """
    found = attributes(of)
    flags = number(found.get(linux.SET_FLAGS))
    if flags & ~_LASTING:
        return True
    elements = Counter(
        element
        for body in bodies
        for _, element in pairs(attributes(body).get(linux.ELEMENTS, b""))
    )
    said = found.get(linux.SET_COUNT)
    # Of trees it is the number of ranges, of which starts and ends are listed.
    is_tree = flags & linux.SET_INTERVAL
    if said is not None and not is_tree and len(elements) != number(said):
        return False
    return len(elements) == elements.total()


def generation(body: bytes) -> int:
    """Return the number of ``get_generation``'s answer."""
    return number(attributes(body).get(linux.GENERATION_ID))


def counts(body: bytes) -> tuple[str, tuple[int, int]]:
    """Return a dumped counter's name, packets and bytes."""
    found = attributes(body)
    data = attributes(found.get(linux.OBJECT_DATA, b""))
    packets = number(data.get(linux.COUNTER_PACKETS))
    size = number(data.get(linux.COUNTER_BYTES))
    return words(found.get(linux.OBJECT_NAME)), (packets, size)
