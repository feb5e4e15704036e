"""A reading says how far a metric is from the expected, whether that matters, and how severe it is: the numbers by hand."""

from __future__ import annotations

from dataclasses import replace
from math import inf, sqrt

import pytest

from stream_app.contract import Dimension, Rule, Severity, WindowRule
from stream_app.monitor.reading import Reading
from stream_app.monitor.readings import OUTAGE, Readings
from stream_app.monitor.robust import binomial_score, poisson_score
from stream_app.monitor.seasonal import Expected
from stream_app.monitor.tuning import RHYTHMS, Tuning
from stream_app.windows.grain import Grain

RHYTHM = RHYTHMS[Grain.HOUR]
READINGS = Readings(Tuning(), RHYTHM)
ABOUT_100, ABOUT_10_000 = Expected(100.0, 90.0, 110.0), Expected(10_000.0, 9_000.0, 11_000.0)
PROMISE = Rule("few", Dimension.COMPLETENESS, Severity.INFO, "$", "few records", "window")


def volume(
    observed: int, expected: Expected = ABOUT_100, level: float = 100.0, silence: float = 0.0, **tuning: object
) -> Reading:
    return Readings(replace(Tuning(), **tuning), RHYTHM).volume(observed, expected, level, (2.0, 4.0), silence)  # type: ignore[arg-type]


def test_volume_is_scored_from_the_nearer_end_of_the_range_by_the_spread_of_that_side() -> None:
    assert volume(40).score == pytest.approx(poisson_score(40, 90) / 2)
    assert volume(200).score == pytest.approx(poisson_score(200, 110) / 4)
    assert [volume(observed).score for observed in (90, 100, 110)] == [0.0, 0.0, 0.0]
    assert volume(40, sensitivity={"volume": 2.0}).score == pytest.approx(poisson_score(40, 90))


def test_the_range_of_volume_is_that_of_the_threshold() -> None:
    reading = volume(100)
    assert reading.low == pytest.approx((sqrt(90) - 5) ** 2)
    assert reading.high == pytest.approx((sqrt(110) + 10) ** 2)
    assert (reading.metric, reading.unit, reading.observed, reading.expected) == ("volume", "records", 100, 100.0)
    assert (reading.threshold, reading.accept, reading.least) == (5.0, 48, OUTAGE)
    assert volume(0, Expected(1.0, 0.0, 2.0)).low == 0.0
    assert volume(0, Expected(1.0, -1.0, -0.5)).high == pytest.approx(100.0)


def test_the_number_of_empty_windows_counts_where_one_says_little() -> None:
    assert volume(0, Expected(4.0, 1.0, 4.0), silence=-7.0).score == -7.0
    assert volume(0, Expected(4.0, 1.0, 4.0), silence=-7.0).low == 1.0
    assert volume(0, silence=-1.0).score == pytest.approx(poisson_score(0, 90) / 2)
    assert volume(0, Expected(4.0, 1.0, 4.0), silence=0.0).low == 0.0


@pytest.mark.parametrize(
    ("observed", "severity"), [(50, "error"), (51, "warning"), (299, "warning"), (300, "error"), (0, "error")]
)
def test_volume_is_an_error_from_half_or_three_times_the_expected_on(observed: int, severity: str) -> None:
    reading = volume(observed)
    assert reading.severity == severity
    assert reading.shift == observed / 100


def test_volume_matters_beyond_the_largest_of_three_floors() -> None:
    # A fifth of the end of the range: 18 below 90, 22 above 110.
    assert [(volume(one).matters, volume(one).almost) for one in (72, 73, 81, 82)] == [
        (True, True), (False, True), (False, True), (False, False)
    ]  # fmt: skip
    assert [volume(one).matters for one in (131, 132)] == [False, True]
    # A tenth of an average window.
    assert [volume(one, level=300.0).matters for one in (60, 61)] == [True, False]
    # Five records.
    few = Expected(6.0, 6.0, 6.0)
    assert [volume(one, few, 0.0).matters for one in (1, 2, 10, 11)] == [True, False, False, True]


def test_volume_of_a_window_that_would_not_show_an_outage_is_no_evidence() -> None:
    # An empty window of 8 expected records is 4 standard deviations below, of spread 2: exactly those that count.
    assert volume(8, Expected(8.0, 8.0, 8.0)).evidence
    assert not volume(8, Expected(8.0, 7.9, 8.0)).evidence
    assert not volume(19, Expected(19.0, 19.0, 19.0), sensitivity={"volume": 0.1}).evidence
    assert volume(20, Expected(20.0, 20.0, 20.0), sensitivity={"volume": 0.1}).evidence


def revenue(observed: int, expected: Expected = ABOUT_10_000, **tuning: object) -> Reading:
    made = Readings(replace(Tuning(), **tuning), RHYTHM, -inf)  # type: ignore[arg-type]
    return made.revenue(observed, expected, 10.0, 100.0, (2.0, 4.0))


def test_revenue_is_scored_by_the_money_of_the_records_that_are_expected() -> None:
    assert revenue(8_000).score == pytest.approx(-1_000 / 200)
    assert revenue(13_000).score == pytest.approx(2_000 / 400)
    assert revenue(10_500).score == 0.0
    assert revenue(8_000, sensitivity={"revenue": 2.0}).score == pytest.approx(-10.0)
    reading = revenue(10_000)
    assert (reading.low, reading.high) == (9_000 - 6 * 200, 11_000 + 6 * 400)
    assert (reading.metric, reading.unit, reading.threshold, reading.least) == ("revenue", "money", 6.0, OUTAGE)
    assert (reading.observed, reading.expected, reading.accept) == (10_000, 10_000.0, 48)


def test_revenue_that_cannot_be_negative_has_a_range_from_zero() -> None:
    made = Readings(Tuning(), RHYTHM, 0.0)
    assert made.revenue(100, Expected(500.0, 400.0, 600.0), 10.0, 100.0, (2.0, 4.0)).low == 0.0
    assert made.average(100.0, 4, 100.0, 1.0).low == 0.0


@pytest.mark.parametrize(
    ("observed", "severity"), [(5_000, "error"), (5_001, "warning"), (29_999, "warning"), (30_000, "error")]
)
def test_revenue_is_an_error_from_half_or_three_times_the_expected_on(observed: int, severity: str) -> None:
    assert revenue(observed).severity == severity
    assert revenue(observed).shift == observed / 10_000


def test_revenue_matters_from_a_fifth_on_and_from_the_money_of_five_records_on() -> None:
    assert [(revenue(one).matters, revenue(one).almost) for one in (7_200, 7_201, 8_100, 8_101)] == [
        (True, True), (False, True), (False, True), (False, False)
    ]  # fmt: skip
    little = Expected(100.0, 100.0, 100.0)
    assert [revenue(one, little).matters for one in (50, 51, 149, 150)] == [True, False, False, True]
    nothing = revenue(0, Expected(0.0, 0.0, 0.0))
    assert (nothing.shift, nothing.score) == (0.0, 0.0)


def test_revenue_is_evidence_if_an_outage_would_show() -> None:
    assert revenue(400, Expected(400.0, 400.0, 400.0)).evidence
    assert not revenue(399, Expected(399.0, 399.0, 399.0)).evidence


def average(observed: float, expected: float = 2_000.0) -> Reading:
    return READINGS.average(observed, 100, expected, 0.5)


def test_an_average_order_is_scored_by_its_number_of_records() -> None:
    reading = average(2_500.0)
    assert reading.score == pytest.approx(500 / 100)
    assert (reading.low, reading.high) == (1_400.0, 2_600.0)
    assert (reading.metric, reading.unit, reading.threshold, reading.accept) == ("average_order", "money", 6.0, 48)
    assert (reading.observed, reading.expected, reading.shift, reading.least) == (2_500.0, 2_000.0, 2_500.0, None)
    assert Readings(Tuning(sensitivity={"average_order": 2.0}), RHYTHM).average(2_500.0, 100, 2_000.0, 0.5).score == 10.0
    assert average(5.0, 0.0).score == 0.0


@pytest.mark.parametrize(("observed", "severity"), [(1_000, "error"), (1_001, "warning"), (3_999, "warning"), (4_000, "error")])
def test_an_average_order_is_an_error_from_half_or_twice_the_expected_on(observed: float, severity: str) -> None:
    assert average(observed).severity == severity


def test_an_average_order_matters_from_a_fifth_on() -> None:
    assert [(average(one).matters, average(one).almost) for one in (1_600, 1_601, 1_800, 1_801)] == [
        (True, True), (False, True), (False, True), (False, False)
    ]  # fmt: skip


def share(hits: int, records: int = 1_000, expected: float = 0.01, **tuning: object) -> Reading:
    made = Readings(replace(Tuning(), **tuning), RHYTHM)  # type: ignore[arg-type]
    return made.share("finding:a.type", hits, records, expected, 2.0, "warning")


def test_a_share_is_scored_against_the_expected_and_never_less_than_the_least() -> None:
    assert share(50).score == pytest.approx(binomial_score(50, 1_000, 0.01) / 2)
    assert share(50, expected=0.0).score == pytest.approx(binomial_score(50, 1_000, 0.002) / 2)
    assert share(50, expected=1.0).score == pytest.approx(binomial_score(50, 1_000, 0.998) / 2)
    assert share(50, sensitivity={"finding": 2.0}).score == pytest.approx(binomial_score(50, 1_000, 0.01))


def test_the_range_of_a_share_goes_from_zero_to_the_threshold() -> None:
    reading = share(10)
    assert reading.low == 0.0
    assert reading.high == pytest.approx(0.01 + 10 * sqrt(0.01 * 0.99 / 1_000))
    assert share(10, 10**9).high == pytest.approx(0.01 + 0.02)
    assert share(10, 10, 0.5).high == 1.0
    assert share(0, 1_000, 1.0, threshold=0.5, share_floor=0.0).high == 1.0
    assert share(10, expected=0.0, share_floor=0.0).high == pytest.approx(5 / 0.5 * sqrt(0.002 * 1.0 / 1_000), rel=1e-3)
    assert (reading.metric, reading.unit, reading.severity) == ("finding:a.type", "share", "warning")
    assert (reading.observed, reading.expected, reading.shift) == (0.01, 0.01, 0.01)
    assert (reading.threshold, reading.accept) == (5.0, 48)


def test_a_share_matters_if_it_rises_by_two_points_and_five_records() -> None:
    assert [(share(one, expected=0.0).matters, share(one, expected=0.0).almost) for one in (20, 19, 10, 9)] == [
        (True, True), (False, True), (False, True), (False, False)
    ]  # fmt: skip
    few = [share(one, 50, 0.0) for one in (5, 4, 2, 1)]
    assert [(one.matters, one.almost) for one in few] == [(True, True), (False, True), (False, True), (False, False)]
    assert not share(1, 50, 0.0, records_floor=1.5).almost
    assert share(2, 50, 0.0, records_floor=1.5).matters
    # The rise counts, not the share.
    assert not share(110, 1_000, 0.1).matters


def test_a_share_is_evidence_if_it_would_have_shown() -> None:
    assert share(0, 2, 0.01).evidence
    assert not share(0, 1, 0.2).evidence


def drift(hits: int, expected: float = 0.0, metric: str = "drift:price:text", records: int = 100) -> Reading:
    return READINGS.drift(metric, hits, records, expected, 2.0, "error")


def test_a_drift_is_a_share_that_rises_by_ten_points() -> None:
    reading = drift(10)
    assert (reading.metric, reading.unit, reading.severity, reading.direction) == (
        "drift:price:text",
        "share",
        "error",
        "changed",
    )
    assert (reading.observed, reading.expected, reading.shift, reading.low, reading.high) == (0.1, 0.0, 0.1, None, None)
    assert (reading.threshold, reading.accept) == (5.0, 24)
    assert reading.score == pytest.approx(binomial_score(10, 100, 0.002) / 2)
    assert drift(10, 0.1).score == drift(5, 0.1).score == 0.0
    assert [(one.matters, one.almost) for one in (drift(10), drift(9), drift(4, records=10))] == [
        (True, True), (False, False), (False, True)
    ]  # fmt: skip
    assert drift(5, records=10).matters
    assert [drift(one, 0.25).matters for one in (34, 35)] == [False, True]


def test_a_field_vanishes_if_nine_of_ten_records_lack_it_and_half_had_it() -> None:
    metric = "drift:price:vanished"
    assert [drift(one, 0.0, metric).matters for one in (89, 90)] == [False, True]
    assert [drift(90, expected, metric).matters for expected in (0.49, 0.5)] == [True, False]


@pytest.mark.parametrize(
    ("low", "high", "observed", "score", "breach"),
    [
        (5.0, None, 4, -1.0, True),
        (None, 5.0, 6, 1.0, True),
        (5.0, 9.0, 10, 1.0, True),
        (5.0, 9.0, 7, 0.0, False),
        (5.0, 9.0, 5, 0.0, False),
    ],
)
def test_a_promise_is_kept_or_broken(low: float | None, high: float | None, observed: int, score: float, breach: bool) -> None:
    rule = WindowRule(PROMISE, "rowCount", "rows", Severity.WARNING, "few", low, high)
    reading = READINGS.threshold(rule, observed)
    assert (reading.metric, reading.score, reading.breach) == ("threshold:few", score, breach)
    assert (reading.low, reading.high, reading.expected, reading.direction) == (low, high, None, None)
    assert (reading.unit, reading.severity, reading.observed) == ("records", "warning", observed)


def test_a_promised_share_may_be_an_error_and_a_range_may_be_forbidden() -> None:
    rule = WindowRule(PROMISE, "nullValues", "percent", Severity.ERROR, "few", 0.2, 0.4, outside=True)
    reading = READINGS.threshold(rule, 0.3)
    assert (reading.breach, reading.unit, reading.severity, reading.direction) == (True, "share", "error", "changed")
