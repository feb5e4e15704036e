"""Offsets of timestamps: the judge and producers read each form that databases write, and the same moment from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from producers.sources.convert import instant
from stream_app.contract import Field
from stream_app.contract.moments import moment_reader
from stream_app.judge.cleaning import cleaner

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05 10:00:00+00", TEN),
        ("2026-01-05 11:00:00+01", TEN),
        ("2026-01-05 05:00-05", TEN),
        ("2026-01-05T15:30:00+0530", TEN),
        ("2026-01-05 15:30:00+05:30", TEN),
        ("2026-01-05 10:00:00.125+00", TEN.replace(microsecond=125_000)),
        ("2026-01-05 10:00:00,1250000-00", TEN.replace(microsecond=125_000)),
        ("2026-01-05 10:53:28+00:53:28", TEN),
    ],
)
def test_an_offset_has_hours_and_may_have_more(text: str, moment: datetime) -> None:
    value, steps = cleaner(Field("at", "timestamp", clean=("timestamp",)))(text)
    assert (datetime.fromisoformat(value), steps) == (moment, ["timestamp"])
    assert moment_reader({"timezone": True})(text) == moment
    assert instant(text) == moment


@pytest.mark.parametrize("text", ["2026-01-05-07", "2026-01-05 10:00+1", "2026-01-05 10:00+24", "2026-01-05 10:00+001"])
def test_what_is_no_offset_is_not_guessed(text: str) -> None:
    assert moment_reader({})(text) is None
    assert instant(text) is None
