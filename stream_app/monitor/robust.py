"""Statistics: medians, spreads that outliers do not move, and how unlikely a count is."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt


def median(values: Sequence[float]) -> float:
    """Return the middle value; of an even number of values the mean of the two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(residuals: Sequence[float], floor: float) -> float:
    """Return the standard deviation of residuals, from the median of their sizes and from their 95th percentile.

    The larger of the two counts, so that heavy tails are respected while a twentieth of the values may be anything;
    with few values it is larger. Never below ``floor``.
    """
    if not residuals:
        return 3 * floor
    sizes = sorted(map(abs, residuals))
    number = len(sizes)
    middle = 1.4826 * median(sizes)
    tail = sizes[min(number - 1, int(0.95 * number))] / 1.96
    return max(floor, middle, tail) * (1 + 6 / number)


def poisson_score(observed: float, expected: float) -> float:
    """Return how many standard deviations a count is from a Poisson mean: the signed root of its deviance."""
    expected = max(expected, 1e-3)
    observed = max(observed, 0.0)
    deviance = 2 * ((observed * log(observed / expected) if observed else 0.0) - observed + expected)
    return sqrt(max(0.0, deviance)) * (1 if observed >= expected else -1)


def binomial_score(hits: float, number: float, share: float) -> float:
    """Return how many standard deviations ``hits`` out of ``number`` are from ``share`` (the signed root of the deviance)."""
    if number <= 0:
        return 0.0
    share = min(max(share, 1e-9), 1 - 1e-9)
    hits = min(max(hits, 0.0), number)
    misses = number - hits
    deviance = 0.0
    if hits:
        deviance += hits * log(hits / (number * share))
    if misses:
        deviance += misses * log(misses / (number * (1 - share)))
    return sqrt(max(0.0, 2 * deviance)) * (1 if hits >= number * share else -1)


def short(value: float) -> float:
    """Round to four significant digits, so that a state stays small."""
    return float(f"{value:.4g}")
