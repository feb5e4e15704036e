"""The minutes of a tally become windows of any grain, without gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.fields import Counts, add, parse
from stream_app.counts.window import Window, by_grain, distinct_by_grain, windows_of
from stream_app.windows.grain import Grain

HOUR, MONDAY = 3_600, 1_767_571_200
MINUTE = MONDAY // 60

minutes_of_a_day = st.dictionaries(
    st.integers(MINUTE, MINUTE + 2_000),
    st.dictionaries(st.sampled_from(["in", "clean", "f:a.type", "s|c|in|x"]), st.integers(1, 9)),
)


def test_windows_have_no_gaps() -> None:
    minutes = {MINUTE + 61: {"in": 2}, MINUTE + 181: {"in": 4, "clean": 3}, MINUTE + 190: {"in": 1}}
    assert list(windows_of(minutes, Grain.HOUR)) == [
        Window(MONDAY + HOUR, Counts(received=2)),
        Window(MONDAY + 2 * HOUR, Counts()),
        Window(MONDAY + 3 * HOUR, Counts(received=5, clean=3)),
    ]


def test_a_window_that_the_end_cuts_is_left_out() -> None:
    minutes = {MINUTE + 61: {"in": 2}, MINUTE + 121: {"in": 4}}
    cut = windows_of(minutes, Grain.HOUR, MONDAY - HOUR, MONDAY + 2 * HOUR + 1)
    assert [(one.start - MONDAY, one.counts.received) for one in cut] == [(-HOUR, 0), (0, 0), (HOUR, 2)]


def test_nothing_counted_has_no_windows_unless_a_range_is_asked_for() -> None:
    assert list(windows_of({}, Grain.HOUR)) == []
    assert list(windows_of({}, Grain.HOUR, MONDAY, MONDAY + HOUR)) == [Window(MONDAY, Counts())]


@pytest.mark.parametrize("grain", list(Grain))
@given(minutes=minutes_of_a_day)
def test_windows_of_each_grain_add_up_to_the_minutes(grain: Grain, minutes: dict[int, dict[str, int]]) -> None:
    found = by_grain(minutes, grain)
    assert list(found) == sorted(found)
    assert all(start == grain.start(start) for start in found)
    assert add(map(parse, found.values())) == add(map(parse, minutes.values()))


@pytest.mark.parametrize("grain", list(Grain))
@given(minutes=st.dictionaries(st.integers(MINUTE, MINUTE + 2_000), st.sets(st.sampled_from("abc"))))
def test_distinct_values_are_united_by_window(grain: Grain, minutes: dict[int, set[str]]) -> None:
    found = distinct_by_grain(minutes, grain)
    assert list(found) == sorted({grain.start(minute * 60) for minute in minutes})
    for start, values in found.items():
        assert values == set().union(*(ids for minute, ids in minutes.items() if grain.start(minute * 60) == start))
