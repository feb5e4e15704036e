"""A cell becomes a JSON value only when that loses nothing."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producers.record import key_bytes, to_bytes
from producers.sources.convert import Reading, cell_converter, instant, value_converter, write_instant
from stream_app.contract.model import Field, LogicalType
from stream_app.windows.calendar import milliseconds

PLAIN = Reading()


def cell(kind: LogicalType, text: str, reading: Reading = PLAIN) -> Any:
    return json.loads(cell_converter(Field("f", kind), reading)(text))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "6", 6),
        ("integer", "-6", -6),
        ("integer", "17850.0", 17850),
        ("integer", "0", 0),
        ("integer", "123456789012345678901234567890", 123456789012345678901234567890),
        ("number", "2.55", 2.55),
        ("number", "-1e3", -1000.0),
        ("number", "3", 3),
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("timestamp", "2010-12-01 08:26:00", "2010-12-01T08:26:00Z"),
        ("timestamp", "2010-12-01T08:26", "2010-12-01T08:26:00Z"),
        ("timestamp", "2010-12-01T08:26:00.500+02:00", "2010-12-01T06:26:00.5Z"),
        ("string", "85123A", "85123A"),
        ("string", "6", "6"),
    ],
)
def test_a_cell_takes_the_type_of_its_field(kind: LogicalType, text: str, value: Any) -> None:
    assert cell(kind, text) == value
    assert type(cell(kind, text)) is type(value)


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "timestamp"])
def test_an_empty_cell_is_null(kind: LogicalType) -> None:
    assert cell(kind, "") is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", " 6"), ("integer", "007"), ("integer", "+5"), ("integer", "6.5"), ("integer", "six"),
        ("integer", "1,000"), ("integer", "٣"), ("integer", "-0"), ("integer", "1e3"), ("integer", "6\n"),
        ("number", "NaN"), ("number", "Infinity"), ("number", "1e999"), ("number", ".5"), ("number", "2,55"),
        ("number", "£2.55"), ("number", "0x10"), ("number", "1_000"),
        ("boolean", "1"), ("boolean", "yes"),
        ("timestamp", "1 Dec 2010"), ("timestamp", "2010-13-01 08:26:00"), ("timestamp", "2010-12-01"),
        ("timestamp", "12/1/2010 8:26"), ("timestamp", "1291191960"), ("timestamp", "0001-01-01T00:00:00+14:00"),
    ],
)  # fmt: skip
def test_what_does_not_convert_without_loss_stays_the_text_it_was(kind: LogicalType, text: str) -> None:
    assert cell(kind, text) == text


@given(st.sampled_from(["string", "integer", "number", "boolean", "timestamp"]), st.text(min_size=1))
@example(kind="integer", text="9007199254740993")
def test_any_cell_at_all_gives_valid_json_that_says_the_same(kind: LogicalType, text: str) -> None:
    value = cell(kind, text)
    if isinstance(value, str):
        assert value == text or instant(text) is not None
    elif isinstance(value, bool):
        assert str(value).lower() == text.lower()
    else:
        assert isinstance(value, int | float)
        assert math.isfinite(value)
        # An integer keeps digits that a float has no room for.
        assert value == (Fraction(text) if isinstance(value, int) else float(text))


@given(st.integers())
def test_every_integer_survives(number: int) -> None:
    assert cell("integer", str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives(number: float) -> None:
    assert cell("number", repr(number)) == number


@given(
    st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_a_timestamp_keeps_its_instant_whatever_its_offset(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    written = cell("timestamp", moment.isoformat())
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == moment


def test_a_time_without_offset_is_read_in_the_zone_that_is_named() -> None:
    reading = Reading(ZoneInfo("Europe/London"))
    assert cell("timestamp", "2011-07-01 08:00:00", reading) == "2011-07-01T07:00:00Z"
    assert cell("timestamp", "2011-01-01 08:00:00", reading) == "2011-01-01T08:00:00Z"


def test_a_format_replaces_iso_8601() -> None:
    reading = Reading(format="%m/%d/%Y %H:%M")
    assert cell("timestamp", "12/1/2010 8:26", reading) == "2010-12-01T08:26:00Z"
    assert cell("timestamp", "2010-12-01 08:26:00", reading) == "2010-12-01 08:26:00"


def test_typed_values_keep_their_type() -> None:
    integer = value_converter(Field("quantity", "integer"))
    assert [integer(value) for value in (6, 6.0, "6", None, True, [1])] == ["6", "6.0", '"6"', "null", "true", "[1]"]
    moment = value_converter(Field("at", "timestamp"))
    assert moment(datetime(2010, 12, 1, 8, 26, tzinfo=UTC)) == '"2010-12-01T08:26:00Z"'
    assert moment("2010-12-01 08:26") == '"2010-12-01 08:26"'


def test_a_shift_moves_timestamps_and_nothing_beyond_the_calendar() -> None:
    reading = Reading(shift_ms=86_400_000)
    assert cell("timestamp", "2010-12-31T08:26:00Z", reading) == "2011-01-01T08:26:00Z"
    assert cell("timestamp", "9999-12-31T08:26:00Z", reading) == "9999-12-31T08:26:00Z"
    assert write_instant(datetime(9999, 12, 31, tzinfo=UTC), 10**9) is None


def test_milliseconds_are_exact() -> None:
    assert milliseconds(datetime(2010, 12, 1, 8, 26, tzinfo=UTC)) == 1291191960000


@pytest.mark.parametrize(
    ("fragment", "key"), [("null", None), ("17850", b"17850"), ('"536365"', b"536365"), ('"a\\"b"', b'a"b'), ('""', b"")]
)
def test_a_key_is_the_text_of_its_field(fragment: str, key: bytes | None) -> None:
    assert key_bytes(fragment) == key


@given(st.binary())
def test_bytes_that_are_no_utf8_come_out_as_they_went_in(raw: bytes) -> None:
    assert to_bytes(raw.decode("utf-8", "surrogateescape")) == raw
