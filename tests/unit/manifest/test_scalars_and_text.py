from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.text.gotext import float_text, json_text, quote
from ringfence.manifest.text.scalars import key_text, resolve_plain
from ringfence.manifest.validation.quantity import (
    QuantityError,
    canonical_quantity,
    quantity,
)
from ringfence.manifest.validation.timestamps import TimestampError, canonical_time


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("web", '"web"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a\nb\t", '"a\\nb\\t"'),
        ("\x7f\x01", '"\\x7f\\x01"'),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", '"é"'),
        ("\N{LINE SEPARATOR}", '"\\u2028"'),
        ("\N{NO-BREAK SPACE}", '"\\u00a0"'),
    ],
)
def test_text_is_quoted_as_go_quotes(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (123456789012345678.0, "123456789012345680"),
        (-2.5e-9, "-2.5e-9"),
        (0.000001, "0.000001"),
    ],
)
def test_floats_are_written_as_go_writes_json(value: float, text: str) -> None:
    assert float_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_reads_back_the_same(value: float) -> None:
    assert float(json.loads(float_text(value))) == value


def test_json_keeps_the_order_of_fields_and_escapes_html() -> None:
    assert json_text({"b": [1, None, True], "a": "<&>"}) == (
        '{"b":[1,null,true],"a":"\\u003c\\u0026\\u003e"}'
    )


@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_of_64_bits_are_read_exactly(number: int) -> None:
    assert resolve_plain(str(number)) == number


@given(st.text(max_size=8))
def test_any_plain_scalar_has_a_meaning(text: str) -> None:
    value = resolve_plain(text)
    assert value is None or isinstance(value, str | bool | int | float)


def test_float_keys_are_written_with_the_precision_of_32_bits() -> None:
    assert key_text(18446744073709552000) == "1.8446744e+19"
    assert key_text(math.inf) == ".inf"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("100m", "100m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("1024Ki", "1Mi"),
        ("100000", "100k"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("0.5Ki", "512"),
        (" 1 ", "1"),
        ("1n", "1n"),
        ("-1", "-1"),
    ],
)
def test_quantities_are_stored_canonically(written: str, stored: str) -> None:
    assert canonical_quantity(written) == stored


@given(st.decimals(0, 10**6, places=3).map(str), st.sampled_from(["", "k", "Mi", "m"]))
def test_a_canonical_quantity_is_the_same_number(digits: str, suffix: str) -> None:
    text = digits + suffix
    assert quantity(canonical_quantity(text)) == quantity(text)


@pytest.mark.parametrize("text", ["", "abc", "1.5.5", "1Zi", "1 Gi", "--1", "1e"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        quantity(text)


def test_times_lose_fractions_of_a_second() -> None:
    assert canonical_time("2026-01-02T03:04:05.678Z", 0) == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("yesterday", 'cannot parse "yesterday" as "2006"'),
        ("2026-01-02", 'cannot parse "" as "T"'),
        ("2026-01-02T03:04:05Zx", 'extra text: "x"'),
    ],
)
def test_what_is_no_time_is_refused_where_go_stops(text: str, complaint: str) -> None:
    with pytest.raises(TimestampError) as caught:
        canonical_time(text, 0)
    assert str(caught.value).endswith(complaint)
