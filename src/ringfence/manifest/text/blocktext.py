"""YAML with a key or an entry a line, read the quick way where YAML says the same.

Most manifests are nothing but keys, entries and values of one line, in ASCII.
Lines repeat, so what a line says is remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum, auto
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple

from ringfence.manifest.text.scalars import resolve_plain
from ringfence.manifest.text.yamltext import Found, Mark

_MOST_INDENTED: Final = 90
"""Lists and maps that begin no further right nest less deep than they may."""

_LONGEST: Final = 500
"""What longer lines say is not remembered."""

_NOWHERE: Final = -2

_SKIPPED = re.compile(r" *(?:#[ -~]*)?")
_KEY = r"[A-Za-z_][\w./-]{0,300}"
_ENTRY = re.compile(
    rf"( {{0,{_MOST_INDENTED}}})(- {{1,8}})?(?:({_KEY}):(?: +|\Z))?([ -~]*)",
    re.ASCII,
)
_PLAIN = r"(?:[\w./$(+=~]|-(?=[\w-]))[!-~]*(?: +[!-\"$-~][!-~]*)*"
_IN_FLOW = r"""(?:[\w./][\w./-]*|"[ !#-\[\]-~]*"|'[ -&(-~]*')"""
_PAIR = rf"{_KEY}: +{_IN_FLOW}"
_VALUE = re.compile(
    rf"(?:(?P<plain>{_PLAIN})"
    r'|(?P<double>"(?:[ !#-\[\]-~]|\\["\\nt])*")'
    r"|'(?P<single>(?:[ -&(-~]|'')*)'"
    rf"|\[ *(?P<list>(?:{_IN_FLOW} *(?:, *{_IN_FLOW} *)*)?)\]"
    rf"|\{{ *(?P<map>(?:{_PAIR} *(?:, *{_PAIR} *)*)?)\}}"
    r"|(?P<literal>\|-?)"
    r"|(?P<nothing>))"
    r"(?: +#[ -~]*| *)",
    re.ASCII,
)
_FLOW_ENTRY = re.compile(_IN_FLOW, re.ASCII)
_FLOW_PAIR = re.compile(rf"({_KEY}): +({_IN_FLOW})", re.ASCII)


class _Form(Enum):
    """A value that is no scalar of its line."""

    LIST = auto()
    MAP = auto()
    LITERAL = auto()
    NOTHING = auto()


class _Line(NamedTuple):
    """What a line says, nothing where ``column`` is negative.

    ``column`` is where the key or the dash stands, ``inner`` where the key or the
    scalar does. ``key`` is None for a list's entry that is a scalar.
    """

    column: int
    inner: int
    key: str | None
    value: Any
    form: _Form | None


_SILENT = _Line(-1, -1, None, None, None)


class _Beyond(Exception):  # noqa: N818 - a signal, nothing is wrong
    """The YAML parser has to read this."""


def block_documents(text: str) -> list[Found] | None:
    """Return the one document of a YAML text, or None where YAML has to read it.

    YAML reads what is no map or list, nests in brackets, folds lines, gives a key
    twice, has anchors, tags, further documents or mistakes, or is no ASCII.
    """
    lines = text.split("\n")
    if lines[0] == "---":
        lines[0] = ""
    try:
        begin = _begin(lines)
        return [Found(_read(lines), (), begin)]
    except _Beyond:
        return None


def _begin(lines: list[str]) -> Mark:
    """Return where the first line that says something does so."""
    for at, line in enumerate(lines):
        if not _SKIPPED.fullmatch(line):
            return at, len(line) - len(line.lstrip(" "))
    raise _Beyond


def _read(lines: list[str]) -> Any:
    """Return what the lines say; raises _Beyond.

    The open containers stand on the stack, the innermost last, with the columns
    where they begin. ``column`` is where a key belongs to the innermost as it is,
    ``waiting`` the key whose value the next lines may be. The whole is a value of
    a map that begins left of every line.
    """
    container: Any = {}
    stack: list[tuple[Any, int]] = [(container, -1)]
    column, resume = _NOWHERE, 0
    waiting: str | None = ""
    for at, line in enumerate(lines):
        if at < resume:
            continue
        said = _remembered(line) if len(line) < _LONGEST else _said(line)
        begin, inner, key, value, form = said
        if begin < 0:
            continue
        if begin != column or inner != begin or waiting is not None:
            container, column = _entered(stack, said, waiting)
            waiting = None
        if form is _Form.NOTHING:
            waiting = key
        elif form is _Form.LITERAL:
            value, resume = _literal(lines, at + 1, stack[-1][1], value)
        elif form is not None:
            value = list(value) if form is _Form.LIST else dict(value)
        if key is None:
            container.append(value)
        elif key in container:
            raise _Beyond
        else:
            container[key] = value
    return stack[0][0][""]


def _entered(
    stack: list[tuple[Any, int]], line: _Line, waiting: str | None
) -> tuple[Any, int]:
    """Open and close containers until a line's key or entry belongs to the innermost.

    Return that and the column where further keys belong to it.
    """
    begin, inner, key, _, _ = line
    is_entry = inner > begin
    container, column = stack[-1]
    if waiting is not None and (begin > column or (is_entry and begin == column)):
        child: Any = [] if is_entry else {}
        container[waiting] = child
        stack.append((child, begin))
    while begin < stack[-1][1]:
        stack.pop()
    if not is_entry and type(stack[-1][0]) is list:
        stack.pop()  # a list may begin where the key does that it is the value of
    container, column = stack[-1]
    if begin != column or is_entry is not (type(container) is list):
        raise _Beyond
    if not is_entry:
        return container, begin
    if key is None:
        return container, _NOWHERE
    child = {}
    container.append(child)
    stack.append((child, inner))
    return child, inner


def _literal(lines: list[str], at: int, column: int, ending: str) -> tuple[str, int]:
    """Return the text that the lines from here on are, and which line comes after."""
    first = lines[at] if at < len(lines) else ""
    indent = len(first) - len(first.lstrip(" "))
    if indent <= column or indent == len(first):
        raise _Beyond
    begin = at
    for line in lines[at:]:
        blank = not line.strip(" ")
        if not blank and line[:indent].strip(" "):
            break
        if not (line.isascii() and line.isprintable()) or (
            blank and len(line) > indent
        ):
            raise _Beyond
        at += 1
    if at == len(lines) and lines[-1]:
        raise _Beyond
    text = "\n".join([line[indent:] for line in lines[begin:at]])
    return text.rstrip("\n") + ending, at


def _said(line: str) -> _Line:
    """Return what a line says that is no text of a literal; raises _Beyond."""
    if _SKIPPED.fullmatch(line):
        return _SILENT
    found = _ENTRY.fullmatch(line)
    if not found:
        raise _Beyond
    indent, dash, key, rest = found.groups(default="")
    column = len(indent)
    inner = column + len(dash)
    value, form = _value(rest)
    if key:
        return _Line(column, inner, _key(key), value, form)
    if not dash or form is _Form.NOTHING:
        raise _Beyond
    return _Line(column, inner, None, value, form)


_remembered = lru_cache(maxsize=1 << 13)(_said)


def _value(text: str) -> tuple[Any, _Form | None]:
    """Return what is written after a key or a dash; raises _Beyond."""
    found = _VALUE.fullmatch(text)
    if not found:
        raise _Beyond
    group = found.lastgroup or ""
    meaning, form = _MEANINGS[group]
    return meaning(found[group]), form


def _plain(written: str) -> str | float | bool | None:
    if ": " in written or written[-1] == ":":
        raise _Beyond
    value = resolve_plain(written)
    if isinstance(value, float) and not isfinite(value):
        raise _Beyond
    return value


def _entries(written: str) -> tuple[Any, ...]:
    """Return the entries of a list in brackets."""
    return tuple(map(_in_flow, _FLOW_ENTRY.findall(written)))


def _pairs(written: str) -> tuple[tuple[str, Any], ...]:
    """Return the keys and values of a map in brackets."""
    pairs = tuple(
        (_key(key), _in_flow(value)) for key, value in _FLOW_PAIR.findall(written)
    )
    if len(dict(pairs)) != len(pairs):
        raise _Beyond
    return pairs


def _key(written: str) -> str:
    if not isinstance(resolve_plain(written), str):
        raise _Beyond
    return written


def _in_flow(written: str) -> str | float | bool | None:
    return written[1:-1] if written[0] in "\"'" else _plain(written)


_MEANINGS: Final[dict[str, tuple[Callable[[str], Any], _Form | None]]] = {
    "plain": (_plain, None),
    "double": (json.loads, None),
    "single": (lambda written: written.replace("''", "'"), None),
    "list": (_entries, _Form.LIST),
    "map": (_pairs, _Form.MAP),
    "literal": (lambda sign: "" if sign == "|-" else "\n", _Form.LITERAL),
    "nothing": (lambda _: None, _Form.NOTHING),
}
"""By the group of ``_VALUE``: what it stands for, of a literal what ends it."""
