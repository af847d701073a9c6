"""Lenient reading of an object's fields: the right type, or a problem's place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from ringfence.errors import Problem
from ringfence.manifest.reader import Item, Path
from ringfence.model.flow import IPAddress
from ringfence.model.meta import Labels, Position

_TYPE_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number with a fraction",
}

_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


def field_text(path: Path) -> str:
    """Render a path as the API server writes it: ``spec.ports[0].name``."""
    text = ""
    for step in path:
        if isinstance(step, int) or "." in step or "/" in step:
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def field_path(text: str) -> Path:
    """Return the path that ``field_text`` renders so."""
    steps = _STEP.findall(text)
    return tuple(
        int(bracketed) if bracketed.isdecimal() else bracketed or name
        for name, bracketed in steps
    )


class Field(NamedTuple):
    """A value inside an object, with the way to it.

    Reading it as the wrong type adds to ``problems`` and gives what an absent
    field would give, so that every problem of an object is found in one pass.
    Null reads as absent, as the API server has it.
    """

    item: Item
    problems: list[Problem]
    value: object
    path: Path = ()

    @property
    def position(self) -> Position:
        """Where the value (or its nearest ancestor) stands."""
        return self.item.position(self.path)

    @property
    def absent(self) -> bool:
        """Whether there is nothing here: no field, or null."""
        return self.value is None

    def complain(self, message: str, hint: str = "") -> None:
        """Add a problem about this value."""
        self.problems.append(
            Problem(str(self.position), message, field_text(self.path), hint)
        )

    def at(self, *keys: str) -> Field:
        """Return the field under these keys, absent where any of them is."""
        field = self
        for key in keys:
            value = field.value
            inside = value if isinstance(value, dict) else field.mapping()
            field = field.step(key, inside.get(key))
        return field

    def step(self, step: str | int, value: object) -> Field:
        """Return the field one step further in."""
        return Field(self.item, self.problems, value, (*self.path, step))

    def mapping(self) -> dict[str, object]:
        """Return the value as an object, empty where absent."""
        if isinstance(self.value, dict):
            return self.value
        self._wrong_type("an object")
        return {}

    def entries(self) -> Iterator[Field]:
        """Yield the entries of a list, none where absent."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield self.step(index, value)
        else:
            self._wrong_type("a list")

    def text(self) -> str:
        """Return the value as a string, empty where absent."""
        if isinstance(self.value, str):
            return self.value
        hint = ""
        if isinstance(self.value, bool | int | float):
            hint = f'quote it: "{str(self.value).lower()}"'
        self._wrong_type("a string", hint)
        return ""

    def integer(self, low: int, high: int) -> int | None:
        """Return the value as a whole number of [low, high], None where absent."""
        value = self.value
        if not isinstance(value, int) or isinstance(value, bool):
            hint = "write it without quotes" if isinstance(value, str) else ""
            self._wrong_type("a whole number", hint)
            return None
        if not low <= value <= high:
            self.complain(f"must be between {low} and {high}, found {value}")
            return None
        return value

    def flag(self) -> bool:
        """Return the value as a boolean, False where absent."""
        if isinstance(self.value, bool):
            return self.value
        self._wrong_type("true or false")
        return False

    def word(self, words: tuple[str, ...], default: str) -> str:
        """Return the value as one of these words; absent and empty give ``default``."""
        text = self.text()
        if not text or text in words:
            return text or default
        self.complain(f'must be one of {", ".join(words)}, found "{text}"')
        return default

    def labels(self) -> Labels:
        """Return the value as a map of strings; a null value is the empty string."""
        return {
            key: value if isinstance(value, str) else self.step(key, value).text()
            for key, value in self.mapping().items()
        }

    def address(self) -> IPAddress | None:
        """Return the value as an IP address, None where absent or empty."""
        text = self.text()
        if not text:
            return None
        try:
            if "%" not in text:
                return ip_address(text)
        except ValueError:
            pass
        self.complain(f'must be an IP address, found "{text}"')
        return None

    def _wrong_type(self, wanted: str, hint: str = "") -> None:
        if self.value is not None:
            found = _TYPE_WORDS.get(type(self.value), "something else")
            self.complain(f"must be {wanted}, found {found}", hint)
