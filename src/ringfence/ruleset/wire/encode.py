"""Transactions as one batch of nf_tables messages (linux/netfilter/nfnetlink.h)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddTable,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteTable,
    DeleteVerdicts,
    FlushChain,
    Operation,
    Transaction,
)
from ringfence.ruleset.ir import Datatype, Hook
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    ACK,
    APPEND,
    CREATE,
    HEADER,
    REQUEST,
    attribute,
    message,
    nested,
    string,
    word,
)
from ringfence.ruleset.wire.elements import packed, packed_values, packed_verdicts
from ringfence.ruleset.wire.expressions import program
from ringfence.ruleset.wire.keys import SIZES, key_type, type_number
from ringfence.ruleset.wire.userdata import comment, of_map, of_set

HOOKS = {Hook.FORWARD: 2, Hook.POSTROUTING: 4}
"""enum nf_inet_hooks (linux/netfilter.h)."""

_BATCH_BEGIN, _BATCH_END = 16, 17
_BATCH = bytes((0, 0, 0, 10))  # no family; the subsystem is named here instead

_Sent: TypeAlias = tuple[int, int, bytes]
"""A message's type, flags and attributes."""


def encode(transaction: Transaction) -> bytes:
    """Return the transaction as one batch, ready to be sent.

    A message's sequence number is its operation's index; the number behind the last
    is that of the batch itself. The last operation asks for an acknowledgement, so
    that a batch that is done answers exactly once.
    """
    table = string(linux.TABLE, transaction.table)
    last = len(transaction.operations)
    parts = [_bound(_BATCH_BEGIN, last)]
    for index, operation in enumerate(transaction.operations):
        for kind, flags, attributes in _messages(operation, index):
            parts.append(message(kind, flags, index, table + attributes))
    if transaction:
        size, kind, flags, index, port = HEADER.unpack_from(parts[-1])
        head = HEADER.pack(size, kind, flags | ACK, index, port)
        parts[-1] = head + parts[-1][HEADER.size :]
    parts.append(_bound(_BATCH_END, last))
    return b"".join(parts)


def _bound(kind: int, number: int) -> bytes:
    return HEADER.pack(HEADER.size + 4, kind, REQUEST, number, 0) + _BATCH


def _messages(operation: Operation, index: int) -> Iterator[_Sent]:
    match operation:
        case AddElements(of, elements):
            for listed in packed(of, elements):
                yield _elements(linux.Message.NEWSETELEM, of.name, listed)
        case DeleteElements(of, elements):
            for listed in packed(of, elements):
                yield _elements(linux.Message.DELSETELEM, of.name, listed)
        case AddVerdicts(name, key, verdicts):
            for listed in packed_verdicts(key, verdicts):
                yield _elements(linux.Message.NEWSETELEM, name, listed)
        case DeleteVerdicts(name, key, verdicts):
            for listed in packed_values(key, verdicts):
                yield _elements(linux.Message.DELSETELEM, name, listed)
        case AddRule(chain, rule):
            text = attribute(linux.RULE_USERDATA, comment(rule.comment))
            yield (
                linux.Message.NEWRULE,
                CREATE | APPEND,
                string(linux.RULE_CHAIN, chain)
                + nested(linux.RULE_EXPRESSIONS, program(rule))
                + (text if rule.comment else b""),
            )
        case FlushChain(name):
            yield linux.Message.DELRULE, 0, string(linux.RULE_CHAIN, name)
        case _:
            yield _made(operation, index)


def _elements(kind: int, name: str, listed: bytes) -> _Sent:
    flags = CREATE if kind == linux.Message.NEWSETELEM else 0
    of = string(linux.ELEMENTS_SET, name)
    return kind, flags, of + nested(linux.ELEMENTS, listed)


_Whole: TypeAlias = (
    AddTable
    | DeleteTable
    | AddCounter
    | DeleteCounter
    | AddSet
    | DeleteSet
    | AddMap
    | DeleteMap
    | AddChain
    | DeleteChain
)


def _made(operation: _Whole, index: int) -> _Sent:
    """Return what makes or removes a thing with a name."""
    sent: _Sent
    match operation:
        case AddTable(text):
            data = attribute(linux.TABLE_USERDATA, comment(text))
            sent = linux.Message.NEWTABLE, 0, word(linux.TABLE_FLAGS, 0) + data
        case DeleteTable():
            sent = linux.Message.DELTABLE, 0, b""
        case AddCounter(name):
            sent = linux.Message.NEWOBJ, CREATE, _counter(name) + _ZEROS
        case DeleteCounter(name):
            sent = linux.Message.DELOBJ, 0, _counter(name)
        case AddSet(of, text):
            size = _description(of.key) if of.interval and of.key[1:] else b""
            flags = linux.SET_INTERVAL if of.interval else 0
            flags |= linux.SET_CONCAT if size else 0
            data = size + attribute(linux.SET_USERDATA, of_set(of.key, text))
            body = _set(of.name, of.key, flags, index) + data
            sent = linux.Message.NEWSET, CREATE, body
        case AddMap(name, key):
            data = _VERDICTS + attribute(linux.SET_USERDATA, of_map((key,)))
            body = _set(name, (key,), linux.SET_MAP, index) + data
            sent = linux.Message.NEWSET, CREATE, body
        case DeleteSet(name) | DeleteMap(name):
            sent = linux.Message.DELSET, 0, string(linux.SET_NAME, name)
        case AddChain():
            sent = linux.Message.NEWCHAIN, CREATE, _chain(operation)
        case DeleteChain(name):
            sent = linux.Message.DELCHAIN, 0, string(linux.CHAIN_NAME, name)
    return sent


def _counter(name: str) -> bytes:
    kind = word(linux.OBJECT_TYPE, linux.OBJECT_COUNTER)
    return string(linux.OBJECT_NAME, name) + kind


_ZEROS = nested(
    linux.OBJECT_DATA,
    attribute(linux.COUNTER_BYTES, bytes(8)),
    attribute(linux.COUNTER_PACKETS, bytes(8)),
)

_VERDICTS = word(linux.SET_DATA_TYPE, linux.VERDICT_TYPE) + word(
    linux.SET_DATA_LENGTH, 0
)


def _set(name: str, key: tuple[Datatype, ...], flags: int, index: int) -> bytes:
    return b"".join(
        (
            string(linux.SET_NAME, name),
            word(linux.SET_FLAGS, flags),
            word(linux.SET_KEY_TYPE, type_number(key)),
            word(linux.SET_KEY_LENGTH, key_type(key).size),
            # Any number but that of another set of the batch.
            word(linux.SET_ID, index + 1),
        )
    )


def _description(key: tuple[Datatype, ...]) -> bytes:
    """Return the sizes of a key's parts: each is compared by itself."""
    sizes = (
        nested(linux.LIST_ELEMENT, word(linux.FIELD_LENGTH, SIZES[part]))
        for part in key
    )
    concat = nested(linux.DESCRIPTION_CONCAT, *sizes)
    return nested(linux.SET_DESCRIPTION, concat)


def _chain(operation: AddChain) -> bytes:
    body = string(linux.CHAIN_NAME, operation.name)
    if operation.priority is not None:
        priority = operation.priority & 0xFFFFFFFF
        hook = nested(
            linux.CHAIN_HOOK,
            word(linux.HOOK_NUMBER, HOOKS[operation.hook]),
            word(linux.HOOK_PRIORITY, priority),
        )
        policy = word(linux.CHAIN_POLICY, linux.ACCEPT)
        body += string(linux.CHAIN_TYPE, "filter") + policy + hook
    if operation.comment:
        text = comment(operation.comment)
        body += attribute(linux.CHAIN_USERDATA, text)
    return body
