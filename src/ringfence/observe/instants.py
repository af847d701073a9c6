"""Instants as nanoseconds since 1970, and as Hubble writes them.

The core may not ask a clock or a time zone, and Python's own times have no
nanoseconds. Calendar: RFC 3339, the proleptic Gregorian one, in UTC.
"""

from __future__ import annotations

import re
from calendar import monthrange, timegm

SECOND = 1_000_000_000
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DAY = 86_400
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""The calendar repeats itself after 400 years."""


def rfc3339(instant: int) -> str:
    """Write an instant with nanoseconds, as ``2026-11-21T12:00:00.000000001Z``."""
    year, month, day, seconds, fraction = _parts(instant)
    return f"{year:04}-{month:02}-{day:02}T{_clock(seconds)}" + f".{fraction:09}Z"


def stamp(instant: int) -> str:
    """Write an instant as Hubble's lines do: ``Nov 21 12:00:00.000``, in UTC."""
    _, month, day, seconds, fraction = _parts(instant)
    return f"{MONTHS[month - 1]} {day:2} {_clock(seconds)}.{fraction // 1_000_000:03}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _parts(instant: int) -> tuple[int, int, int, int, int]:
    """Return year, month, day, second of the day, nanoseconds."""
    whole, fraction = divmod(instant, SECOND)
    days, seconds = divmod(whole, _DAY)
    cycles, days = divmod(days, _CYCLE_DAYS)
    year = 1970 + _CYCLE_YEARS * cycles
    year, days = _year(year, days)
    month = 1
    while days >= monthrange(year, month)[1]:
        days -= monthrange(year, month)[1]
        month += 1
    return year, month, days + 1, seconds, fraction


def _year(year: int, days: int) -> tuple[int, int]:
    """Return the year in which a day is that many days after a year's first."""
    while days >= (length := 366 if monthrange(year, 2)[1] == 29 else 365):  # noqa: PLR2004 - 29 February
        days -= length
        year += 1
    return year, days


def instant_of(text: str) -> int | None:
    """Read an RFC 3339 time; None where the text is none."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    *digits, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, digits)
    if not (year and 1 <= month <= 12) or not 1 <= day <= monthrange(year, month)[1]:  # noqa: PLR2004 - months
        return None
    whole = timegm((year, month, day, hour, minute, second, 0, 0, 0))
    ahead = (int(hours) * 3600 + int(minutes) * 60) if sign else 0
    whole += ahead if sign == "-" else -ahead
    return whole * SECOND + int((fraction or "").ljust(9, "0"))
