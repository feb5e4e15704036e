"""When Redis is full: from what it used in earlier hours."""

from __future__ import annotations

import pytest

from stream_app.store.usage import Memory, growth


def test_growth_is_since_the_oldest_hour() -> None:
    assert growth({100: 1_000, 124: 3_000}, 5_000, 148.0) == pytest.approx(2_000)


def test_growth_needs_an_hour_that_is_over() -> None:
    assert growth({}, 5_000, 10.5) is None
    assert growth({10: 4_000}, 5_000, 10.5) is None
    assert growth({10: 4_000}, 5_000, 11.0) == pytest.approx(24_000)


@pytest.mark.parametrize(
    ("used", "limit", "per_day", "days"),
    [
        (600, 1_000, 40.0, 10.0),
        (600, 0, 40.0, None),
        (600, 1_000, None, None),
        (600, 1_000, -5.0, None),
        (2_000, 1_000, 1.0, 0.0),
    ],
)
def test_days_until_it_is_full(used: int, limit: int, per_day: float | None, days: float | None) -> None:
    assert Memory(used, limit, {}, per_day).days_left == days
