"""The text form of label selectors, as ``kubectl -l`` takes it.

Grammar of apimachinery's ``labels.Parse``: requirements joined by commas, each
``key``, ``!key``, ``key=v``, ``key==v``, ``key!=v``, ``key in (a,b)`` or
``key notin (a,b)``. The order comparisons ``>`` and ``<`` are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ringfence.model.labels import (
    LabelSelector,
    Operator,
    Requirement,
    label_selector,
)

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+|$)")
_SPECIAL = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">", ""})
_END = ""

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class LabelQueryError(ValueError):
    """The text is no label selector; the message says what was found where."""


def parse_label_query(text: str) -> LabelSelector:
    """Return the selector that a label query means; an empty text selects all.

    Raises LabelQueryError.
    """
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    if tokens.peek() == _END:
        return label_selector([])
    while True:
        requirements.append(_requirement(tokens))
        found = tokens.next()
        if found == _END:
            return label_selector(requirements)
        if found != ",":
            raise LabelQueryError(f"found '{found}', expected: ',' or 'end of string'")
        if tokens.peek() == _END:
            raise LabelQueryError("found '', expected: identifier after ','")


class _Tokens:
    """The words of a query, with one word of look-ahead."""

    def __init__(self, text: str) -> None:
        self._words: Iterator[str] = (m.group(1) for m in _TOKEN.finditer(text))
        self._ahead: list[str] = []

    def peek(self) -> str:
        if not self._ahead:
            self._ahead.append(next(self._words, _END))
        return self._ahead[0]

    def next(self) -> str:
        word = self.peek()
        self._ahead.clear()
        return word


def _requirement(tokens: _Tokens) -> Requirement:
    first = tokens.next()
    if first == "!":
        return Requirement(_key(tokens.next()), Operator.DOES_NOT_EXIST)
    if first in _SPECIAL:
        raise LabelQueryError(
            f"found '{first}', expected: !, identifier, or 'end of string'"
        )
    key = _key(first)
    match tokens.peek():
        case "=" | "==":
            tokens.next()
            return Requirement(key, Operator.IN, _values([_value(tokens)]))
        case "!=":
            tokens.next()
            return Requirement(key, Operator.NOT_IN, _values([_value(tokens)]))
        case "in":
            tokens.next()
            return Requirement(key, Operator.IN, _values(_list(tokens)))
        case "notin":
            tokens.next()
            return Requirement(key, Operator.NOT_IN, _values(_list(tokens)))
        case "<" | ">" as found:
            raise LabelQueryError(f"'{found}' is not supported, use in (...)")
        case _:
            return Requirement(key, Operator.EXISTS)


def _value(tokens: _Tokens) -> str:
    if tokens.peek() in {",", _END}:
        return ""
    word = tokens.next()
    if word in _SPECIAL:
        raise LabelQueryError(f"found '{word}', expected: identifier")
    return word


def _list(tokens: _Tokens) -> list[str]:
    found = tokens.next()
    if found != "(":
        raise LabelQueryError(f"found '{found}' expected: '('")
    values = []
    while True:
        values.append("" if tokens.peek() == ")" else _value(tokens))
        found = tokens.next()
        if found == ")":
            return values
        if found != ",":
            raise LabelQueryError(f"found '{found}', expected: ',' or ')'")


def _key(word: str) -> str:
    prefix, slash, name = word.rpartition("/")
    if (slash and not _PREFIX.fullmatch(prefix)) or not _NAME.fullmatch(name):
        raise LabelQueryError(f"'{word}' is no label key ([prefix/]name)")
    return word


def _values(words: list[str]) -> frozenset[str]:
    for word in words:
        if word and not _NAME.fullmatch(word):
            raise LabelQueryError(f"'{word}' is no label value")
    return frozenset(words)
