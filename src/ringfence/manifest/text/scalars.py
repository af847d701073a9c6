"""YAML 1.1 scalars and keys as the API server's YAML library reads them.

Source: go.yaml.in/yaml/v2 resolve.go and sigs.k8s.io/yaml, which turns its
result into JSON. Timestamps stay strings, base-60 numbers do not exist, octal
is ``0120`` and ``0o120``, and what is a float but whole becomes an integer, as
JSON has it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Final

from ringfence.manifest.text.gotext import float_text, quote

_WORDS: Final[dict[str, bool | float | None]] = {
    word: meaning
    for meaning, words in (
        (True, "y Y yes Yes YES true True TRUE on On ON"),
        (False, "n N no No NO false False FALSE off Off OFF"),
        (None, "~ null Null NULL"),
        (math.nan, ".nan .NaN .NAN"),
        (math.inf, ".inf .Inf .INF +.inf +.Inf +.INF"),
        (-math.inf, "-.inf -.Inf -.INF"),
    )
    for word in words.split()
} | {"": None}

_FIRST = frozenset("yYnNtTfFoO~.+-0123456789")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DOTTED = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(
    r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)"
)
_DATE = re.compile(
    r"[0-9]{4}-(0?[1-9]|1[0-2])-([12][0-9]|3[01]|0?[1-9])"
    r"([Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?)?"
)
_BASES = {"x": 16, "o": 8, "b": 2}
_FIRST_INT64, _LAST_UINT64 = -(2**63), 2**64 - 1

_TAG = "tag:yaml.org,2002:"
_RESOLVABLE = frozenset({"str", "bool", "int", "float", "null", "timestamp"})


class ScalarError(ValueError):
    """What the API server's YAML library says about a scalar it cannot decode."""


def resolve_plain(text: str) -> str | float | bool | None:
    """Return what an unquoted, untagged scalar means."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text) if _DOTTED.fullmatch(text) else text
    if text[0] in "+-0123456789":
        return text if _DATE.fullmatch(text) else _number(text)
    return text


def _number(text: str) -> str | float:
    plain = text.replace("_", "")
    found = _INTEGER.fullmatch(plain)
    if found:
        value = _integer(found[1], found[2])
        in_range = value <= _LAST_UINT64 and not (found[1] and value > 2**63 - 1)
        if value >= _FIRST_INT64 and in_range:
            return value
    if not _FLOAT.fullmatch(plain):
        return text
    value_or_text = _float(plain)
    return text if isinstance(value_or_text, str) else value_or_text


def _integer(sign: str, digits: str) -> int:
    letter = digits[1:2].lower()
    if letter in _BASES:
        value = int(digits[2:], _BASES[letter])
    else:
        value = int(digits, 8 if digits[0] == "0" else 10)
    return -value if sign == "-" else value


def _float(text: str) -> str | float:
    """Return the number; whole ones as JSON writes them, without a point."""
    value = float(text)
    if math.isinf(value):
        return text
    written = float_text(value)
    return int(written) if written.lstrip("-").isdigit() else value


def resolve_tagged(tag: str, text: str) -> str | float | bool | None:
    """Return what a scalar with an explicit tag means; raises ScalarError."""
    short = tag.removeprefix(_TAG)
    if short == "binary" and tag != short:
        return _binary(text)
    if short not in _RESOLVABLE or tag == short:
        return text
    if short == "str":
        return text
    value = resolve_plain(text)
    found = _kind(value, text)
    if found == short or (found, short) == ("int", "float"):
        return value
    raise ScalarError(f"cannot decode !!{found} `{text}` as a !!{short}")


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise ScalarError("!!binary value contains invalid base64 data") from None
    return data.decode("utf-8", "replace")


def _kind(value: object, text: str) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "float" if "." in text else "int"
        case float():
            return "float"
        case _:
            return "timestamp" if _DATE.fullmatch(text) else "str"


def key_text(value: object) -> str:
    """Return a mapping's key as the JSON key it becomes; raises ScalarError."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            small = _FIRST_INT64 <= value <= _LAST_UINT64
            return str(value) if small else _key_float(float(value))
        case float():
            return _key_float(value)
        case None:
            raise ScalarError("unsupported map key of type: %!s(<nil>), key: <nil>")
        case _:
            raise ScalarError("invalid map key: a map or a list")


def _key_float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return f"{value:.8g}"


def key_syntax(value: object) -> str:
    """Return a key as ``%#v`` writes it, which the duplicate-key message does."""
    return quote(value) if isinstance(value, str) else key_text(value)
