"""Custom ranges: from and to an address, with the finest windows that are still kept."""

from __future__ import annotations

import pytest

from stream_app.views.ranges import Custom, span_of, span_of_custom
from stream_app.windows.grain import MOST_WINDOWS, Grain

NOW = 1_790_000_123_000
DAY = 86_400


CUSTOM = Custom(NOW // 1000 // DAY * DAY - 9 * DAY, NOW // 1000 // DAY * DAY - 5 * DAY)


def test_a_custom_range_takes_the_finest_windows_that_are_few_and_kept() -> None:
    stream = float(NOW // 1000)
    now = NOW // 1000
    assert span_of_custom(Custom(now - 3_600, now), stream).grain is Grain.MINUTE
    assert span_of_custom(Custom(now - 3 * DAY, now), stream).grain is Grain.HOUR
    assert span_of_custom(Custom(now - 90 * DAY, now), stream).grain is Grain.DAY
    # An hour of last month: its minutes are gone.
    assert span_of_custom(Custom(now - 30 * DAY, now - 30 * DAY + 3_600), stream).grain is Grain.HOUR
    long = span_of_custom(Custom(now - 3_000 * DAY, now), stream)
    assert (long.windows, long.previous) == (MOST_WINDOWS, None)
    for length in (60, 3_600, 86_400, 10 * DAY, 150 * DAY, 190 * DAY):
        span = span_of(Custom(now - length, now), None, stream)
        assert span.start <= now - length
        assert span.end >= now
        assert (span.end - (span.previous or span.start)) // span.grain.seconds <= MOST_WINDOWS


def test_a_custom_range_reads_back_from_an_address() -> None:
    assert Custom.parse("2010-12-01T08:00_2010-12-02T08:00") == Custom(1_291_190_400, 1_291_276_800)
    assert Custom.parse(CUSTOM.value) == CUSTOM
    for text in ("", "x", "2010-12-01T08:00", "2010-12-02T08:00_2010-12-01T08:00", "9999-12-31T23:59_99999-01-01T00:00"):
        with pytest.raises(ValueError):  # noqa: PT011 - each text is wrong in another way
            Custom.parse(text)
