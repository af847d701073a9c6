"""Resource quantities: ``100m``, ``1.5Gi``, ``1e3`` (apimachinery pkg/api/resource)."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

_PARTS = re.compile(r"([+-]?)([0-9]*)(\.[0-9]*)?([eEinumkKMGTP]*)([-+]?[0-9]*)")
_DECIMAL = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_NANO = 10**9
_STEP = 3
_BINARY_FROM = 1024

_FORMAT_WRONG = (
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_SUFFIX_WRONG = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """The text is no quantity; the message is the API server's."""


@lru_cache(4096)
def quantity(text: str) -> Fraction:
    """Return the number that a quantity stands for; raises QuantityError."""
    return _parse(text)[0]


@lru_cache(4096)
def canonical_quantity(text: str) -> str:
    """Return a quantity as the API server writes it back; raises QuantityError."""
    value, style = _parse(text.strip())
    if style == "binary" and abs(value) >= _BINARY_FROM and value.denominator == 1:
        return _binary_text(int(value))
    power, mantissa = _scaled(value)
    if style == "exponent":
        return f"{mantissa}e{power}" if power else str(mantissa)
    return f"{mantissa}{_SUFFIX.get(power, f'e{power}')}"


@lru_cache(maxsize=4096)  # the same few quantities fill whole files
def _parse(text: str) -> tuple[Fraction, str]:
    found = _PARTS.fullmatch(text)
    if not text or found is None:
        raise QuantityError(_FORMAT_WRONG)
    sign, whole, fraction, letters, power = found.groups()
    scale, style = _suffix(letters + power)
    digits = (whole or "0") + (fraction or "")
    value = Fraction(digits.rstrip(".")) * scale
    value = Fraction(ceil(value * _NANO), _NANO)
    return (-value if sign == "-" else value), style


def _suffix(text: str) -> tuple[Fraction, str]:
    if text in _DECIMAL:
        return Fraction(10) ** _DECIMAL[text], "decimal"
    if text in _BINARY:
        return Fraction(2 ** _BINARY[text]), "binary"
    found = re.fullmatch(r"[eE]([-+]?[0-9]{1,3})", text)
    if not found:
        raise QuantityError(_SUFFIX_WRONG)
    return Fraction(10) ** int(found[1]), "exponent"


def _scaled(value: Fraction) -> tuple[int, int]:
    """Return a power of ten that three divides, and the whole number before it."""
    if not value:
        return 0, 0
    power = 0
    while value.denominator != 1:
        value, power = value * 10**_STEP, power - _STEP
    mantissa = int(value)
    while mantissa % 10**_STEP == 0:
        mantissa, power = mantissa // 10**_STEP, power + _STEP
    return power, mantissa


def _binary_text(value: int) -> str:
    suffix = ""
    for name in _BINARY:
        if value % _BINARY_FROM:
            break
        value, suffix = value // _BINARY_FROM, name
    return f"{value}{suffix}"
