"""Instants are written and read to the nanosecond."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.observe.instants import SECOND, instant_of, rfc3339, stamp


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, SECOND - 1))
def test_what_is_written_is_what_the_calendar_says(at: datetime, nanos: int) -> None:
    whole = at.replace(microsecond=0)
    instant = int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * SECOND
    expected = f"{whole.isoformat().removesuffix('+00:00')}.{nanos:09}Z"
    assert rfc3339(instant + nanos) == expected
    assert instant_of(expected) == instant + nanos


def test_a_stamp_is_as_long_whatever_the_day() -> None:
    instant = instant_of("2026-11-01T09:54:04.1209Z")
    assert instant is not None
    assert stamp(instant) == "Nov  1 09:54:04.120"


def test_offsets_are_taken_off() -> None:
    assert instant_of("2026-11-21T12:00:00+01:30") == instant_of("2026-11-21T10:30:00Z")


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T12:00:00"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert instant_of(text) is None
