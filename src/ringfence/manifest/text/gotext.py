"""Values written as Go writes them: quoted strings, floats, JSON.

The API server's sentences are made by Go's fmt, strconv and encoding/json, so
its words can only be met by writing values the same way.
"""

from __future__ import annotations

import math
import re
import unicodedata

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_JSON_SPECIAL = re.compile(r'["\\\x00-\x1f<>&\u2028\u2029]')
_JSON_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_TOO_LARGE_FOR_DIGITS = 1e21
_TOO_SMALL_FOR_DIGITS = 1e-6
_LAST_BYTE = 0x7F
_LAST_SHORT = 0xFFFF


def quote(text: str) -> str:
    """Return the text in double quotes, as ``strconv.Quote`` writes it."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char == " " or unicodedata.category(char)[0] in "LMNPS":
        return char
    code = ord(char)
    if code < ord(" ") or code == _LAST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_SHORT else f"\\U{code:08x}"


def float_text(value: float) -> str:
    """Return a finite float as ``encoding/json`` writes it, shortest and exact."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits = repr(value)
    mantissa, _, exponent = digits.partition("e")
    if _TOO_SMALL_FOR_DIGITS <= abs(value) < _TOO_LARGE_FOR_DIGITS:
        return f"{_expanded(mantissa, int(exponent or 0))}"
    if not exponent:
        mantissa, power = _normal(mantissa)
        exponent = str(power)
    mantissa = mantissa.removesuffix(".0")
    sign = "-" if exponent.startswith("-") else "+"
    return (
        f"{mantissa}e{sign}{exponent.lstrip('+-').lstrip('0').rjust(2, '0')}".replace(
            "e-0", "e-"
        )
    )


def _expanded(mantissa: str, exponent: int) -> str:
    """Write a decimal without exponent and without a fraction that is zero."""
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + fraction
    point = len(whole) + exponent
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}".rstrip("0")
    digits = digits.ljust(point, "0")
    rest = digits[point:].rstrip("0")
    return sign + digits[:point] + (f".{rest}" if rest else "")


def _normal(mantissa: str) -> tuple[str, int]:
    """Return a decimal of one digit before the point, and its power of ten."""
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0") or "0"
    zeros = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    head, tail = digits[0], digits[1:]
    return sign + head + (f".{tail}" if tail else ""), len(whole) - zeros - 1


def json_text(value: object) -> str:
    """Return plain data as ``encoding/json`` writes it; maps keep their order.

    So a value laid out in the order of a Go struct's fields comes out as that
    struct does.
    """
    match value:
        case bool() | None:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return '"' + _JSON_SPECIAL.sub(_json_escaped, value) + '"'
        case float():
            return float_text(value)
        case list() | tuple():
            return "[" + ",".join(map(json_text, value)) + "]"
        case dict():
            pairs = (
                f"{json_text(key)}:{json_text(item)}" for key, item in value.items()
            )
            return "{" + ",".join(pairs) + "}"
        case _:
            return str(value)


def _json_escaped(found: re.Match[str]) -> str:
    char = found[0]
    return _JSON_ESCAPES.get(char) or f"\\u{ord(char):04x}"


def json_type(value: object) -> str:
    """Return what Go's JSON decoder calls a value of this type."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case dict():
            return "object"
        case _:
            return "array"
