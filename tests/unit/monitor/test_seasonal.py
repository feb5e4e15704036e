"""The expectation of a sum: level times the profile of the week, candidates while little is known, silence, and learning."""

from __future__ import annotations

from math import log, sqrt

import pytest

from stream_app.monitor.seasonal import Expected, Seasonal
from stream_app.monitor.state import SeasonalState, Silence
from stream_app.monitor.tuning import RHYTHMS
from stream_app.windows.grain import Grain
from tests.support.windows import DAY, HOUR, MONDAY

RHYTHM = RHYTHMS[Grain.HOUR]
#: Monday, Tuesday and Saturday at 0 h, as cells of the week.
MON, TUE, SAT = 0, 24, 120


def seasonal(level: float | None = 100.0, **state: object) -> Seasonal:
    return Seasonal(RHYTHM, SeasonalState(level=level, **state))  # type: ignore[arg-type]


def test_nothing_is_expected_without_a_level_or_anything_comparable() -> None:
    assert seasonal(None).expect(MONDAY) is None
    assert seasonal(cells={MON + 5: [1.0]}).expect(MONDAY) is None


def test_an_hour_seen_often_enough_is_expected_to_be_as_it_was() -> None:
    often = seasonal(cells={MON: [0.5, 0.4, 0.6]})
    assert often.expect(MONDAY) == Expected(50.0, 50.0, 50.0)


def test_where_counts_are_small_other_days_have_a_say() -> None:
    # Three visits with about 11 records are less evidence than 40 records.
    state = seasonal(cells={MON: [0.125] * 3, TUE: [0.1] * 3}, scores=[0.0] * 600)
    assert state.expect(MONDAY) == pytest.approx((12.5, 11.25, 12.5))
    few = seasonal(cells={MON: [0.1] * 3, TUE: [0.2] * 9})
    assert few.expect(MONDAY) == pytest.approx((10.0, 10.0, 20.0))
    # The same ratios of a sum of money, where a record is worth 100.
    many = seasonal(10_000.0, cells={MON: [0.1] * 3, TUE: [0.2] * 9})
    assert many.expect(MONDAY) == Expected(1000.0, 1000.0, 1000.0)
    assert many.expect(MONDAY, 1 / 100) == pytest.approx((1000.0, 1000.0, 2000.0))


def test_a_noisy_stream_needs_more_evidence() -> None:
    calm = seasonal(cells={MON: [0.5] * 3, TUE: [1.0] * 9}, scores=[1.0, -1.0] * 80)
    noisy = seasonal(cells={MON: [0.5] * 3, TUE: [1.0] * 9}, scores=[4.0, -4.0] * 80)
    assert calm.expect(MONDAY) == Expected(50.0, 50.0, 50.0)
    assert noisy.expect(MONDAY) == pytest.approx((50.0, 50.0, 100.0))


def test_an_hour_seen_once_is_backed_up_by_similar_days() -> None:
    found = seasonal(cells={MON: [0.5], TUE: [0.9]}).expect(MONDAY)
    # The candidates: its own sum, and the median of Mondays and Tuesdays; 5 % of room.
    assert found == pytest.approx((60.0, 50 * 0.95, 70 * 1.05))


def test_an_hour_never_seen_is_between_similar_days_all_days_and_the_windows_just_before() -> None:
    found = seasonal(cells={TUE: [0.5], SAT: [0.7]}, recent=[90.0, 100.0, 110.0]).expect(MONDAY)
    assert found == pytest.approx((55.0, 50 * 0.6, 100.0))
    low = seasonal(cells={TUE: [0.5], SAT: [0.7]}, recent=[1.0]).expect(MONDAY)
    assert low == pytest.approx((55.0, 1.0, 60 * 1.4))


def test_a_day_that_is_half_as_busy_counts_half() -> None:
    # Every hour of Monday has half of what Tuesday has; of both, half a day has been seen.
    cells = {MON + hour: [0.5] for hour in range(1, 13)} | {TUE + hour: [1.0] for hour in range(13)}
    found = seasonal(cells=cells, recent=[60.0]).expect(MONDAY)
    state = seasonal(cells=cells, recent=[60.0])
    state.expect(MONDAY)
    assert state.state.days == {0: pytest.approx(0.6667), 1: pytest.approx(1.3)}
    assert found is not None
    # Tuesday's hour, as busy as Mondays are.
    ratio = 1.0 / state.state.days[1] * state.state.days[0]
    assert found.value == pytest.approx(100 * ratio, rel=1e-3)
    half = seasonal(cells={cell: ring for cell, ring in cells.items() if cell != MON + 12}, recent=[60.0])
    half.expect(MONDAY)
    assert set(half.state.days) == {1}, "less than half of Monday has been seen"
    later = seasonal(cells=cells, recent=[60.0])
    later.expect(MONDAY + 60)
    assert later.state.days == {}, "days are compared at full hours"


def test_a_day_on_which_hardly_anything_happens_says_nothing_about_others() -> None:
    found = seasonal(cells={TUE: [0.001], 48: [0.9]}, days={1: 0.01}, recent=[90.0]).expect(MONDAY + 60)
    assert found is not None
    assert found.value == pytest.approx(90.0)


def test_a_spread_is_that_of_one_side_and_at_least_one() -> None:
    state = seasonal(scores=[-4.0] * 60 + [1.0] * 60)
    assert state.spread(-1) == pytest.approx(4 * 1.4826 * 1.1)
    assert state.spread(1) == pytest.approx(1.4826 * 1.1)
    assert seasonal().spread() == 3.0
    assert seasonal(scores=[0.0] * 60).spread(1) == pytest.approx(1.1)


def test_silence_is_scored_by_the_number_of_empty_windows_in_a_row() -> None:
    busy = Expected(50.0, 20.0, 80.0)
    state = seasonal(silence=Silence(75.0, 1.5, 0))
    assert [state.silence(0, busy) for _ in range(2)] == pytest.approx([-sqrt(2 * log(50)), -sqrt(4 * log(50))])
    assert state.state.silence.run == 2
    assert state.silence(0, Expected(50.0, 19.9, 80.0)) == 0.0
    assert state.state.silence.run == 2
    assert state.silence(1, busy) == 0.0
    assert state.state.silence.run == 0


def test_the_warm_up_makes_the_level_and_the_profile() -> None:
    state = seasonal(None)
    for hour in range(24):
        assert state.state.level is None
        state.learn(MONDAY + hour * HOUR, 100 + hour, None, 0.0)
    assert state.state.level == pytest.approx(111.5)
    assert state.state.warm_up == []
    assert state.state.cells[0] == [0.8969]
    assert state.state.cells[23] == [1.103]
    assert state.state.recent == [float(100 + hour) for hour in range(16, 24)]
    assert state.state.scores == []
    nothing = seasonal(None)
    for hour in range(24):
        nothing.learn(MONDAY + hour * HOUR, 0, None, 0.0)
    assert nothing.state.level == 1e-6


def test_a_window_is_learned_as_a_multiple_of_the_level() -> None:
    state = seasonal(cells={MON: [1.0, 2.0, 3.0, 4.0, 5.0]}, silence=Silence(10.0, 2.0, 1))
    state.learn(MONDAY, 50, Expected(60.0, 20.0, 60.0), -1.234)
    assert state.state.cells == {MON: [2.0, 3.0, 4.0, 5.0, 0.5]}
    assert state.state.scores == [-1.23]
    # An hour after the 168th part of the difference; the spread of one score is 12 times as large as its size.
    assert state.state.level == pytest.approx(100 - 10 / 168)
    assert state.state.silence == Silence(10.98, 1.996, 1)
    state.learn(MONDAY, 0, Expected(60.0, 20.0, 60.0), -1.0)
    assert state.state.silence == Silence(11.96, 2.992, 1)
    state.learn(MONDAY, 0, Expected(60.0, 19.0, 60.0), -1.0)
    assert state.state.silence == Silence(11.96, 2.992, 1)


def test_one_window_moves_the_level_by_three_standard_deviations_at_most() -> None:
    state = seasonal(scores=[0.0] * 599)
    state.learn(MONDAY, 400, Expected(100.0, 100.0, 100.0), 30.0)
    # The scores that are kept are 168, with a spread of 1 + 6 / 168.
    assert state.state.level == pytest.approx(100 + 300 * 3 / (30 / (1 + 6 / 168)) / 168)
    assert len(state.state.scores) == 168
    normal = seasonal(scores=[0.0] * 168)
    normal.learn(MONDAY, 400, Expected(100.0, 100.0, 100.0), 0.0)
    assert normal.state.level == pytest.approx(100 + 300 / 168)


def test_a_level_does_not_change_its_sign() -> None:
    state = seasonal(0.5)
    state.learn(MONDAY, -1_000, Expected(1.0, 1.0, 1.0), 0.0)
    assert state.state.level == 0.5


@pytest.mark.parametrize(("observed", "expected", "kept"), [(0, 0.5, False), (1, 0.5, True), (0, 1.0, True)])
def test_a_window_in_which_nothing_is_expected_has_no_score(observed: int, expected: float, kept: bool) -> None:
    state = seasonal()
    state.learn(MONDAY + DAY, observed, Expected(expected, expected, expected), 0.7)
    assert bool(state.state.scores) is kept


@pytest.mark.parametrize(("factor", "afresh"), [(0.05, True), (0.051, False), (19.9, False), (20.0, True)])
def test_a_new_level_is_the_old_one_times_a_factor_or_another_shop(factor: float, afresh: bool) -> None:
    state = seasonal(cells={MON: [1.0]}, recent=[10.0]).accept(factor)
    if afresh:
        assert state == SeasonalState()
    else:
        assert (state.level, state.recent, state.cells) == (100.0 * factor, [10.0 * factor], {MON: [1.0]})
    assert seasonal(None, recent=[10.0]).accept(2.0).recent == [10.0]
