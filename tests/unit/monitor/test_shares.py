"""The expectation of a share: its average, moved towards the hour of the day; what it learns, and what it does not."""

from __future__ import annotations

from math import sqrt

import pytest

from stream_app.monitor.robust import binomial_score
from stream_app.monitor.shares import LEAST, Base, Shares
from stream_app.monitor.state import BaseState, SharesState
from stream_app.monitor.tuning import RHYTHMS
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY

RHYTHM = RHYTHMS[Grain.HOUR]


def shares(state: SharesState, base: BaseState) -> Shares:
    return Shares(RHYTHM, state, base)


def test_a_base_is_ready_after_the_warm_up() -> None:
    assert not Base(RHYTHM, BaseState(windows=23, records=5.0)).ready
    assert Base(RHYTHM, BaseState(windows=24, records=5.0)).ready
    assert not Base(RHYTHM, BaseState(windows=24, records=0.0)).ready


def test_a_base_learns_records_by_hour_and_forgets_slowly() -> None:
    base = Base(RHYTHM, BaseState())
    base.learn(MONDAY, 0)
    assert base.state == BaseState()
    base.learn(MONDAY, 100)
    base.learn(MONDAY + HOUR, 50)
    base.learn(MONDAY + 24 * HOUR, 100)
    assert base.state.windows == 3
    assert base.state.records == pytest.approx((100 * (167 / 168) + 50) * (167 / 168) + 100, rel=1e-3)
    assert base.state.hours == {0: (190.0, 2), 1: (50.0, 1)}
    base.state.hours[0] = 100.0, 99
    base.learn(MONDAY, 10)
    assert base.state.hours[0] == (100.0, 99)


def test_a_share_that_is_new_was_zero_so_far() -> None:
    assert Base(RHYTHM, BaseState(windows=3)).share().scores == [0.0] * 3
    assert Base(RHYTHM, BaseState(windows=500)).share().scores == [0.0] * 48


def test_a_share_is_expected_by_its_average_and_by_the_hour_the_more_it_was_visited() -> None:
    state = SharesState(hits=20.0, hours={0: 30.0})
    assert shares(state, BaseState()).expect(MONDAY) == 0.0
    assert shares(state, BaseState(records=200.0)).expect(MONDAY) == pytest.approx(0.1)
    assert shares(state, BaseState(records=200.0, hours={0: (100.0, 5)})).expect(MONDAY) == pytest.approx(0.1 + 0.5 * 0.2)
    assert shares(state, BaseState(records=200.0, hours={0: (100.0, 5)})).expect(MONDAY + HOUR) == pytest.approx(0.1)
    assert shares(state, BaseState(records=200.0, hours={1: (100.0, 5)})).expect(MONDAY + HOUR) == pytest.approx(0.05)
    assert shares(state, BaseState(records=200.0, hours={0: (0.0, 5)})).expect(MONDAY) == pytest.approx(0.1)
    # Sums with other memories may come to more than all, or to less than nothing.
    assert shares(SharesState(hits=20.0, hours={0: 30.0}), BaseState(records=20.0, hours={0: (10.0, 5)})).expect(MONDAY) == 1.0
    assert shares(SharesState(hits=30.0), BaseState(records=20.0)).expect(MONDAY) == 1.0
    assert shares(SharesState(hits=-3.0), BaseState(records=20.0)).expect(MONDAY) == 0.0


def test_a_score_is_binomial_and_never_of_a_share_that_is_certain() -> None:
    assert Shares.score(30, 100, 0.2) == binomial_score(30, 100, 0.2)
    assert Shares.score(3, 100, 0.0) == binomial_score(3, 100, LEAST)
    assert Shares.score(97, 100, 1.0) == binomial_score(97, 100, 1 - LEAST)


def test_a_spread_is_at_least_one() -> None:
    assert shares(SharesState(), BaseState()).spread() == 1.0
    assert shares(SharesState(scores=[0.0] * 48), BaseState()).spread() == pytest.approx(1 + 6 / 48)
    assert shares(SharesState(scores=[4.0] * 48), BaseState()).spread() == pytest.approx(4 * 1.4826 * (1 + 6 / 48))


def test_a_normal_window_is_learned() -> None:
    share = shares(SharesState(hits=16.8, hours={0: 10.0}), BaseState())
    share.learn(MONDAY, 2.0, 100, 0.1, 0.456, normal=True)
    assert share.state.hits == pytest.approx(16.7 + 2)
    assert share.state.hours == {0: 11.0}
    assert share.state.scores == [0.46]


def test_an_anomaly_leaves_no_trace() -> None:
    share = shares(SharesState(hits=16.8, scores=[0.5]), BaseState())
    share.learn(MONDAY, 90.0, 100, 0.1, 9.0, normal=False)
    assert share.state.hits == pytest.approx(16.7 + 10)
    assert share.state.scores == [0.5]


def test_a_window_without_records_teaches_nothing() -> None:
    share = shares(SharesState(hits=16.8), BaseState())
    share.learn(MONDAY, 0.0, 0, 0.1, 0.0, normal=True)
    assert share.state == SharesState(hits=16.8)


def test_the_warm_up_teaches_no_scores_and_all_hits() -> None:
    share = shares(SharesState(), BaseState())
    share.learn(MONDAY, 90.0, 100, 0.0, None, normal=True)
    assert (share.state.hits, share.state.scores, share.state.hours) == (90.0, [], {0: 90.0})


@pytest.mark.parametrize(("score", "kept"), [(9.0, 3.0), (-9.0, -3.0), (2.5, 2.5)])
def test_what_is_unusual_is_learned_up_to_a_limit(score: float, kept: float) -> None:
    share = shares(SharesState(), BaseState())
    share.learn(MONDAY, 90.0, 100, 0.1, score, normal=True)
    assert share.state.scores == [kept]
    # The room is four standard deviations of the spread after it: that of one score is large.
    room = 4 * shares(SharesState(scores=[kept]), BaseState()).spread() * sqrt(10) + 1
    assert share.state.hits == pytest.approx(min(90.0, 10 + room), rel=1e-3)


def test_the_last_48_scores_are_kept_and_an_hour_without_hits_is_not() -> None:
    share = shares(SharesState(scores=[0.1] * 48), BaseState())
    share.learn(MONDAY, 0.0, 100, 0.0, 0.2, normal=True)
    assert share.state.scores == [0.1] * 47 + [0.2]
    assert share.state.hours == {}
    share.state.hours[0] = 0.001
    share.learn(MONDAY, 0.0, 100, 0.0, 0.2, normal=True)
    assert share.state.hours == {0: 0.0009}


def test_a_new_share_is_expected_at_every_hour() -> None:
    share = shares(
        SharesState(hits=1.0, hours={0: 1.0}, scores=[1.0]), BaseState(records=200.0, hours={0: (50.0, 2), 1: (20.0, 1)})
    )
    share.accept(0.5)
    assert share.state == SharesState(hits=100.0, hours={0: 25.0, 1: 10.0}, scores=[])
