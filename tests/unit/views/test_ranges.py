"""Ranges of time: the finest windows that are few enough, and something to compare with."""

from __future__ import annotations

import itertools

from stream_app.views.ranges import TimeRange, cuts_of, groups, span_before, span_of, span_of_all, suggest_range
from stream_app.windows.grain import MOST_WINDOWS, Grain, Span


def test_a_range_ends_with_the_window_that_holds_the_streams_time() -> None:
    assert span_before(TimeRange.LAST_HOUR, 7_230) == Span(Grain.MINUTE, 3_660, 7_260, 60)


def test_all_time_picks_the_finest_windows_that_are_few_enough() -> None:
    assert span_of_all(0, 399 * 60).grain is Grain.MINUTE
    assert span_of_all(0, 401 * 60).grain is Grain.HOUR
    assert span_of_all(0, 401 * 3_600).grain is Grain.DAY
    assert span_of_all(0, 20_000 * 86_400).windows == MOST_WINDOWS


def test_groups_cover_a_span_without_gap_or_overlap() -> None:
    for windows in (1, 7, 30, 31, 60, 168, 400):
        span = Span(Grain.HOUR, 3_600, 3_600 * (windows + 1))
        cut = groups(span, 30)

        assert len(cut) <= 30
        assert (cut[0][0], cut[-1][1]) == (span.start, span.end)
        assert all(one[1] == two[0] for one, two in itertools.pairwise(cut))


def test_the_suggested_range_leaves_something_to_compare_with() -> None:
    assert suggest_range(0, 60) is TimeRange.LAST_15_MINUTES
    assert suggest_range(0, 3 * 3_600) is TimeRange.LAST_HOUR
    assert suggest_range(0, 61 * 86_400) is TimeRange.LAST_30_DAYS


def test_a_stream_whose_only_record_is_dated_ahead_has_a_range() -> None:
    span = span_of(TimeRange.ALL, 1_800_000_000, 1_700_000_000.0)
    assert span.start <= 1_700_000_000 < span.end
    assert cuts_of(span, 1_700_000_000.0)
