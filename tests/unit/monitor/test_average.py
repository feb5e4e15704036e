"""The expectation of an average: the median of the last windows, moved towards that of the same hour of the day."""

from __future__ import annotations

import pytest

from stream_app.monitor.average import Average
from stream_app.monitor.state import AverageState
from stream_app.monitor.tuning import RHYTHMS
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY

RHYTHM = RHYTHMS[Grain.HOUR]


def average(*values: tuple[int, float]) -> Average:
    return Average(RHYTHM, AverageState(values=list(values)))


def test_nothing_is_expected_during_the_warm_up() -> None:
    assert average(*[(0, 10.0)] * 23).expect(MONDAY) is None
    assert average(*[(0, 10.0)] * 24).expect(MONDAY) == 10.0


def test_the_same_hour_weighs_more_the_more_often_it_was_seen() -> None:
    values = [(1, 10.0)] * 30
    assert average(*values).expect(MONDAY) == 10.0
    assert average(*values, (0, 20.0)).expect(MONDAY) == 10.0 + 1 / 5 * 10
    assert average(*values, *[(0, 20.0)] * 4).expect(MONDAY) == 10.0 + 4 / 8 * 10


def test_a_score_is_in_units_of_the_mean_over_the_root_of_the_records() -> None:
    assert Average.score(120.0, 25, 100.0) == 1.0
    assert Average.score(-120.0, 25, -100.0) == -1.0
    assert Average.score(5.0, 25, 0.0) == 0.0


def test_it_learns_the_last_week() -> None:
    week = average()
    for hour in range(170):
        week.learn(MONDAY + hour * HOUR, 1_000.04 + hour, None if hour < 24 else hour / 3)
    assert week.state.values[0] == (2, 1002.0)
    assert week.state.values[-1] == (1, 1169.0)
    assert len(week.state.values) == 168
    assert week.state.scores[:2] == [8.0, 8.33]
    assert len(week.state.scores) == 146
    for hour in range(40):
        week.learn(MONDAY + hour * HOUR, 1_000.0, 1.0)
    assert len(week.state.scores) == 168


def test_a_spread_has_a_floor_of_a_half() -> None:
    assert average().spread() == pytest.approx(1.5)


def test_a_new_average_is_expected_from_then_on() -> None:
    changed = average(*[(hour % 24, 10.0) for hour in range(50)])
    changed.accept(33.333333)
    assert changed.state.values == [(hour % 24, 33.33) for hour in range(26, 50)]
    assert changed.expect(MONDAY) == 33.33
