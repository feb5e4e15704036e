"""The statistics have the values that one calculates by hand."""

from __future__ import annotations

from math import log, sqrt

import pytest

from stream_app.monitor.robust import binomial_score, median, poisson_score, short, spread


def test_the_median_is_the_middle_value_or_the_mean_of_two() -> None:
    assert median([3, 1, 2]) == 2.0
    assert median([4, 1, 3, 2]) == 2.5
    assert median([7]) == 7.0


def test_a_spread_is_that_of_a_normal_distribution_and_larger_with_few_values() -> None:
    # 100 residuals of size 1: the median's share is 1.4826, that of the 95th percentile less.
    assert spread([1.0, -1.0] * 50, 0.5) == pytest.approx(1.4826 * 1.06)
    # 10 of 100 of size 4: now the tail counts, 4 / 1.96.
    assert spread([1.0] * 90 + [-4.0] * 10, 0.5) == pytest.approx(4 / 1.96 * 1.06)
    # A twentieth of the values may be anything: the 95th percentile of 40 values is the 39th in order.
    assert spread([1.0] * 39 + [1000.0], 0.5) == pytest.approx(1.4826 * (1 + 6 / 40))
    assert spread([2.0], 0.5) == pytest.approx(2 * 1.4826 * 7)


def test_a_spread_is_never_below_its_floor() -> None:
    assert spread([], 0.5) == 1.5
    assert spread([0.1] * 60, 2.0) == pytest.approx(2.0 * 1.1)


@pytest.mark.parametrize(
    ("observed", "expected", "score"),
    [
        (20, 10, sqrt(2 * (20 * log(2) - 10))),
        (5, 10, -sqrt(2 * (5 * log(0.5) + 5))),
        (0, 8, -4.0),
        (-3, 8, -4.0),
        (10, 10, 0.0),
        (1, 0, sqrt(2 * (log(1000) - 1 + 1e-3))),
    ],
)
def test_a_count_is_scored_by_the_root_of_its_poisson_deviance(observed: float, expected: float, score: float) -> None:
    assert poisson_score(observed, expected) == pytest.approx(score)


@pytest.mark.parametrize(
    ("hits", "number", "share", "score"),
    [
        (30, 100, 0.2, sqrt(2 * (30 * log(1.5) + 70 * log(0.875)))),
        (10, 100, 0.2, -sqrt(2 * (10 * log(0.5) + 90 * log(1.125)))),
        (0, 100, 0.2, -sqrt(200 * log(1.25))),
        (100, 100, 0.2, sqrt(200 * log(5))),
        (120, 100, 0.2, sqrt(200 * log(5))),
        (-1, 100, 0.2, -sqrt(200 * log(1.25))),
        (20, 100, 0.2, 0.0),
        (1, 1, 0.5, sqrt(2 * log(2))),
        (0, 0, 0.2, 0.0),
        (1, -1, 0.2, 0.0),
        (1, 1, 0.0, sqrt(2 * log(1e9))),
        (0, 1, 1.0, -sqrt(2 * log(1e9))),
    ],
)
def test_a_share_is_scored_by_the_root_of_its_binomial_deviance(hits: float, number: float, share: float, score: float) -> None:
    assert binomial_score(hits, number, share) == pytest.approx(score, abs=1e-6)


def test_a_short_number_has_four_significant_digits() -> None:
    assert short(123456.0) == 123500.0
    assert short(0.0123456) == 0.01235
