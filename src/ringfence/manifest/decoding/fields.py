"""Lenient reading of an object's fields: the right type, or a problem's place."""

from __future__ import annotations

from typing import Final, NamedTuple

from ringfence.errors import Problem
from ringfence.manifest.decoding.quick import parse_address
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


def field_text(path: Path) -> str:
    """Render a path as the API server writes it: ``spec.ports[0].name``."""
    text = ""
    for step in path:
        if isinstance(step, int) or "." in step or "/" in step:
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


class Field(NamedTuple):
    """A value inside an object, with the way to it.

    Reading it as the wrong type adds to ``problems`` and gives what an absent
    field would give, so that every problem of an object is found in one pass.
    Null reads as absent, as the API server has it. ``keys`` lead to a field
    inside: a Field of its own is made for it only where something is wrong.
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
        value = _under(self.value, keys)
        if value is not _NO_WAY:
            return Field(self.item, self.problems, value, self.path + keys)
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
        self._refuse((), "an object")
        return {}

    def entries(self, *keys: str) -> list[Field]:
        """Return the entries of a list, none where absent."""
        value = _under(self.value, keys)
        if isinstance(value, list):
            item, problems, _, path = self
            return [
                Field(item, problems, entry, (*path, *keys, index))
                for index, entry in enumerate(value)
            ]
        if value is not None:
            self._refuse(keys, "a list")
        return []

    def text(self, *keys: str) -> str:
        """Return the value as a string, empty where absent."""
        value = _under(self.value, keys)
        if isinstance(value, str):
            return value
        if value is not None:
            scalar = isinstance(value, bool | int | float)
            hint = f'quote it: "{str(value).lower()}"' if scalar else ""
            self._refuse(keys, "a string", hint)
        return ""

    def integer(self, low: int, high: int, *keys: str) -> int | None:
        """Return the value as a whole number of [low, high], None where absent."""
        value = _under(self.value, keys)
        if isinstance(value, int) and not isinstance(value, bool):
            if low <= value <= high:
                return value
            message = f"must be between {low} and {high}, found {value}"
            self.at(*keys).complain(message)
        elif value is not None:
            hint = "write it without quotes" if isinstance(value, str) else ""
            self._refuse(keys, "a whole number", hint)
        return None

    def flag(self, *keys: str) -> bool:
        """Return the value as a boolean, False where absent."""
        value = _under(self.value, keys)
        if isinstance(value, bool):
            return value
        if value is not None:
            self._refuse(keys, "true or false")
        return False

    def word(self, words: tuple[str, ...], default: str, *keys: str) -> str:
        """Return the value as one of these words; absent and empty give ``default``."""
        text = self.text(*keys)
        if not text or text in words:
            return text or default
        told = ", ".join(words)
        self.at(*keys).complain(f'must be one of {told}, found "{text}"')
        return default

    def labels(self, *keys: str) -> Labels:
        """Return the value as a map of strings; a null value is the empty string."""
        value = _under(self.value, keys)
        if isinstance(value, dict):
            if all(isinstance(text, str) for text in value.values()):
                return value
            field = self.at(*keys)
            return {key: field.text(key) for key in value}
        if value is not None:
            self._refuse(keys, "an object")
        return {}

    def address(self, *keys: str) -> IPAddress | None:
        """Return the value as an IP address, None where absent or empty."""
        text = self.text(*keys)
        if not text:
            return None
        found = parse_address(text)
        if found is None:
            self.at(*keys).complain(f'must be an IP address, found "{text}"')
        return found

    def _refuse(self, keys: tuple[str, ...], wanted: str, hint: str = "") -> None:
        """Complain about what is of the wrong type under the keys, or on the way."""
        field = self.at(*keys)
        if field.value is not None:
            found = _TYPE_WORDS.get(type(field.value), "something else")
            field.complain(f"must be {wanted}, found {found}", hint)


_NO_WAY: Final = object()


def _under(value: object, keys: tuple[str, ...]) -> object:
    """Return what stands under the keys, ``_NO_WAY`` where they lead into no object."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif value is None:
            return None
        else:
            return _NO_WAY
    return value
