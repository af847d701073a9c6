"""Names, label keys and values: what is wrong with a text.

Every function returns messages, none where the text is right. Source:
apimachinery pkg/util/validation and pkg/api/validate/content. Lengths are bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

NameRule: TypeAlias = Callable[[str], tuple[str, ...]]

_KEPT = 4096
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SEARCH_PART = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH = rf"{_SEARCH_PART}(\.{_SEARCH_PART})*"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"

_MOST_LABEL = 63
_MOST_SUBDOMAIN = 253
_MOST_PORT_NAME = 15
_PREFIX_AND_NAME = 2
LAST_PORT = 65535


def _must(words: str, pattern: str, *examples: str) -> str:
    """Say what a text must consist of, with examples and the pattern."""
    if not examples:
        return f"{words} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{pattern}')"


_ALPHANUMERIC = "must start and end with an alphanumeric character"
_BAD_LABEL = _must(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters"
    f" or '-', and {_ALPHANUMERIC}",
    _LABEL,
    "my-name",
    "123-abc",
)
_BAD_SUBDOMAIN = _must(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric"
    f" characters, '-' or '.', and {_ALPHANUMERIC}",
    _SUBDOMAIN,
    "example.com",
)
_BAD_SEARCH = _must(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric"
    f" characters, '_', '-' or '.', and {_ALPHANUMERIC}",
    _SEARCH,
    "example.com",
)
_BAD_KEY = _must(
    f"must consist of alphanumeric characters, '-', '_' or '.', and {_ALPHANUMERIC}",
    _KEY,
    "MyName",
    "my.name",
    "123-abc",
)
_BAD_VALUE = _must(
    "a valid label must be an empty string or consist of alphanumeric characters,"
    f" '-', '_' or '.', and {_ALPHANUMERIC}",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_BAD_CONFIG_KEY = _must(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_BAD_HEADER = _must(
    "a valid HTTP header must consist of alphanumeric characters or '-'",
    _HEADER,
    "X-Header-Name",
)
_BAD_PERCENT = _must(
    "a valid percent string must be a numeric string followed by an ending '%'",
    _PERCENT,
    "1%",
    "93%",
)
_BAD_ENV = (
    "a valid environment variable name must consist only of printable ASCII"
    " characters other than '='"
)

_label = re.compile(_LABEL).fullmatch
_subdomain = re.compile(_SUBDOMAIN).fullmatch
_key = re.compile(_KEY).fullmatch
_value = re.compile(_VALUE).fullmatch
_env = re.compile(r"[ -<>-~]*").fullmatch


def _too_long(text: str, most: int, unit: str = "characters") -> tuple[str, ...]:
    if len(text.encode()) <= most:
        return ()
    return (f"must be no more than {most} {unit}",)


@lru_cache(_KEPT)
def dns_label(text: str) -> tuple[str, ...]:
    """Check an RFC 1123 label."""
    if _label(text):
        return _too_long(text, _MOST_LABEL)
    bad = "must not contain dots" if _subdomain(text) else _BAD_LABEL
    return (*_too_long(text, _MOST_LABEL), bad)


@lru_cache(_KEPT)
def dns_subdomain(text: str) -> tuple[str, ...]:
    """Check an RFC 1123 subdomain."""
    bad = () if _subdomain(text) else (_BAD_SUBDOMAIN,)
    return (*_too_long(text, _MOST_SUBDOMAIN), *bad)


def dns_search(text: str) -> tuple[str, ...]:
    """Check a domain to search, which may hold underscores."""
    bad = () if re.fullmatch(_SEARCH, text) else (_BAD_SEARCH,)
    return (*_too_long(text, _MOST_SUBDOMAIN), *bad)


def as_prefix(name: str) -> str:
    """Return a name that gets a suffix, with what may end it made an ordinary end."""
    return f"{name[:-2]}a" if len(name) > 1 and name.endswith("-") else name


@lru_cache(_KEPT)
def label_key(text: str) -> tuple[str, ...]:
    """Check a label's key, also called a qualified name."""
    parts = text.split("/")
    if len(parts) > _PREFIX_AND_NAME:
        where = (
            "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
        return (f"a valid label key {_BAD_KEY} {where}",)
    found: list[str] = []
    name = parts[-1]
    if len(parts) == _PREFIX_AND_NAME:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            messages = _subdomain_bytes(parts[0])
            found += [f"prefix part {message}" for message in messages]
    if not name:
        found.append("name part must be non-empty")
    found += [f"name part {m}" for m in _too_long(name, _MOST_LABEL, "bytes")]
    if not _key(name):
        found.append(f"name part {_BAD_KEY}")
    return tuple(found)


def _subdomain_bytes(text: str) -> tuple[str, ...]:
    bad = () if _subdomain(text) else (_BAD_SUBDOMAIN,)
    return (*_too_long(text, _MOST_SUBDOMAIN, "bytes"), *bad)


@lru_cache(_KEPT)
def label_value(text: str) -> tuple[str, ...]:
    """Check a label's value."""
    bad = () if _value(text) else (_BAD_VALUE,)
    return (*_too_long(text, _MOST_LABEL, "bytes"), *bad)


@lru_cache(_KEPT)
def port_name(text: str) -> tuple[str, ...]:
    """Check the name of a port (IANA service name)."""
    found = list(_too_long(text, _MOST_PORT_NAME))
    if not re.fullmatch("[-a-z0-9]+", text):
        found.append(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        )
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


def in_range(value: int, low: int, high: int) -> tuple[str, ...]:
    """Check that a number is of [low, high]."""
    if low <= value <= high:
        return ()
    return (f"must be between {low} and {high}, inclusive",)


def port_number(value: int) -> tuple[str, ...]:
    """Check the number of a port."""
    return in_range(value, 1, LAST_PORT)


def env_name(text: str) -> tuple[str, ...]:
    """Check the name of an environment variable."""
    empty = () if text else ("environment variable name must be non-empty",)
    return empty if _env(text) else (*empty, _BAD_ENV)


def config_key(text: str) -> tuple[str, ...]:
    """Check a key of a ConfigMap or a Secret."""
    bad = () if re.fullmatch(_CONFIG_KEY, text) else (_BAD_CONFIG_KEY,)
    return (*_too_long(text, _MOST_SUBDOMAIN), *bad, *_dots(text))


def header_name(text: str) -> tuple[str, ...]:
    """Check the name of an HTTP header."""
    return () if re.fullmatch(_HEADER, text) else (_BAD_HEADER,)


def percent(text: str) -> tuple[str, ...]:
    """Check a percentage."""
    return () if re.fullmatch(_PERCENT, text) else (_BAD_PERCENT,)


def _dots(text: str) -> tuple[str, ...]:
    if text in {".", ".."}:
        return (f"must not be '{text}'",)
    return ("must not start with '..'",) if text.startswith("..") else ()
