"""Elements of sets and verdict maps as messages carry them, and back.

Interval sets of one field are trees of starts and ends (the end is the first value
that is out); of several fields, lists of least and greatest keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from struct import Struct
from typing import cast

from ringfence.ruleset.changes.transaction import SetType
from ringfence.ruleset.ir import Box, Datatype, Row
from ringfence.ruleset.wire import linux
from ringfence.ruleset.wire.attributes import (
    LARGEST,
    NESTED,
    attribute,
    attributes,
    nested,
    number,
    pairs,
    string,
    word,
    words,
)
from ringfence.ruleset.wire.keys import KeyType, key_type, padded
from ringfence.ruleset.wire.userdata import OPEN_ENDED
from ringfence.sets.interval import Interval

_HEADS = Struct("=HHHHHH")
_KNOWN = {
    linux.ELEMENT_KEY,
    linux.ELEMENT_KEY_END,
    linux.ELEMENT_DATA,
    linux.ELEMENT_FLAGS,
    linux.ELEMENT_USERDATA,
}


def packed(of: SetType, elements: Sequence[Row] | Sequence[Box]) -> Iterator[bytes]:
    """Yield the elements' lists, each as large as an attribute can be."""
    if not of.interval:
        rows = cast("Sequence[Row]", elements)
        return _rows(of.key, rows)
    boxes = cast("Sequence[Box]", elements)
    if of.key[1:]:
        return _lists(_boxes(of.key, boxes))
    return _lists(_ranges(of.key[0], boxes))


def packed_verdicts(key: Datatype, elements: Mapping[int, str]) -> Iterator[bytes]:
    """Yield the lists of values and the chains that they go to."""
    pack = key_type((key,)).pack
    verdicts = {name: _goto(name) for name in set(elements.values())}
    return _lists(
        nested(linux.LIST_ELEMENT, _key(pack((value,))), verdicts[name])
        for value, name in elements.items()
    )


def packed_values(key: Datatype, values: Iterable[int]) -> Iterator[bytes]:
    """Yield the lists of a map's values, without where they go: to delete them."""
    return _rows((key,), [(value,) for value in values])


def _lists(elements: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 4
    for element in elements:
        size += len(element)
        if size > LARGEST:
            yield b"".join(held)
            held.clear()
            size = 4 + len(element)
        held.append(element)
    if held:
        yield b"".join(held)


def _key(value: bytes, kind: int = linux.ELEMENT_KEY) -> bytes:
    return nested(kind, attribute(linux.DATA_VALUE, value))


def _goto(name: str) -> bytes:
    code = word(linux.VERDICT_CODE, linux.GOTO)
    verdict = nested(linux.DATA_VERDICT, code, string(linux.VERDICT_CHAIN, name))
    return nested(linux.ELEMENT_DATA, verdict)


def _rows(key: tuple[Datatype, ...], rows: Sequence[Row]) -> Iterator[bytes]:
    """Yield lists of exact values, which are all of one size."""
    layout = key_type(key)
    heads = _heads(layout)
    tail = b"\0" * (-layout.size % 4)
    size = len(heads) + layout.size + len(tail)
    most = (LARGEST - 4) // size
    pack = layout.pack
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        yield b"".join([heads + pack(row) + tail for row in some])


def _heads(layout: KeyType) -> bytes:
    """Return the heads of an element, its key and the key's value: always the same."""
    size = padded(layout.size)
    return _HEADS.pack(
        _HEADS.size + size,
        linux.LIST_ELEMENT | NESTED,
        8 + size,
        linux.ELEMENT_KEY | NESTED,
        4 + layout.size,
        linux.DATA_VALUE,
    )


def _boxes(key: tuple[Datatype, ...], boxes: Iterable[Box]) -> Iterator[bytes]:
    _, pack, _ = key_type(key)
    for box in boxes:
        low = _key(pack(tuple(interval.low for interval in box)))
        high = pack(tuple(interval.high for interval in box))
        yield nested(linux.LIST_ELEMENT, low, _key(high, linux.ELEMENT_KEY_END))


def _ranges(key: Datatype, boxes: Iterable[Box]) -> Iterator[bytes]:
    size, pack, _ = key_type((key,))
    last = (1 << 8 * size) - 1
    ending = word(linux.ELEMENT_FLAGS, linux.INTERVAL_END)
    for ((low, high),) in boxes:
        start = _key(pack((low,)))
        if high == last:
            data = attribute(linux.ELEMENT_USERDATA, OPEN_ENDED)
            yield nested(linux.LIST_ELEMENT, start, data)
        else:
            yield nested(linux.LIST_ELEMENT, start) + nested(
                linux.LIST_ELEMENT, ending, _key(pack((high + 1,)))
            )


class Strange(Exception):  # noqa: N818 - nobody's error: it decides what a listing holds
    """Something that this product never makes; str says what."""


def rows(key: tuple[Datatype, ...], lists: Iterable[bytes]) -> frozenset[Row]:
    """Return the elements of a set of exact values; raises Strange."""
    layout = key_type(key)
    cell = Struct(f"{_HEADS.size}s{layout.size}s{-layout.size % 4}x")
    found: list[Row] = []
    for data in lists:
        like = data[: _HEADS.size]
        cells = (
            list(cell.iter_unpack(data))
            if len(data) % cell.size == 0 and _is_bare(like, layout)
            else []
        )
        if cells and all(heads == like for heads, _ in cells):
            found.extend(layout.unpack(value) for _, value in cells)
        else:
            found.extend(_row(layout, element) for element in _elements((data,)))
    return frozenset(found)


def _is_bare(heads: bytes, layout: KeyType) -> bool:
    """Whether these are the heads of an element that is a key and nothing else."""
    if len(heads) < _HEADS.size:
        return False
    size, _, _, kind, of_value, _ = _HEADS.unpack(heads)
    sizes = _HEADS.size + padded(layout.size), 4 + layout.size
    return (size, of_value) == sizes and kind & ~NESTED == linux.ELEMENT_KEY


def _row(layout: KeyType, element: dict[int, bytes]) -> Row:
    if set(element) != {linux.ELEMENT_KEY}:
        raise Strange(f"an element with attributes {sorted(element)}")
    return layout.unpack(_value(element[linux.ELEMENT_KEY]))


def boxes(key: tuple[Datatype, ...], lists: Iterable[bytes]) -> tuple[Box, ...]:
    """Return the elements of an interval set, ascending; raises Strange."""
    layout = key_type(key)
    elements = _elements(lists)
    found = _cornered(layout, elements) if key[1:] else _paired(layout, elements)
    return tuple(sorted(found))


def _cornered(layout: KeyType, elements: Iterable[dict[int, bytes]]) -> Iterator[Box]:
    for element in elements:
        low = layout.unpack(_value(element[linux.ELEMENT_KEY]))
        # A range of one value may come back without its end.
        end = element.get(linux.ELEMENT_KEY_END)
        high = low if end is None else layout.unpack(_value(end))
        yield tuple(Interval(*corner) for corner in zip(low, high, strict=True))


def _paired(layout: KeyType, elements: Iterable[dict[int, bytes]]) -> Iterator[Box]:
    marks = sorted(
        (
            layout.unpack(_value(element[linux.ELEMENT_KEY]))[0],
            # Where one range ends and the next begins, the end comes first.
            number(element.get(linux.ELEMENT_FLAGS)) != linux.INTERVAL_END,
        )
        for element in elements
    )
    low = None
    for value, starts in marks:
        if low is not None:
            yield (Interval(low, value - 1),)
        # nft marks the end of nothing at zero, in front of the first range.
        low = value if starts else None
    if low is not None:
        yield (Interval(low, (1 << 8 * layout.size) - 1),)


def verdicts(key: Datatype, lists: Iterable[bytes]) -> dict[int, str]:
    """Return the chain of each value; raises Strange for any verdict but goto."""
    layout = key_type((key,))
    behind = 8 + padded(layout.size)
    names: dict[bytes, str] = {}
    found = {}
    for _, element in chain.from_iterable(map(pairs, lists)):
        # Key first, then the verdict, of which there are few.
        verdict = element[behind:]
        name = names.get(verdict)
        if name is None:
            name = names[verdict] = _destination(verdict)
        (value,) = layout.unpack(element[8 : 8 + layout.size])
        found[value] = name
    return found


def _destination(data: bytes) -> str:
    """Return the chain that the rest of an element, behind its key, leads to."""
    rest = attributes(data)
    data = attributes(rest.pop(linux.ELEMENT_DATA, b"")).get(linux.DATA_VERDICT, b"")
    verdict = attributes(data)
    if rest:
        raise Strange(f"an element with attributes {sorted(rest)}")
    if number(verdict.get(linux.VERDICT_CODE)) != linux.GOTO:
        raise Strange("an element with a verdict that is no goto")
    return words(verdict.get(linux.VERDICT_CHAIN))


def _elements(lists: Iterable[bytes]) -> Iterator[dict[int, bytes]]:
    for _, data in chain.from_iterable(map(pairs, lists)):
        element = attributes(data)
        if linux.ELEMENT_KEY not in element or not set(element) <= _KNOWN:
            raise Strange(f"an element with attributes {sorted(element)}")
        yield element


def _value(data: bytes) -> bytes:
    return attributes(data).get(linux.DATA_VALUE, b"")
