"""YAML of a List, its entries read each on its own, as documents are.

What ``kubectl get -o yaml`` prints is one document. One folded line in it would
leave all of it to the YAML parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ringfence.manifest.text.blocktext import block_documents
from ringfence.manifest.text.yamltext import Found, Refused, yaml_documents

_KEY = "items"
_BEGIN = re.compile(rf"^{_KEY}:\n( *)(?=- )", re.MULTILINE)
_AFTER = re.compile(r"^[^ #\n-]", re.MULTILINE)


def list_documents(text: str) -> list[Found] | None:
    """Return the one document of YAML text that has ``items``, or None.

    None where the text has no such list, where what is around it is not as plain
    as ``block_documents`` asks, and where entries have mistakes, give a key twice
    or may have aliases, whose number is bounded for the whole document.
    """
    begin = _BEGIN.search(text) if f"{_KEY}:\n" in text else None
    if not begin:
        return None
    first = begin.end() - len(begin[1])
    after = _AFTER.search(text, first)
    end = after.start() if after else len(text)
    around = block_documents(f"{text[: begin.start()]}{_KEY}: []\n{text[end:]}")
    if not around or not isinstance(around[0].value, dict):
        return None
    entries = around[0].value[_KEY]
    for piece in _pieces(text, begin[1], first, end):
        found = _entries(f"{_KEY}:\n{piece}")
        if found is None:
            return None
        entries += found
    return around


def _pieces(text: str, indent: str, first: int, end: int) -> Iterator[str]:
    """Yield the text of each entry, which begins with a dash at this indent.

    A dash there ends whatever came before, but for quotes and brackets, which it
    leaves open: then the piece cannot be read.
    """
    entry = re.compile(rf"^{indent}- ", re.MULTILINE)
    starts = [found.start() for found in entry.finditer(text, first, end)]
    for start, stop in pairwise([*starts, end]):
        yield text[start:stop]


def _entries(text: str) -> list[Any] | None:
    """Return the entries of a piece, read where they stand: as deep as they are."""
    found = block_documents(text)
    if found is None and not ("&" in text and "*" in text):
        try:
            found = yaml_documents(text)
        except Refused:
            return None
    value = found[0].value if found and not found[0].duplicates else None
    if not isinstance(value, dict) or [*value] != [_KEY]:
        return None
    entries = value[_KEY]
    return entries if isinstance(entries, list) else None
